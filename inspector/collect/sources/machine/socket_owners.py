"""Which process holds a socket: the machine is searched seldom, what was found is believed while it lives."""

from ...kernel import procfs
from ..output.open_files import socket_inodes
from ..tolerant_reads import attempt

_GAP = 5_000_000_000
"""ns between two searches of the whole machine."""


class SocketOwners:
    """Answers for inodes of sockets."""

    def __init__(self) -> None:
        self._pids: dict[int, int] = {}
        self._searched = -_GAP

    def learn(self, pid: int) -> set[int]:
        """Read the sockets of one process; their inodes."""
        inodes = attempt(lambda: socket_inodes(pid), set[int]())
        self._pids.update(dict.fromkeys(inodes, pid))
        return inodes

    def of(self, inode: int, now: int) -> int | None:
        """The pid of a process that holds it, None when none is found (yet) or none may be looked at."""
        pid = self._pids.get(inode)
        if pid is not None and procfs.exists(pid):
            return pid
        if inode and now - self._searched >= _GAP:
            self._searched = now
            self._pids = {}
            for other in procfs.pids():
                self.learn(other)
        return self._pids.get(inode)
