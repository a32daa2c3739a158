"""Other processes that could be the one that really answers: the same program, or one of the ports of a profile."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from inspector.stream.processes import SameNameProcess
from inspector.stream.text import decode

from ..kernel import procfs
from ..kernel.cgroup import unit_of
from .net_tables import LISTEN, TcpSocket, local_sockets
from .open_files import socket_inodes
from .program import attempt
from .secrets import shown_arguments

_TOO_COMMON = (b"bash", b"sh", b"dash", b"zsh", b"fish", b"python", b"node", b"perl", b"ruby", b"java", b"sudo", b"env")
"""Interpreters and shells: the same name says nothing."""


@dataclass(frozen=True, slots=True)
class Family:
    """What makes another process a namesake of the tree."""

    names: frozenset[bytes]
    """File names of the tree's programs."""
    ports: frozenset[int]
    pids: frozenset[int]
    """The tree itself and the collector."""


def telling(name: bytes) -> bool:
    """Does an equal program name mean anything?"""
    return bool(name) and not name.startswith(_TOO_COMMON)


def namesakes(at: int, family: Family) -> list[SameNameProcess]:
    """All of them now, in order of pid; what may not be read is left empty."""
    found = {pid for pid in procfs.pids() if pid not in family.pids and program_name(pid) in family.names}
    found |= set(_holders(family.ports, family.pids)) if family.ports else set()
    return [_describe(at, pid) for pid in sorted(found)]


def program_name(pid: int) -> bytes:
    """File name of its program; where that may not be read, of its first argument."""
    exe = attempt(lambda: procfs.link(pid, "exe"), b"").removesuffix(b" (deleted)")
    if exe:
        return os.path.basename(exe)
    words = attempt(lambda: procfs.argv(pid), list[bytes]())
    return os.path.basename(words[0]) if words else b""


def _holders(ports: Collection[int], known: Collection[int]) -> Iterator[int]:
    """Processes outside of the tree that listen on one of these ports."""
    table = attempt(lambda: local_sockets(os.getpid()), list[TcpSocket]())
    wanted = {row.inode for row in table if row.state == LISTEN and row.local.port in ports}
    for pid in known:
        wanted -= attempt(lambda pid=pid: socket_inodes(pid), set[int]())  # type: ignore[misc]
    for pid in procfs.pids() if wanted else ():
        if wanted & attempt(lambda pid=pid: socket_inodes(pid), set[int]()):  # type: ignore[misc]
            yield pid


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
