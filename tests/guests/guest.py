"""One virtual machine that boots a kernel, runs one command in this source tree, and ends."""

import py_compile
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import images

_TREE = Path(__file__).parents[2]
_OUTPUT_SIZE = 256 << 20
_QEMU = "qemu-system-x86_64"
_CLOCK = ("-smp", "1", "-icount", "shift=1")
"""Time in the guest is what it executes (2 ns an instruction), whatever else runs here: one that is starved meanwhile
would run into each of its timeouts. Two processors do not come up that way."""


class GuestError(Exception):
    """The guest did not come to the end of its command; the message has the kernel's last words."""


@dataclass(frozen=True)
class Finished:
    """How a command in a guest ended."""

    status: int
    output: str
    seconds: float
    """Wall time, booting included."""


def run(
    series: str, command: str, *, boot: str = "", seconds: float = 900, out: Path | None = None, show: bool = False
) -> Finished:
    """Run a shell command in a guest with the kernel of this series.

    `boot` is added to the kernel's command line, `out` receives what the command leaves in `$OUT`, `show` passes
    what it prints on while it runs. Raises GuestError (also when `seconds` are over) and images.ImageError.
    """
    linux, initramfs = images.kernel(series)
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        room = Path(name)
        _pack(command, room / "input.tar")
        with open(room / "output.tar", "wb") as disk:
            disk.truncate(_OUTPUT_SIZE)
        disks = [f"file={images.root()},snapshot=on", f"file={room / 'input.tar'},readonly=on",
                 f"file={room / 'output.tar'}", f"file={images.requirements()},snapshot=on"]  # fmt: skip
        words = [
            _QEMU, "-accel", "tcg,thread=single", "-cpu", "max", *_CLOCK, "-m", "2G", "-no-reboot", "-nic", "none",
            "-display", "none", "-monitor", "none", "-serial", f"file:{room / 'console'}", "-serial", "stdio",
            "-kernel", str(linux), "-initrd", str(initramfs),
            "-append", f"console=ttyS0 quiet panic=-1 mitigations=off {boot}".strip(),
            *(word for disk in disks for word in ("-drive", f"{disk},format=raw,if=virtio")),
        ]  # fmt: skip
        started = time.monotonic()
        output = _watch(words, seconds, show, room / "console")
        return Finished(_unpack(room, out), output, time.monotonic() - started)


def _watch(words: list[str], seconds: float, show: bool, console: Path) -> str:
    """What the command printed until the guest switched itself off."""
    lines: list[str] = []
    try:
        machine = subprocess.Popen(
            ["timeout", f"{seconds:g}", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        raise GuestError(f"{_QEMU} is not here: .ci/tools {_QEMU}") from None
    try:
        assert machine.stdout is not None
        for line in machine.stdout:
            lines.append(line.decode("utf-8", "replace"))
            if show:
                print(lines[-1], end="", flush=True)
    finally:
        machine.terminate()
        status = machine.wait()
    if status == 124:
        raise GuestError(f"the guest was not done after {seconds:g} s; its kernel's last words:\n{_tail(console)}")
    if status:
        raise GuestError(f"{_QEMU} ended with {status}; the kernel's last words:\n{_tail(console)}")
    return "".join(lines)


def _pack(command: str, archive: Path) -> None:
    listing = ["git", "-C", str(_TREE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout.decode().split("\0")
    with tarfile.open(archive, "w") as packed:
        for name in sorted(filter(None, names)):
            if (_TREE / name).exists():
                packed.add(_TREE / name, name)
                _add_compiled(packed, name, archive.with_name("compiled"))
        script = archive.with_name("command")
        script.write_text(command + "\n")
        packed.add(script, ".guest-command")
    with open(archive, "ab") as disk:
        disk.truncate((archive.stat().st_size + 511) & ~511)


def _add_compiled(packed: tarfile.TarFile, name: str, scratch: Path) -> None:
    """Where our Python is the guest's, what it would compile: emulated it takes minutes."""
    if not name.endswith(".py") or sys.version_info[:2] != tuple(map(int, images.ROOT_PYTHON.split("."))):
        return
    path = Path(name)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if py_compile.compile(str(_TREE / path), str(scratch), name, quiet=2, invalidation_mode=unchecked) is not None:
        packed.add(scratch, str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"))


def _unpack(room: Path, out: Path | None) -> int:
    try:
        with tarfile.open(room / "output.tar") as packed:
            status = packed.extractfile("./status")
            assert status is not None
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                files = [member for member in packed if member.name.startswith("./files/")]
                for member in files:
                    member.name = member.name.removeprefix("./files/")
                packed.extractall(out, files, filter="data")
            return int(status.read())
    except (tarfile.TarError, KeyError):
        raise GuestError(f"the guest ended early; its kernel's last words:\n{_tail(room / 'console')}") from None


def _tail(console: Path) -> str:
    lines = console.read_text(errors="replace").splitlines() if console.exists() else []
    return "\n".join(lines[-30:])


def shell(words: list[str]) -> str:
    """A command as one line: a single word is taken for a line of shell."""
    return words[0] if len(words) == 1 else shlex.join(words)


def fail(words: str) -> int:
    """Tell why on stderr; the exit status for it."""
    print(words, file=sys.stderr)
    return 125
