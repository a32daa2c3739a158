"""What names a log file, why it cannot be read, whether it is text, and when it was born."""

import codecs
import ctypes
import os
import pwd
import stat
import struct

from inspector.collect.access.opening import OpenPath
from inspector.stream.logs import ENDED_BEFORE

Identity = tuple[int, int]
"""Device and inode: what stays the same when a log is renamed."""

SAMPLE = 4096
"""Bytes at the head of a file that decide whether it is text."""

_ASCII = bytes(range(0x80))
_TEXT = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\0\a\b\t\n\f\r\x1b"})
_STATX_BTIME = 0x800
_AT_EMPTY_PATH = 0x1000
_BTIME_OFFSET = 80
"""statx(2): struct statx is 256 bytes, stx_mask at 0, stx_btime (seconds, nanoseconds) at 80."""


def identity(status: os.stat_result) -> Identity:
    """What names the file itself, whatever its path is now."""
    return status.st_dev, status.st_ino


def refusal(path: bytes, error: OSError) -> str:
    """Why a file cannot be read, in words with owner and mode where they are the reason."""
    if isinstance(error, ProcessLookupError):
        return ENDED_BEFORE
    if not isinstance(error, PermissionError):
        return (error.strerror or str(error)).lower()
    reader = path.reader if isinstance(path, OpenPath) else None
    uid = reader.uid if reader is not None else os.geteuid()
    try:
        status = os.stat(path)
    except OSError:
        return f"permission denied for uid {uid}: a directory above it is closed"
    mode = stat.filemode(status.st_mode)
    return f"permission denied for uid {uid}: {mode}, owner {_owner(status.st_uid)}"


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def looks_binary(sample: bytes) -> bool:
    """True when more than a tenth of it are bytes that no text log has; NUL bytes count as damage, not as binary.

    Mostly NUL bytes, NUL bytes without any end of line, and many high bytes that are no UTF-8 are binary nevertheless.
    """
    if not sample:
        return False
    odd = len(sample.translate(None, _TEXT))
    nuls = sample.count(0)
    if odd * 10 > len(sample) or nuls * 2 > len(sample) or (nuls and b"\n" not in sample):
        return True
    high = len(sample.translate(None, _ASCII))
    return high * 4 > len(sample) and not _begins_as_utf8(sample)


def _begins_as_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def born(fd: int) -> int | None:
    """Wall time of the file's birth in ns, None where the file system does not keep it (statx(2))."""
    try:
        statx = ctypes.CDLL(None, use_errno=True).statx
    except AttributeError:
        return None
    record = ctypes.create_string_buffer(256)
    if statx(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME, record) != 0:
        return None
    (mask,) = struct.unpack_from("<I", record.raw)
    seconds, nanoseconds = struct.unpack_from("<qI", record.raw, _BTIME_OFFSET)
    return int(seconds) * 1_000_000_000 + int(nanoseconds) if mask & _STATX_BTIME else None
