"""One virtual machine that boots a kernel, runs one command in this source tree, and ends."""

import functools
import io
import py_compile
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import images

_TREE = Path(__file__).parents[2]
_OUTPUT_SIZE = 256 << 20
_CLOCK = ("-smp", "1", "-icount", "shift=1")
"""Time in the guest is what it executes (2 ns an instruction), whatever else runs here: one that is starved meanwhile
would run into each of its timeouts. Two processors do not come up that way."""
_HARDWARE = {
    "x86_64": ("-cpu", "max,-erms,-fsrm", "-serial", "file:CONSOLE", "-serial", "stdio"),
    "aarch64": (
        "-machine", "virt", "-cpu", "cortex-a72",
        "-serial", "file:CONSOLE", "-chardev", "stdio,id=output", "-device", "pci-serial,chardev=output",
    ),
}  # fmt: skip
"""On x86-64 everything that can be emulated but the quick string moves: emulated they go byte by byte."""
_CONSOLES = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}
_QUICK = "mitigations=off init_on_alloc=0 apparmor=0 selinux=0 audit=0 nowatchdog"
"""What a kernel does for safety and is of no interest here, an eighth of the time."""


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
    series: str,
    command: str,
    *,
    boot: str = "",
    seconds: float = 900,
    out: Path | None = None,
    show: bool = False,
    extra: Mapping[str, Path] | None = None,
    service: str = "",
    niceness: int = 0,
) -> Finished:
    """Run a shell command in a guest with the kernel of this series.

    `boot` is added to the kernel's command line, `out` receives what the command leaves in `$OUT`, `show` passes
    what it prints on while it runs, `extra` are more files, by their names in the guest's copy of the tree. `service`
    is a second command, which runs afterwards as a service of a systemd that is init then. `niceness` says who goes
    first where more guests run than there are processors: what a guest takes for time does not depend on it.
    Raises GuestError (also when `seconds` are over) and images.ImageError.
    """
    linux, initramfs = images.kernel(series)
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        room = Path(name)
        _pack({".guest-command": command, ".guest-service": service}, room / "input.tar", extra or {})
        with open(room / "output.tar", "wb") as disk:
            disk.truncate(_OUTPUT_SIZE)
        processor = images.KERNELS[series].processor
        disks = [f"file={images.root(processor)},snapshot=on", f"file={room / 'input.tar'},readonly=on",
                 f"file={room / 'output.tar'}", f"file={images.requirements(processor)},snapshot=on"]  # fmt: skip
        hardware = (word.replace("CONSOLE", str(room / "console")) for word in _HARDWARE[processor.machine])
        words = [
            f"qemu-system-{processor.machine}", "-accel", "tcg,thread=single", *hardware, *_CLOCK, "-m", "2G",
            "-no-reboot", "-nic", "none", "-display", "none", "-monitor", "none",
            "-kernel", str(linux), "-initrd", str(initramfs),
            "-append", f"console={_CONSOLES[processor.machine]} quiet panic=-1 {_QUICK} {boot}".strip(),
            *(word for disk in disks for word in ("-drive", f"{disk},format=raw,if=virtio")),
        ]  # fmt: skip
        started = time.monotonic()
        output = _watch(words, seconds, show, room / "console", niceness)
        return Finished(_unpack(room, out), output, time.monotonic() - started)


def _watch(words: list[str], seconds: float, show: bool, console: Path, niceness: int) -> str:
    """What the command printed until the guest switched itself off."""
    lines: list[str] = []
    try:
        bounded = ["nice", "-n", str(niceness), "timeout", f"{seconds:g}", *words]
        machine = subprocess.Popen(bounded, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except FileNotFoundError:
        raise GuestError(f"{words[0]} is not here: .ci/tools {words[0]}") from None
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
        raise GuestError(f"{words[0]} ended with {status}; the kernel's last words:\n{_tail(console)}")
    return "".join(lines)


def _pack(commands: Mapping[str, str], archive: Path, extra: Mapping[str, Path]) -> None:
    listing = ["git", "-C", str(_TREE), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True).stdout.decode().split("\0")
    with tarfile.open(archive, "w") as packed:
        for name in sorted(filter(None, names)):
            if (_TREE / name).exists():
                packed.add(_TREE / name, name)
                _add_compiled(packed, name)
        for name, path in extra.items():
            packed.add(path, name)
        script = archive.with_name("command")
        for name, command in commands.items():
            if command:
                script.write_text(command + "\n")
                packed.add(script, name)
    with open(archive, "ab") as disk:
        disk.truncate((archive.stat().st_size + 511) & ~511)


def _add_compiled(packed: tarfile.TarFile, name: str) -> None:
    """Where our Python is the guest's, what it would compile: emulated it takes minutes."""
    path = Path(name)
    if path.suffix == ".py" and (code := _compiled(path)):
        entry = tarfile.TarInfo(str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"))
        entry.size = len(code)
        packed.addfile(entry, io.BytesIO(code))


@functools.cache
def _compiled(path: Path) -> bytes:
    """Of a file of this source tree; nothing where it cannot be compiled, or a guest's Python is another one."""
    if sys.version_info[:2] != tuple(map(int, images.ROOT_PYTHON.split("."))):
        return b""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        made = f"{name}/code"
        if py_compile.compile(str(_TREE / path), made, str(path), quiet=2, invalidation_mode=unchecked) is None:
            return b""
        return Path(made).read_bytes()


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
