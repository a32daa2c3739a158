"""Which files an earlier observation of the same target met, so that they are counted before its next start begins.

Kept in a folder that only the user can write, one small file a target. A file counts as the same by device, inode and
change time; what is not exactly that is forgotten.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..access import mounts

_MOST = 64
_LARGEST = 1 << 18


class RememberedFile(msgspec.Struct, frozen=True, array_like=True):
    """One file that was counted."""

    path: bytes
    device: int
    inode: int
    changed: int
    """st_ctime_ns."""


def folder() -> Path:
    """XDG_CACHE_HOME/shim-inspector, or below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "shim-inspector"


def remember(target: str, paths: Iterable[bytes]) -> None:
    """Keep these files for the next time; silently nothing where the folder cannot be written or is not ours alone."""
    met = [found for path in dict.fromkeys(paths) if (found := _look_at(path)) is not None][-_MOST:]
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not met or not _is_ours_alone(os.stat(place)):
            return
        fresh = place / f".{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(msgspec.msgpack.encode(met))
        os.replace(fresh, _file_of(target))
    except OSError:
        return


def recall(target: str) -> list[bytes]:
    """Paths of files that an earlier observation met and that are still exactly the same."""
    try:
        fd = os.open(_file_of(target), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not _is_ours_alone(os.fstat(fd)) or not _is_ours_alone(os.stat(folder())):
                return []
            met = msgspec.msgpack.decode(file.read(_LARGEST), type=list[RememberedFile])
    except (OSError, msgspec.MsgspecError):
        return []
    return [each.path for each in met[:_MOST] if each == _look_at(each.path)]


def _look_at(path: bytes) -> RememberedFile | None:
    try:
        mounts.check(path)
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not path.startswith(b"/") or not stat.S_ISREG(status.st_mode):
        return None
    return RememberedFile(path, status.st_dev, status.st_ino, status.st_ctime_ns)


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _file_of(target: str) -> Path:
    return folder() / f"met-{hashlib.sha256(target.encode(errors='surrogateescape')).hexdigest()[:24]}"
