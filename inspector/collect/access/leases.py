"""Files that a program holds a lease on: opening one sends its holder a signal (SIGIO), which may end it."""

import re
import time
from threading import Lock
from typing import Final

_PATH: Final = "/proc/locks"
_SHARE: Final = 0.05
"""Of the time may go into reading the list, which programs that lock files wait for: 20 us, and some ms of a grace
period where nobody has read it of late."""
_WRITE: Final = re.compile(rb"^\d+: (?:LEASE|DELEG) +\S+ +WRITE +(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ", re.MULTILINE)
"""proc_pid_locks(5) of the kernel's documentation: who, on which device and inode. Only a lease for writing is broken
by a reader, a delegation of an NFS server included."""


class _Leases:
    """What the kernel's list of locks says, read anew as often as that is cheap; for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._good_until = float("-inf")
        self._holders: dict[int, int] = {}

    def holder(self, inode: int) -> int | None:
        with self._lock:
            began = time.monotonic()
            if began >= self._good_until:
                self._holders = _read()
                ended = time.monotonic()
                self._good_until = ended + (ended - began) / _SHARE
            return self._holders.get(inode)


def _read() -> dict[int, int]:
    try:
        with open(_PATH, "rb") as file:
            return {int(inode): int(pid) for pid, inode in _WRITE.findall(file.read())}
    except OSError:
        return {}


_LEASES: Final = _Leases()


def holder(inode: int) -> int | None:
    """PID of who holds a lease for writing on a file with this number (0 or less: not known); None for nobody.

    By number alone, since overlays and btrfs tell another device here than stat(2) does.
    """
    return _LEASES.holder(inode)
