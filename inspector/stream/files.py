"""Files that we write: private where they hold what a target said, and never through a symbolic link."""

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
