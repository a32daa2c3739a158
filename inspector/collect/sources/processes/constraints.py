"""What the kernel holds each process to, read at its start and again when a refusal may come from it."""

import errno
import os
from functools import lru_cache
from pathlib import Path

from inspector.stream.processes import ConstraintsRead, ResourceLimit
from inspector.stream.text import decode

from ...kernel import limits, procfs
from ...kernel.records import Opened, RefusedCall
from ..contract import Session, Tracked, TreeObserver
from ..tolerant_reads import attempt
from .feed import Feed

_TELLING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EPERM, errno.EACCES)
"""Errors behind which a limit, an id, a filter or a mount option may stand."""
_MOST_STARTS_A_SECOND = 20
"""Of a tree that starts more, the others are read when they are refused something."""
_MOST_NOEXEC = 32
_SECOND = 1_000_000_000


class ConstraintsSource(TreeObserver):
    """Reads /proc/PID/limits, status and mountinfo."""

    def __init__(self, session: Session, feed: Feed) -> None:
        self._session = session
        self._told: dict[int, set[int]] = {}
        """By process: errors for which it was read."""
        self._second, self._started = 0, 0
        self._begun = False
        session.tree.watch(self)
        feed.listen(RefusedCall, self._refused)
        feed.listen(Opened, self._opened)

    def start(self) -> None:
        """Those that were there before us."""
        self._begun = True
        for process in self._session.tree.processes():
            self._read(process.pid, "attach")

    def executed(self, process: Tracked) -> None:
        """A new program, perhaps with limits that its parent set for it."""
        if not self._begun:
            return
        second = self._session.loop.now() // _SECOND
        if second != self._second:
            self._second, self._started = second, 0
        self._started += 1
        if self._started <= _MOST_STARTS_A_SECOND and process.readable:
            self._read(process.pid, "exec")

    def ended(self, process: Tracked) -> None:
        """What was read stays true of it."""
        self._told.pop(process.pid, None)

    def _refused(self, record: RefusedCall) -> None:
        self._look(record.pid, record.errno, record.call)

    def _opened(self, record: Opened) -> None:
        self._look(record.pid, record.errno, "open")

    def _look(self, pid: int, number: int, call: str) -> None:
        told = self._told.setdefault(pid, set()) if number in _TELLING else None
        if told is not None and number not in told:
            told.add(number)
            self._read(pid, f"{call}: {errno.errorcode[number]}")

    def _read(self, pid: int, why: str) -> None:
        event = constraints(pid, why, self._session.loop.now())
        if event is not None:
            self._session.sink.send(event)


def constraints(pid: int, why: str, at: int) -> ConstraintsRead | None:
    """All of it; None when the process is gone or may not be looked at."""
    status = attempt(lambda: procfs.status(pid), dict[bytes, bytes]())
    rows = attempt(lambda: limits.limits(pid), list[limits.Limit]())
    if not status or not rows:
        return None
    found = limits.rights(status)
    noexec = attempt(lambda: limits.unexecutable_mounts(pid), list[bytes]())
    return ConstraintsRead(
        at=at,
        pid=pid,
        why=why,
        uid=found.uid,
        gid=found.gid,
        groups=list(found.groups),
        group_names=[_group_names().get(number, str(number)) for number in (found.gid, *found.groups)],
        limits=[ResourceLimit(name=row.name, soft=row.soft, hard=row.hard) for row in rows],
        descriptors=attempt(lambda: len(os.listdir(f"/proc/{pid}/fd")), -1),
        seccomp=found.seccomp,
        no_new_privileges=found.no_new_privileges,
        capabilities=found.capabilities,
        noexec=[decode(path) for path in noexec[:_MOST_NOEXEC]],
    )


@lru_cache(1)
def _group_names() -> dict[int, str]:
    """From /etc/group alone: the name service may ask a server that does not answer."""
    names: dict[int, str] = {}
    for line in attempt(lambda: Path("/etc/group").read_bytes(), b"").splitlines():
        name, _, number, *_ = (*line.split(b":"), b"", b"", b"")
        if number.isdigit():
            names.setdefault(int(number), decode(name))
    return names
