"""Calls counted by perf events where kernel programs are not allowed: a few functions, entries only.

Hardware breakpoints need no rights on one's own processes; a thread has four. The uprobe PMU needs CAP_SYS_ADMIN and
some 0.1 s a descriptor to be closed. It is never inherited: that would make fork(2) fail in the target.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from . import perf, procfs
from .perf import Event, open_event

MOST_BREAKPOINTS = 4
MOST_UPROBES = 20
_EXECUTE, _LENGTH = 4, 8
"""HW_BREAKPOINT_X and sizeof(long), the only length for it (linux/hw_breakpoint.h)."""
_UPROBE_TYPE = Path("/sys/bus/event_source/devices/uprobe/type")
_QUIET = perf.EXCLUDE_KERNEL | perf.EXCLUDE_HYPERVISOR


class Point(msgspec.Struct, frozen=True):
    """One function in one process."""

    number: int
    address: int
    """Where it begins in the process."""
    open_path: bytes
    offset: int
    """Where it begins in the file."""


class EventCounters:
    """Counts entries of functions per process; the threads that a process has when it is added, and their children."""

    def __init__(self, uprobes: bool) -> None:
        """`uprobes`: by the uprobe PMU instead of breakpoints."""
        self.most = MOST_UPROBES if uprobes else MOST_BREAKPOINTS
        self._type = int(_UPROBE_TYPE.read_text()) if uprobes else perf.BREAKPOINT
        self._uprobes = uprobes
        self._events: dict[tuple[int, int], list[int]] = {}

    def add(self, pid: int, points: Iterable[Point]) -> list[int]:
        """Begin to count; the numbers of the functions that are counted in at least one thread."""
        threads = _threads(pid)
        counted = []
        for point in points:
            event, keep = self._event(point)
            opened = [fd for thread in threads if (fd := _try_open(event, thread)) is not None]
            del keep
            if opened:
                self._events.setdefault((pid, point.number), []).extend(opened)
                counted.append(point.number)
        return counted

    def counts(self) -> dict[tuple[int, int], int]:
        """Entries so far by pid and function."""
        return {key: sum(map(_read, fds)) for key, fds in self._events.items()}

    def remove(self, pid: int) -> None:
        """A process has ended."""
        for key in [key for key in self._events if key[0] == pid]:
            for fd in self._events.pop(key):
                os.close(fd)

    def close(self) -> None:
        """Take all events away."""
        for pid in {pid for pid, _ in self._events}:
            self.remove(pid)

    def _event(self, point: Point) -> tuple[Event, object]:
        """The event, and what must stay in memory while it is opened."""
        if self._uprobes:
            path = ctypes.create_string_buffer(point.open_path)
            place = ctypes.addressof(path)
            return Event(kind=self._type, config=0, config1=place, config2=point.offset), path
        flags = _QUIET | perf.INHERIT
        event = Event(
            kind=self._type, config=0, flags=flags, breakpoint=_EXECUTE, config1=point.address, config2=_LENGTH
        )
        return event, None


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(procfs.path_of(pid, "task"))]
    except OSError:
        return []


def _try_open(event: Event, thread: int) -> int | None:
    try:
        return open_event(event, thread, -1)
    except OSError:
        return None


def _read(fd: int) -> int:
    return int.from_bytes(os.read(fd, 8), "little")
