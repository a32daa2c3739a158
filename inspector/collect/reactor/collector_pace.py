"""The collector while a program starts: it runs where no program wants the processor, unless it falls behind.

Most of what it does then can wait: files are read, symbols judged, loads predicted. Records cannot, for their rings are
full at some time, and a short-lived process is gone. So whoever is never kept waiting, this process, looks after it.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Final, Protocol

_STARVED_NS: Final = 100_000_000
"""So long it may want a processor in vain: it has to answer requests and signals, too."""
_GOES_ON: Final = 0.1
"""Share of the time: who has got that much is not kept waiting."""
_AHEAD_NS: Final = 50_000_000
"""So long it has its turn, once it fell behind. Where that gives it next to nothing, the machine is full for other
reasons than the program: then it is a nice process until it goes on or rests."""
_PROCESS_CLOCK: Final = 2
"""CPUCLOCK_SCHED of linux/posix-timers.h: CPU time of all threads of a process."""


class Waiting(Protocol):
    """Where records wait for the collector."""

    @property
    def waiting_since(self) -> int | None:
        """The same for as long as the oldest of them waits; None when there is none."""
        ...


class CollectorPace:
    """SCHED_IDLE for all threads of a process, and SCHED_OTHER, with the niceness that it has, when it falls behind."""

    LOOK_SECONDS = 0.025

    def __init__(self, pid: int, rings: Sequence[Waiting]) -> None:
        self._pid, self._rings = pid, rings
        self.gives_way = False
        """Whether `look` is to be called."""
        self._ahead_until = 0
        self._waited: list[int | None] = []
        self._looked, self._worked = 0, 0
        self._held_up_since = 0

    def give_way(self, wanted: bool) -> None:
        """To programs, from now on or no more."""
        if wanted != self.gives_way:
            self.gives_way = wanted
            self._ahead_until, self._held_up_since = 0, 0
            self._schedule(os.SCHED_IDLE if wanted else os.SCHED_OTHER)

    def look(self) -> None:
        """Let it have its turn where it falls behind, each `LOOK_SECONDS`."""
        now = time.monotonic_ns()
        waiting = [ring.waiting_since for ring in self._rings]
        behind = any(place is not None and place in self._waited for place in waiting)
        self._waited = waiting
        goes_on = self._goes_on(now)
        if self._ahead_until:
            if now > self._ahead_until and (goes_on or not (behind or self._wants_to_run())):
                self._ahead_until, self._held_up_since = 0, now
                self._schedule(os.SCHED_IDLE)
        elif not goes_on and (behind or self._is_starved(now)):
            self._ahead_until, self._held_up_since = now + _AHEAD_NS, 0
            self._schedule(os.SCHED_OTHER)

    def _goes_on(self, now: int) -> bool:
        """Whether it got some of the time since the last look."""
        since, worked = self._looked, self._worked
        try:
            self._worked = time.clock_gettime_ns(~self._pid << 3 | _PROCESS_CLOCK)
        except OSError:  # it is gone
            return True
        self._looked = now
        got = self._worked - worked > _GOES_ON * (now - since)
        if got or not self._held_up_since:
            self._held_up_since = now
        return got

    def _is_starved(self, now: int) -> bool:
        """It got next to nothing for long, and that not because it rests."""
        if now - self._held_up_since < _STARVED_NS:
            return False
        self._held_up_since = now
        return self._wants_to_run()

    def _wants_to_run(self) -> bool:
        for thread in self._threads():
            with contextlib.suppress(OSError), open(f"/proc/{self._pid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b") ")[2].startswith(b"R"):
                    return True
        return False

    def _schedule(self, policy: int) -> None:
        """Not a thread that is before programs just now, because it holds a lock that they want."""
        for thread in self._threads():
            with contextlib.suppress(OSError):
                if os.sched_getscheduler(thread) in (os.SCHED_IDLE, os.SCHED_OTHER):
                    os.sched_setscheduler(thread, policy, os.sched_param(0))

    def _threads(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(f"/proc/{self._pid}/task")]
        except OSError:
            return []
