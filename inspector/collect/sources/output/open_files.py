"""What a process holds open: /proc/PID/fd and /proc/PID/fdinfo (proc_pid_fd(5), proc_pid_fdinfo(5))."""

import os
import re
import stat

import msgspec

from inspector.collect.access.mounts import Mounts, mounts_of

from ...kernel import procfs

MOST_READ = 4096
"""Descriptors of one process that are looked at; a server with more is read only so far."""
_FLAGS = re.compile(rb"^flags:\s+([0-7]+)", re.MULTILINE)
_NUMBERED = re.compile(rb"(pipe|socket):\[(\d+)\]")
_NULL_DEVICE = os.makedev(1, 3)
"""/dev/null, see Documentation/admin-guide/devices.txt of the kernel."""
_TERMINAL_MAJORS = (4, 5, *range(136, 144))
"""tty and console, /dev/tty, pseudo-terminals."""


class OpenFile(msgspec.Struct, frozen=True):
    """One descriptor of a process."""

    fd: int
    target: bytes
    """What /proc says it is: a path, `pipe:[77]`, `socket:[77]`, `anon_inode:[eventpoll]`."""
    mode: int = 0
    """st_mode, 0 when it cannot be looked at."""
    device: int = 0
    inode: int = 0
    number: int = 0
    """st_rdev of a device file."""
    flags: int = 0
    """As given to open(2)."""

    @property
    def writable(self) -> bool:
        """It was opened for writing."""
        return self.flags & os.O_ACCMODE != os.O_RDONLY

    @property
    def readable(self) -> bool:
        """It was opened for reading."""
        return self.flags & os.O_ACCMODE != os.O_WRONLY

    @property
    def regular(self) -> bool:
        """A regular file of some file system, deleted or not."""
        return stat.S_ISREG(self.mode)

    @property
    def pipe(self) -> bool:
        """One end of a pipe or FIFO."""
        return stat.S_ISFIFO(self.mode)

    @property
    def socket(self) -> bool:
        """A socket of any family."""
        return stat.S_ISSOCK(self.mode)

    @property
    def null(self) -> bool:
        """/dev/null, by whatever name."""
        return stat.S_ISCHR(self.mode) and self.number == _NULL_DEVICE

    @property
    def terminal(self) -> bool:
        """A terminal."""
        return stat.S_ISCHR(self.mode) and os.major(self.number) in _TERMINAL_MAJORS

    @property
    def device_file(self) -> bool:
        """A character or block device."""
        return stat.S_ISCHR(self.mode) or stat.S_ISBLK(self.mode)

    @property
    def path(self) -> bytes:
        """The path that was opened, without the kernel's mark of a deleted file."""
        return self.target.removesuffix(b" (deleted)")

    @property
    def key(self) -> str:
        """Identity as all events spell it."""
        return procfs.file_key(os.major(self.device), os.minor(self.device), self.inode) if self.regular else ""


def open_file(pid: int, fd: int, mounts: Mounts | None = None) -> OpenFile:
    """One descriptor; OSError when it is closed, the process is gone or not ours to read.

    Of sockets and of things without a file only the link is read: a server has thousands, and it tells the inode.
    A file on a mount that does not answer (among `mounts`, those of the process) is not touched.
    """
    place = procfs.path_of(pid, "fd", str(fd))
    target = os.readlink(os.fsencode(place))
    numbered = _NUMBERED.fullmatch(target)
    if numbered is not None:
        pipe = numbered[1] == b"pipe"
        mode = stat.S_IFIFO if pipe else stat.S_IFSOCK
        return OpenFile(fd, target, mode, inode=int(numbered[2]), flags=_flags(pid, fd) if pipe else os.O_RDWR)
    if not target.startswith(b"/"):
        return OpenFile(fd, target)
    if not (mounts or mounts_of(procfs.shown_as(pid))).answers(target):
        return OpenFile(fd, target, flags=_flags(pid, fd))
    try:
        status = os.stat(place)
    except OSError:
        return OpenFile(fd, target, flags=_flags(pid, fd))
    return OpenFile(fd, target, status.st_mode, status.st_dev, status.st_ino, status.st_rdev, _flags(pid, fd))


def open_files(pid: int) -> list[OpenFile]:
    """All descriptors in order; those closed while we read are left out. OSError as for the process itself."""
    try:
        numbers = sorted(int(name) for name in os.listdir(procfs.path_of(pid, "fd")))
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    found = []
    mounts = mounts_of(procfs.shown_as(pid))
    for fd in numbers[:MOST_READ]:
        try:
            found.append(open_file(pid, fd, mounts))
        except PermissionError:
            raise  # the kernel lets us list them, and refuses each
        except OSError:
            continue
    return found


def socket_inodes(pid: int) -> set[int]:
    """Inodes of all sockets of a process; only links are read."""
    place = procfs.path_of(pid, "fd")
    found = set()
    for name in os.listdir(place)[:MOST_READ]:
        try:
            numbered = _NUMBERED.fullmatch(os.readlink(os.fsencode(f"{place}/{name}")))
        except PermissionError:
            break
        except OSError:
            continue
        if numbered is not None and numbered[1] == b"socket":
            found.add(int(numbered[2]))
    return found


def count(pid: int) -> int:
    """How many descriptors are open; since Linux 6.2 the size of the directory tells it without listing it."""
    place = procfs.path_of(pid, "fd")
    return os.stat(place).st_size or len(os.listdir(place))


def _flags(pid: int, fd: int) -> int:
    return parse_flags(procfs.read(pid, f"fdinfo/{fd}"))


def parse_flags(raw: bytes) -> int:
    """The `flags:` line of fdinfo, octal; 0 without one."""
    found = _FLAGS.search(raw)
    return int(found[1], 8) if found else 0
