"""What tests build once and keep: the cache folder, who builds, and the commands that do."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class ImageError(Exception):
    """An image cannot be built here; the message says why and what helps."""


class CommandError(ImageError):
    """A command that fetches or builds failed this time."""


_TRIES, _PAUSE = 3, 20.0


def cache_folder() -> Path:
    """Where what is built once is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "shim-inspector-tests"


@contextmanager
def building(folder: Path) -> Iterator[bool]:
    """Whether the folder must be filled now; one process fills it, others wait; a failed try leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        _say(f"building {folder.name} in {folder.parent} (once)")
        yield True
        (folder / "complete").touch()


def persistently(build: Callable[[], None], what: str) -> None:
    """Build what is fetched from an archive, again where a command failed: archives have bad moments."""
    for number in range(1, _TRIES + 1):
        try:
            build()
            return
        except CommandError as error:
            if number == _TRIES:
                raise ImageError(f"{what} could not be built in {_TRIES} tries; the last one: {error}") from None
            _say(f"{what}, try {number} of {_TRIES}: {error}\nagain in {_PAUSE:g} s")
            time.sleep(_PAUSE)


def run_command(*command: str, cwd: Path | None = None, seconds: float = 300) -> str:
    """What a command prints; CommandError with its last words when it fails or is not done in time."""
    try:
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise ImageError(f"{command[0]} is not here: .ci/tools {command[0]}") from None
    try:
        printed, _ = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        raise CommandError(f"{' '.join(command[:3])} ... was not done in {seconds:g} s: is there a network?") from None
    if running.returncode:
        words = "\n".join(printed.strip().splitlines()[-8:])
        raise CommandError(f"{' '.join(command[:3])} ... failed:\n{words}")
    return printed


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
