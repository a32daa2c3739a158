"""Opening a file of a target for reading: one step, as the target may, and only what is a file.

The path is looked up by the kernel in one call, below the process's root and without magic links (openat2(2)), and
gives a descriptor that can do nothing (O_PATH). What it is, is asked of that descriptor; then exactly it is opened for
reading, with the ids of the process. So nothing can be put in place between a check and its use.
"""

import ctypes
import errno
import os
import re
import stat
import struct

from . import leases, mounts
from .reader import Reader, reading_as

_LIBC = ctypes.CDLL(None, use_errno=True)
_OPENAT2 = 437
"""The same number on every architecture."""
_AT_FDCWD = -100
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
"""linux/openat2.h."""
_TRIES = 32
"""Of one path, each some microseconds: who renames without end is not waited for."""
_FOREIGN = re.compile(rb"(/proc/\d+/root)(/.*)", re.DOTALL)
_NO_FILES = {
    0x9FA0: "proc", 0x62656572: "sysfs", 0x64626720: "debugfs", 0x74726163: "tracefs", 0x27E0EB: "cgroup",
    0x63677270: "cgroup2", 0x73636673: "securityfs", 0xF97CFF8C: "selinuxfs", 0xCAFE4A11: "bpf", 0x6165676C: "pstore",
    0xDE5E81E4: "efivarfs", 0x62656570: "configfs", 0x1CD1: "devpts", 0x19800202: "mqueue", 0x42494E4D: "binfmt_misc",
    0x67596969: "rpc_pipefs", 0x5A3C69F0: "apparmorfs", 0x43415D53: "smackfs", 0x6E736673: "nsfs",
}  # fmt: skip
"""linux/magic.h: what the kernel shows as files there is made for whoever asks, and we may ask for more."""


class NotRegularError(OSError):
    """What has that name is no regular file; opening it could wake up or block its other end."""


class LeasedError(OSError):
    """A program holds a lease on the file: opening it would send that program a signal."""


class OpenPath(bytes):
    """A path by which the collector opens a file of a process, and as whom."""

    reader: Reader | None
    """None: as ourselves."""
    held: bool
    """A link of /proc that the kernel itself keeps to exactly that file (`/proc/PID/fd/3`)."""
    seen_as: bytes
    """The file's path in the file tree of the process; the same as ours where nothing else is said."""

    def __new__(
        cls, path: bytes, reader: Reader | None = None, *, held: bool = False, seen_as: bytes = b""
    ) -> "OpenPath":
        made = super().__new__(cls, path)
        made.reader, made.held, made.seen_as = reader, held, seen_as or path
        return made

    def beside(self, path: bytes) -> "OpenPath":
        """Another path, opened as the same reader."""
        return OpenPath(path, self.reader)


def open_regular(path: bytes) -> int:
    """A descriptor for reading exactly this regular file; OSError says why not.

    O_PATH first, because open(2) of a FIFO or a device acts on it; O_NOATIME where we may.
    """
    return _open(path, may_be_leased=False)


def open_log(path: bytes) -> int:
    """The same for a file that a program writes; LeasedError while it holds a lease on it.

    Not asked of libraries: who maps one has broken the lease, and to read the kernel's list of locks takes the lock for
    which every flock(2) of the machine waits, for a grace period of RCU (fs/locks.c, locks_start).
    """
    return _open(path, may_be_leased=True)


def _open(path: bytes, *, may_be_leased: bool) -> int:
    reader = path.reader if isinstance(path, OpenPath) else None
    place = _find(path, reader)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            if stat.S_ISDIR(os.fstat(place).st_mode):
                raise NotRegularError(errno.EISDIR, "a directory, not a file", os.fsdecode(path))
            raise NotRegularError(errno.EINVAL, "not a regular file", os.fsdecode(path))
        if made_by := _NO_FILES.get(_file_system(place)):
            raise NotRegularError(
                errno.EINVAL, f"a file of {made_by}, whose content the kernel generates", os.fsdecode(path)
            )
        if may_be_leased and (holder := leases.holder(os.fstat(place).st_ino)) is not None:
            why = f"process {holder} holds a lease on it, and opening it would send that a signal"
            raise LeasedError(errno.EAGAIN, why, os.fsdecode(path))
        return _open_for(place, reader)
    finally:
        os.close(place)


def read_regular(path: bytes, limit: int) -> bytes:
    """The first bytes of a regular file, `limit` at most; OSError says why not."""
    fd = open_regular(path)
    try:
        return os.pread(fd, limit, 0)
    finally:
        os.close(fd)


def _find(path: bytes, reader: Reader | None) -> int:
    """An O_PATH descriptor of what the path leads to."""
    flags = os.O_PATH | os.O_CLOEXEC
    mounts.check(path)
    if reader is None or (isinstance(path, OpenPath) and path.held):
        return os.open(path, flags)
    foreign = _FOREIGN.fullmatch(path)
    if foreign is None:
        with reading_as(reader):
            return _openat2(_AT_FDCWD, path, flags, _RESOLVE_NO_MAGICLINKS)
    root = os.open(foreign[1], flags | os.O_DIRECTORY)
    try:
        with reading_as(reader):
            return _openat2(root, foreign[2], flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    finally:
        os.close(root)


def _open_for(place: int, reader: Reader | None) -> int:
    """Exactly the found file, opened for reading; where its reader's ids cannot be taken on, only what all may read."""
    if reader is None:
        return _reopen(place)
    with reading_as(reader) as taken:
        if not taken and not os.fstat(place).st_mode & stat.S_IROTH:
            raise PermissionError(errno.EACCES, f"only uid {reader.uid} may read it, and we cannot act as that user")
        return _reopen(place)


def _reopen(place: int) -> int:
    through = f"/proc/self/fd/{place}"
    try:
        return os.open(through, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOATIME)
    except PermissionError:
        return os.open(through, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)


def _openat2(folder: int, path: bytes, flags: int, resolve: int) -> int:
    """openat2(2), since Linux 5.6; an older kernel refuses with ENOSYS.

    EAGAIN: something was renamed or mounted anywhere while a `..` was followed below a root; it is to be tried again.
    """
    how = struct.pack("<QQQ", flags, 0, resolve)
    if b"\0" in path:
        raise ValueError("embedded null byte")
    number = errno.EAGAIN
    for _ in range(_TRIES):
        fd: int = _LIBC.syscall(_OPENAT2, folder, path, how, len(how))
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number != errno.EAGAIN:
            break
    raise OSError(number, os.strerror(number), path)


def _file_system(fd: int) -> int:
    """f_type of statfs(2)."""
    record = ctypes.create_string_buffer(256)
    if _LIBC.fstatfs(fd, record) != 0:
        return 0
    return int(struct.unpack_from("<l", record.raw)[0]) & 0xFFFFFFFF
