"""Births, execs and ends by looking at /proc every 50 ms: what is left where the kernel tells us nothing."""

from collections.abc import Callable

import msgspec

from ...kernel import procfs
from ...kernel.pidfd import zombie_status
from ...kernel.records import Executed, Exited, Forked, Record

_STRANGERS_KEPT = 20
"""Looks after which a pid that was none of ours is looked at again: it may belong to a new process."""


class _Life(msgspec.Struct):
    started: int
    """Start in clock ticks: with the pid it names one process."""
    program: tuple[int | bytes, bytes]
    """Differs after an exec: the place of the stack, or the name where that is refused, and the executable."""


class PollingRecords:
    """A record source for everybody; processes that live less than a look are missed, exit statuses mostly too."""

    fd = -1

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._known: dict[int, _Life] = {}
        self._strangers: set[int] = set()
        self._looks = 0

    def follow(self, pid: int) -> bool:
        """Watch this process and its descendants; False when there is none."""
        try:
            stat = procfs.stat(pid)
        except OSError:
            return False
        self._known[pid] = _Life(stat.start_ticks, _program(stat))
        self._strangers.discard(pid)
        return True

    def drain(self) -> list[Record]:
        """What changed since the last look; looks at nothing while nobody is watched."""
        if not self._known:
            return []
        self._looks += 1
        if self._looks % _STRANGERS_KEPT == 0:
            self._strangers.clear()
        records = [record for pid in list(self._known) for record in self._changes(pid)]
        return records + self._births()

    def _changes(self, pid: int) -> list[Record]:
        life = self._known[pid]
        try:
            stat = procfs.stat(pid)
        except OSError:
            stat = None
        if stat is None or not stat.alive or stat.start_ticks != life.started:
            del self._known[pid]
            return [Exited(at=self._now(), pid=pid, status=zombie_status(pid))]
        program = _program(stat)
        if program == life.program:
            return []
        life.program = program
        return [self._executed(pid, program)]

    def _births(self) -> list[Record]:
        """New processes whose parent is known; a second pass finds the children of those that the first one found."""
        records: list[Record] = []
        fresh = sorted(pid for pid in procfs.pids() if pid not in self._known and pid not in self._strangers)
        while born := [record for pid in fresh for record in self._birth(pid)]:
            records += born
            fresh = [pid for pid in fresh if pid not in self._known]
        self._strangers.update(fresh)
        return records

    def _birth(self, pid: int) -> list[Record]:
        try:
            stat = procfs.stat(pid)
        except OSError:
            return []
        parent = self._known.get(stat.ppid)
        if parent is None or not stat.alive or pid in self._known:
            return []
        program = _program(stat)
        self._known[pid] = _Life(stat.start_ticks, program)
        born: list[Record] = [Forked(at=stat.started, ppid=stat.ppid, pid=pid)]
        return born if program == parent.program else [*born, self._executed(pid, program)]

    def _executed(self, pid: int, program: tuple[int | bytes, bytes]) -> Executed:
        return Executed(at=self._now(), pid=pid, filename=program[1], argv=b"", environment=b"")


def _program(stat: procfs.Stat) -> tuple[int | bytes, bytes]:
    mark = stat.stack or stat.comm
    try:
        return mark, procfs.link(stat.pid, "exe")
    except OSError:
        return mark, b""
