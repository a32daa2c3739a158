"""Other processes that could be the one that really answers: the same program, or one of the ports of a profile."""

import os
from collections.abc import Collection

import msgspec

from inspector.stream.processes import SameNameProcess
from inspector.stream.text import decode

from ...kernel import procfs
from ...kernel.cgroup import unit_of
from ..output.open_files import socket_inodes
from ..processes.secrets import shown_arguments
from ..tolerant_reads import attempt
from .net_tables import LISTEN, TcpSocket, local_sockets

_TOO_COMMON = frozenset(b"bash sh dash zsh fish python node perl ruby java sudo env".split())
"""Interpreters and shells, without their versions: the same name says nothing."""
_BELIEVED = 6
"""Looks after which everything is read anew: a pid may have executed another program, or be another process."""


class Family(msgspec.Struct, frozen=True):
    """What makes another process a namesake of the tree."""

    names: frozenset[bytes]
    """File names of the tree's programs."""
    ports: frozenset[int]
    pids: frozenset[int]
    """The tree itself and the collector."""


def telling(name: bytes) -> bool:
    """Does an equal program name mean anything?"""
    return bool(name) and name.rstrip(b"0123456789.") not in _TOO_COMMON


class Namesakes:
    """Looks again and again; what was read of a process is believed for some looks."""

    def __init__(self) -> None:
        self._names: dict[int, bytes] = {}
        self._holders: tuple[frozenset[int], list[int]] = (frozenset(), [])
        """Inodes of foreign sockets on our ports, and who holds them."""
        self._looks = 0

    def look(self, at: int, family: Family) -> list[SameNameProcess]:
        """All of them now, in order of pid; what may not be read is left empty."""
        self._looks += 1
        pids = procfs.pids()
        if self._looks % _BELIEVED == 0:
            self._names, self._holders = {}, (frozenset(), [])
        self._names = {pid: self._names.get(pid) or program_name(pid) for pid in pids}
        found = {pid for pid, name in self._names.items() if name in family.names}
        found |= set(self._holders_of(family.ports, family.pids, pids)) if family.ports else set()
        return [_describe(at, pid) for pid in sorted(found - family.pids)]

    def _holders_of(self, ports: Collection[int], known: Collection[int], pids: list[int]) -> list[int]:
        """Processes outside of the tree that listen on one of these ports; the machine is searched for new sockets."""
        table = attempt(lambda: local_sockets(os.getpid()), list[TcpSocket]())
        wanted = {row.inode for row in table if row.state == LISTEN and row.local.port in ports}
        for pid in known if wanted else ():
            wanted -= attempt(lambda pid=pid: socket_inodes(pid), set[int]())  # type: ignore[misc]
        if wanted != self._holders[0]:
            holders = [pid for pid in pids if wanted & attempt(lambda pid=pid: socket_inodes(pid), set[int]())]  # type: ignore[misc]
            self._holders = (frozenset(wanted), holders)
        return self._holders[1]


def program_name(pid: int) -> bytes:
    """File name of its program; where that may not be read, of its first argument."""
    exe = attempt(lambda: procfs.link(pid, "exe"), b"").removesuffix(b" (deleted)")
    if exe:
        return os.path.basename(exe)
    words = attempt(lambda: procfs.argv(pid), list[bytes]())
    return os.path.basename(words[0]) if words else b""


def _describe(at: int, pid: int) -> SameNameProcess:
    inodes = attempt(lambda: socket_inodes(pid), set[int]())
    table = attempt(lambda: local_sockets(pid), list[TcpSocket]())
    return SameNameProcess(
        at=at,
        pid=pid,
        argv=shown_arguments(attempt(lambda: procfs.argv(pid), [])),
        exe=decode(attempt(lambda: procfs.link(pid, "exe"), b"")),
        unit=unit_of(attempt(lambda: procfs.cgroup(pid), "")),
        listening=sorted(str(row.local) for row in table if row.state == LISTEN and row.inode in inodes),
    )
