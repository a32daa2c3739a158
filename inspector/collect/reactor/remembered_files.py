"""What earlier observations learnt of files: which ones a target met, so that they are counted before its next start
begins, and which libraries define no function of interest, so that nobody looks at them again.

Kept in a folder that only the user can write. A file counts as the same by device, inode and change time; what is not
exactly that is forgotten.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from ..access import mounts
from ..kernel.early_programs import FILE_KEY

_MOST = 64
_MOST_UNRELATED = 1 << 13
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
    if met:
        _write(_file_of("met", target), msgspec.msgpack.encode(met))


def recall(target: str) -> list[bytes]:
    """Paths of files that an earlier observation met and that are still exactly the same."""
    try:
        met = msgspec.msgpack.decode(_read(_file_of("met", target)), type=list[RememberedFile])
    except (OSError, msgspec.MsgspecError):
        return []
    return [each.path for each in met[:_MOST] if each == _look_at(each.path)]


def remember_unrelated(names: Sequence[str], keys: Collection[bytes]) -> None:
    """Keep the kernel's keys (FILE_KEY) of libraries that define none of these functions; silently as `remember`.

    Not those whose change time has no nanoseconds: an inode that is used again would look the same.
    """
    kept = [key for key in keys if FILE_KEY.unpack(key)[2]][-_MOST_UNRELATED:]
    if kept:
        _write(_file_of("unrelated", "\n".join(names)), b"".join(kept))


def recall_unrelated(names: Sequence[str]) -> list[bytes]:
    """What `remember_unrelated` kept for these very functions."""
    try:
        raw = _read(_file_of("unrelated", "\n".join(names)))
    except OSError:
        return []
    whole = len(raw) // FILE_KEY.size * FILE_KEY.size
    return [raw[place : place + FILE_KEY.size] for place in range(0, whole, FILE_KEY.size)]


def _write(path: Path, content: bytes) -> None:
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours_alone(os.stat(place)):
            return
        fresh = place / f".{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
        os.replace(fresh, path)
    except OSError:
        return


def _read(path: Path) -> bytes:
    """OSError, also where somebody else could have written it."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        if not _is_ours_alone(os.fstat(file.fileno())) or not _is_ours_alone(os.stat(folder())):
            raise PermissionError(path)
        return file.read(_LARGEST)


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


def _file_of(kind: str, what: str) -> Path:
    return folder() / f"{kind}-{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:24]}"
