"""What can wait, waits while a program that has just begun has no processor beside its own: its start takes no longer.

Niceness does not give that: a thread that wakes runs for a tick at least, and the scheduler keeps sessions and control
groups apart before it looks at it (sched(7), autogroup). Where the machine is calm, what cannot wait stands aside.
"""

import os
import threading
import time
from typing import Final, NamedTuple

from .priority import may_stand_aside, stand_aside
from .sources.contract import Tracked, TreeObserver

_YOUNG_SECONDS: Final = 1.0
_ASIDE_SECONDS: Final = 3.0
_LOADAVG: Final = "/proc/loadavg"


class MakingWay(TreeObserver):
    """Asked by each thread of the collector before what can wait."""

    LONGEST_SECONDS = 0.4
    """So long in all, and not again before twice that: where programs begin all the time, half of it is for us."""
    AGAIN_SECONDS = 0.005
    """After which to ask again."""

    def __init__(self) -> None:
        self._processors = len(os.sched_getaffinity(0))
        self._until, self._window = 0.0, float("-inf")
        self._made, self._asked = 0.0, 0.0
        """Seconds that way was made for in this window; when it was last, 0 once it is not."""
        self._may, self._aside_until = may_stand_aside(), 0.0
        self._of_thread = _Standing()

    def executed(self, process: Tracked) -> None:
        """A program has just begun, or was found."""
        now = time.monotonic()
        if now - process.started / 1e9 > _YOUNG_SECONDS:
            return
        self._until = now + _YOUNG_SECONDS
        if self._may and _load().average <= self._processors:
            self._aside_until = now + _ASIDE_SECONDS
            self.stand()
        if now > self._window + 2 * self.LONGEST_SECONDS:
            self._window, self._made = now, 0.0

    def stand(self) -> None:
        """Have the calling thread stand aside while a program begins on a calm machine, then be what it was.

        Where others keep processors busy it would come too late to programs that are soon over.
        """
        aside, standing = time.monotonic() < self._aside_until, self._of_thread
        if aside and standing.before is None:
            standing.before = stand_aside()
        elif not aside and standing.before is not None:
            os.sched_setscheduler(0, standing.before, os.sched_param(0))
            standing.before = None

    def wanted(self) -> bool:
        """Whether no processor is free beside us, so that a young program may wait for one."""
        now = time.monotonic()
        if now > self._until or self._made > self.LONGEST_SECONDS or _load().runnable < self._processors:
            self._asked = 0.0
            return False
        if self._asked:
            self._made += now - self._asked
        self._asked = now
        return True


class _Standing(threading.local):
    before: int | None = None
    """What the thread was (sched(7)) before it stood aside; None while it does not."""


class _Load(NamedTuple):
    average: float
    """Over the last minute."""
    runnable: int
    """Threads that run or wait for a processor, the asking one included."""


def _load() -> _Load:
    """As proc_loadavg(5) tells it; nothing where it is hidden."""
    try:
        with open(_LOADAVG, "rb", 0) as file:
            words = file.read(100).split()
            return _Load(float(words[0]), int(words[3].partition(b"/")[0]))
    except (OSError, ValueError, IndexError):
        return _Load(0.0, 0)
