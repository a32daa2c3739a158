"""The folder of one run: where a program that we start writes to; and what runs that were killed have left."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .errors import UserError

_PREFIX: Final = "inspector-run-"
_UNBORN: Final = ".inspector-new-"


def place_for_files() -> Path:
    """Where folders of a run may lie ($TMPDIR, /tmp, ...); UserError where all are full, or cannot be written to."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        why = "no folder for temporary files can be written to: all are full, or mounted read-only"
        raise UserError(f"{why}; TMPDIR names another one", "df -h /tmp /var/tmp") from None


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder that goes at the end, and at the next run when this one is killed; UserError when there is no room.

    Its owner holds a lock on it (flock(2)), which the kernel releases however the owner ends.
    """
    _sweep(place_for_files())
    unborn = Path(tempfile.mkdtemp(prefix=_UNBORN))
    folder = unborn.with_name(_PREFIX + unborn.name.removeprefix(_UNBORN))
    lock = os.open(unborn, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unborn.rename(folder)
        yield folder
    finally:
        for each in (unborn, folder):
            shutil.rmtree(each, ignore_errors=True)
        os.close(lock)


def _sweep(place: Path) -> None:
    """Remove our user's folders that no living run holds."""
    with suppress(OSError):
        for entry in list(os.scandir(place)):
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _sweep_one(entry)


def _sweep_one(entry: "os.DirEntry[str]") -> None:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return
    lock = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(lock)
