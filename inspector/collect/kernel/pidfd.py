"""The end of any process, not only of our children: a descriptor that becomes readable, and the exit status with it."""

import fcntl
import os
import struct

from . import procfs

_INFO_SIZE = 64
"""struct pidfd_info as of Linux 6.13 (linux/pidfd.h): mask, cgroup, eleven 32-bit ids, exit code."""
_GET_INFO = 0xC000FF0B | _INFO_SIZE << 16
"""PIDFD_GET_INFO."""
_EXIT = 1 << 3
"""PIDFD_INFO_EXIT: the status of a reaped process, since Linux 6.15; it needs no right over the process."""
_STAT_EXIT_CODE = 49
"""Field 52 of /proc/PID/stat, counted from the state: a zombie's wait status for those who may trace it."""


class ExitWatch:
    """One process, held by descriptor, so that its pid cannot be mistaken for a later one's."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when it is gone, OSError when the kernel has no pidfd_open (before Linux 5.3)."""
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def status(self) -> int | None:
        """The status as wait(2) encodes it once the process has ended; None when it lives or the kernel is silent."""
        answer = bytearray(struct.pack("<Q", _EXIT).ljust(_INFO_SIZE, b"\0"))
        try:
            fcntl.ioctl(self.fd, _GET_INFO, answer)
        except OSError:
            return zombie_status(self.pid)
        (mask,) = struct.unpack_from("<Q", answer)
        if mask & _EXIT:
            return int(struct.unpack_from("<i", answer, _INFO_SIZE - 4)[0])
        return zombie_status(self.pid)

    def close(self) -> None:
        """Give the descriptor back; closing twice is harmless."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def zombie_status(pid: int) -> int | None:
    """The wait status of a process that has ended and was not collected yet; None for any other."""
    try:
        raw = procfs.read(pid, "stat")
        fields = raw[raw.rindex(b")") + 2 :].split()
        return int(fields[_STAT_EXIT_CODE]) if fields[0] == b"Z" else None
    except (OSError, ValueError, IndexError):
        return None
