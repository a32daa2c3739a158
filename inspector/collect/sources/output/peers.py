"""Who holds the other end of a pipe or a Unix socket: looked for in the tree and among its ancestors."""

import os

import msgspec

from inspector.stream.text import decode

from ...kernel import procfs
from ..contract import Tree
from . import unix_sockets
from .open_files import OpenFile, open_files

JOURNAL_SOCKET = b"/run/systemd/journal/"
"""Where journald takes output and messages (systemd-journald.service(8))."""
_FRESH = 500_000_000
"""ns for which a table of descriptors is believed."""
_FRESH_FOR_UNKNOWN = 20_000_000
"""ns for which nobody holding an end is believed."""
_MOST_NAMED = 3


class _Holder(msgspec.Struct, frozen=True):
    pid: int
    file: OpenFile


class Peers:
    """Looks up other ends; the descriptors of all candidates are read once for many questions."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._holders: dict[tuple[bool, int], list[_Holder]] = {}
        self._read_at = 0

    def of(self, pid: int, file: OpenFile, now: int) -> str:
        """The holders of the other end in words (`pid 812 ollama`, `journald`), empty when nobody is found."""
        if file.pipe:
            wanted = [holder for holder in self._find(False, file.inode, now) if _opposite(holder.file, file)]
        elif file.socket:
            end = unix_sockets.other_end(file.inode)
            if end is None:
                return ""
            if end.name.startswith(JOURNAL_SOCKET):
                return "journald"
            wanted = self._find(True, end.inode, now)
            if not wanted:
                return unix_sockets.spelled(end.name)
        else:
            return ""
        others = list(dict.fromkeys(holder.pid for holder in wanted if holder.pid != pid))
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        return ", ".join(map(_named, others[:_MOST_NAMED])) + more

    def _find(self, is_socket: bool, inode: int, now: int) -> list[_Holder]:
        key = (is_socket, inode)
        age = now - self._read_at
        if age > _FRESH or (key not in self._holders and age > _FRESH_FOR_UNKNOWN):
            self._read(now)
        return self._holders.get(key, [])

    def _read(self, now: int) -> None:
        self._holders, self._read_at = {}, now
        for pid in candidates(self._tree):
            try:
                files = open_files(pid)
            except OSError:
                continue
            for file in files:
                if file.pipe or file.socket:
                    self._holders.setdefault((file.socket, file.inode), []).append(_Holder(pid, file))


def journal_at_other_end(file: OpenFile) -> bool:
    """Is it a socket of journald?"""
    end = unix_sockets.other_end(file.inode) if file.socket else None
    return end is not None and end.name.startswith(JOURNAL_SOCKET)


def candidates(tree: Tree) -> list[int]:
    """The living processes of the tree and their ancestors, the collector itself left out."""
    pids = {process.pid: process.ppid for process in tree.processes()}
    for parent in list(pids.values()):
        while parent > 0 and parent not in pids:
            try:
                pids[parent] = procfs.stat(parent).ppid
            except OSError:
                break
            parent = pids[parent]
    pids.pop(os.getpid(), None)
    return list(pids)


def _opposite(one: OpenFile, other: OpenFile) -> bool:
    return (one.writable and other.readable) or (one.readable and other.writable)


def _named(pid: int) -> str:
    try:
        return f"PID {pid} {decode(procfs.stat(pid).comm)}"
    except OSError:
        return f"PID {pid}"
