"""Files that we write: private where they hold what a target said, and never through a symbolic link."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class FileRefusedError(OSError):
    """A file that is not written, with the reason in words for the user."""


def create(path: str, *, mode: int = 0o600) -> BinaryIO:
    """Create or empty a file for writing; raises FileRefusedError for a symbolic link, another user's file, a folder.

    Root often runs in /tmp, where another user may have laid a link or a file of the same name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        raise FileRefusedError(_reason(path, error)) from None
    try:
        _check_and_empty(path, descriptor, mode)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "wb")


def check_place(path: str) -> None:
    """That there is a folder for a file which is to be created later; FileRefusedError says what stands against it."""
    where = Path(path)
    if where.is_symlink():
        raise FileRefusedError(_reason(path, OSError(errno.ELOOP, "")))
    if where.is_dir():
        raise FileRefusedError(_reason(path, OSError(errno.EISDIR, os.strerror(errno.EISDIR))))
    if not where.parent.is_dir():
        raise FileRefusedError(_reason(path, OSError(errno.ENOENT, os.strerror(errno.ENOENT))))
    if not os.access(where if where.exists() else where.parent, os.W_OK):
        raise FileRefusedError(_reason(path, OSError(errno.EACCES, os.strerror(errno.EACCES))))


_MOST_LINKS = 40
"""The kernel's own limit, MAXSYMLINKS of linux/namei.h."""


def stranger_on_the_way(path: str | Path) -> int | None:
    """The user, neither root nor we, who may lead us elsewhere than to this path; None when there is nobody.

    Whoever owns a folder or a link on the way, or may write to a folder that keeps nobody from renaming: root with the
    environment of somebody else must follow none of them.
    """
    own, links = {0, os.geteuid()}, 0
    waiting, here = list(Path(path).absolute().parts[:0:-1]), ""
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        try:
            status = os.lstat(f"{here}/{part}")
        except OSError:
            return None  # nothing is there yet, and only who may write above could make it
        if status.st_uid not in own:
            return status.st_uid
        if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            return _ANYBODY
        if not stat.S_ISLNK(status.st_mode):
            here = f"{here}/{part}"
            continue
        links += 1
        target = str(Path(f"{here}/{part}").readlink()) if links <= _MOST_LINKS else ""
        here = "" if target.startswith("/") else here
        waiting += target.split("/")[::-1]
    return None


_ANYBODY = 65534
"""Everybody may write there."""


def _reason(path: str, error: OSError) -> str:
    if Path(path).is_symlink():
        return f"{path} is a symbolic link and is not written through: name the real file, or - for stdout"
    return f"{path} cannot be written: {(error.strerror or str(error)).lower()}"


def _check_and_empty(path: str, descriptor: int, mode: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return
    if status.st_uid != os.geteuid():
        raise FileRefusedError(f"{path} belongs to another user (uid {status.st_uid}): choose another name")
    if status.st_nlink > 1:
        raise FileRefusedError(f"{path} has {status.st_nlink} names (hard links): choose another name")
    os.ftruncate(descriptor, 0)
    if mode == 0o600:
        os.fchmod(descriptor, mode)
