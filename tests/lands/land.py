"""Builds a bare user land and asks the one file there, in mount namespaces of their own."""

import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.guests.build_cache import ImageError, building, cache_folder, run_command

from . import musl

DEBIAN, UBUNTU = "http://deb.debian.org/debian", "http://archive.ubuntu.com/ubuntu"
LANDS = {"bookworm": (DEBIAN, "sid"), "trixie": (DEBIAN, "sid"), "jammy": (UBUNTU, "gutsy"), "noble": (UBUNTU, "gutsy")}
"""Release -> archive and the script of debootstrap that builds it."""
NAMES = (*LANDS, "musl")
"""All that can be built."""
_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
_ENTER = 'for m in proc sys dev; do mount --rbind /$m "$0/$m"; done; exec chroot "$0" "$@"'
_PATIENCE = 120.0
_SCREEN_SECONDS = 60.0


@dataclass
class Answers:
    """What one land answered; sizes in bytes, times in seconds."""

    python: str = ""
    land: int = 0
    file: int = 0
    cache: int = 0
    first: float = 0.0
    """The first start, which unpacks the file."""
    following: float = 0.0
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, what: str, problem: str) -> None:
        """One question: answered, or how not."""
        self.wrong.append(f"{what}: {problem}") if problem else self.right.append(what)


def built(name: str) -> Path:
    """The folder of a land, built once; raises ImageError."""
    folder = cache_folder() / f"land-{name}"
    root = folder / "root"
    with building(folder) as needed:
        if needed:
            musl.build(root) if name == "musl" else _bootstrap(name, root)
    return root


def _bootstrap(name: str, root: Path) -> None:
    archive, script = LANDS[name]
    keys = [] if archive == DEBIAN else [f"--keyring={_KEYS}"] if _KEYS.exists() else ["--no-check-gpg"]
    words = ["--variant=minbase", "--include=python3", *keys, name, str(root), archive, script]
    # What it leaves mounted is gone with its name space.
    run_command("unshare", "--mount", "debootstrap", *words, seconds=900)


def ask(name: str, root: Path, file: Path) -> Answers:
    """Everything that a newcomer asks first."""
    if not file.exists():
        raise ImageError(f"{file} is not here: make dist")
    place = root / "opt"
    shutil.copy(file, place / file.name)
    shutil.rmtree(root / "root/.cache", ignore_errors=True)
    answers = Answers(file=file.stat().st_size, land=_size(root) - file.stat().st_size)
    program = ("python3", f"/opt/{file.name}")
    answers.python = _run(root, "python3", "-c", "import platform; print(platform.python_version())").stdout.strip()
    answers.first, version = _timed(root, *program, "--version")
    answers.following, _ = _timed(root, *program, "--version")
    answers.note("version", "" if version.stdout.startswith("inspector ") else version.stderr[-200:])
    answers.cache = _size(root / "root/.cache")
    answers.note("report", _report(root, program))
    answers.note("demo", _demo(root, program))
    answers.note("screen", _screen(root, (*program, "demo", "the-question")))
    return answers


def _report(root: Path, program: tuple[str, ...]) -> str:
    done = _run(root, *program, "report", "--format", "json", "--", "/bin/sh", "-c", "exit 3")
    with contextlib.suppress(ValueError, LookupError):
        code = json.loads(done.stdout)["target"]["tree"][0]["exit"]["code"]
        return "" if code == 3 else f"exit code {code}"
    return done.stderr[-200:] or "no JSON"


def _demo(root: Path, program: tuple[str, ...]) -> str:
    """Without a compiler it shows the recording, and says why."""
    done = _run(root, *program, "demo")
    if "no C compiler" not in done.stderr:
        return f"it does not say that there is no compiler: {done.stderr[-200:]}"
    return "" if "dependency-missing" in done.stdout else done.stdout[-200:]


def _screen(root: Path, command: tuple[str, ...]) -> str:
    """The screen shows the finding and ends by `q`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execvp("unshare", ["unshare", "--mount", "sh", "-c", _ENTER, str(root), *command])
    shown, asked, end = b"", False, time.monotonic() + _SCREEN_SECONDS
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    shown += os.read(terminal, 1 << 16)
                except OSError:
                    break  # the program has ended
            if not asked and b"libcublasLt" in shown:
                asked = True
                os.write(terminal, b"q")
    finally:
        os.close(terminal)
    status = _wait(pid)
    if not asked:
        return f"the finding did not appear: {shown[-200:]!r}"
    return "" if status == 0 else f"it ended with {status}"


def _wait(pid: int) -> int:
    for _ in range(100):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(pid, 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _timed(root: Path, *command: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    began = time.monotonic()
    done = _run(root, *command)
    return time.monotonic() - began, done


def _run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "COLUMNS": "100", "LANG": "C.UTF-8"}
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _ENTER, str(root), *command], capture_output=True, text=True, check=False,
        timeout=_PATIENCE, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
