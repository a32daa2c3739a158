"""What earlier observations learnt of files: which ones a target met, so that they are counted before its next start
begins, and which libraries define no function of interest, so that nobody looks at them again.

Kept in a folder that only the user can write. A file counts as the same by device, inode and change time; what is not
exactly that is forgotten.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence

import msgspec

import inspector

from ..access import mounts, user_cache
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


def remember(target: str, files: Iterable[tuple[bytes, int, int]]) -> None:
    """Keep these files (path, device, inode) for the next time, but for those that are other ones in our file tree.

    Silently nothing where the folder cannot be written or is not ours alone.
    """
    looked = {file: _look_at(file[0]) for file in dict.fromkeys(files)}
    met = [it for (_, *file), it in looked.items() if it is not None and [it.device, it.inode] == file][-_MOST:]
    if met:
        user_cache.write(_name_of("met", target), msgspec.msgpack.encode(met))


def recall(target: str) -> list[bytes]:
    """Paths of files that an earlier observation met and that are still exactly the same."""
    try:
        met = msgspec.msgpack.decode(user_cache.read(_name_of("met", target), _LARGEST), type=list[RememberedFile])
    except (OSError, ValueError, msgspec.MsgspecError):
        return []
    return [each.path for each in met[:_MOST] if each == _look_at(each.path)]


def remember_unrelated(names: Sequence[str], keys: Collection[bytes]) -> None:
    """Keep the kernel's keys (FILE_KEY) of libraries that define none of these functions; silently as `remember`."""
    kept = list(keys)[-_MOST_UNRELATED:]
    if kept:
        user_cache.write(_name_of("unrelated", "\n".join(names)), b"".join(kept))


def recall_unrelated(names: Sequence[str]) -> list[bytes]:
    """What `remember_unrelated` kept for these very functions."""
    try:
        raw = user_cache.read(_name_of("unrelated", "\n".join(names)), _LARGEST)
    except OSError:
        return []
    whole = len(raw) // FILE_KEY.size * FILE_KEY.size
    return [raw[place : place + FILE_KEY.size] for place in range(0, whole, FILE_KEY.size)]


def _look_at(path: bytes) -> RememberedFile | None:
    try:
        mounts.check(path)
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not path.startswith(b"/") or not stat.S_ISREG(status.st_mode):
        return None
    return RememberedFile(path, status.st_dev, status.st_ino, status.st_ctime_ns)


def _name_of(kind: str, what: str) -> str:
    """Of this version only: another one may look for other things in a file."""
    what = f"{inspector.__version__}\n{what}"
    return f"{kind}-{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:24]}"
