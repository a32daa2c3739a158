"""What can wait, waits while a program that has just begun has no processor beside its own: its start takes no longer.

Niceness does not give that: a thread that wakes runs for a tick at least, and the scheduler keeps sessions and control
groups apart before it looks at it (sched(7), autogroup).
"""

import os
import time
from typing import Final

from .sources.contract import Tracked, TreeObserver

_YOUNG_SECONDS: Final = 1.0
_LOADAVG: Final = "/proc/loadavg"


class MakingWay(TreeObserver):
    """Asked by the loop and its worker before what can wait."""

    LONGEST_SECONDS = 0.4
    """So long in all, and not again before twice that: where programs begin all the time, half of it is for us."""
    AGAIN_SECONDS = 0.05
    """After which to ask again: each time costs a program that shares the processor some 50 us and its caches."""

    def __init__(self) -> None:
        self._processors = len(os.sched_getaffinity(0))
        self._until, self._window = 0.0, float("-inf")
        self._made, self._asked = 0.0, 0.0
        """Seconds that way was made for in this window; when it was last, 0 once it is not."""

    def executed(self, process: Tracked) -> None:
        """A program has just begun, or was found."""
        now = time.monotonic()
        if now - process.started / 1e9 > _YOUNG_SECONDS:
            return
        self._until = now + _YOUNG_SECONDS
        if now > self._window + 2 * self.LONGEST_SECONDS:
            self._window, self._made = now, 0.0

    def wanted(self) -> bool:
        """Whether no processor is free beside us, so that a young program may wait for one."""
        now = time.monotonic()
        if now > self._until or self._made > self.LONGEST_SECONDS or _runnable() < self._processors:
            self._asked = 0.0
            return False
        if self._asked:
            self._made += now - self._asked
        self._asked = now
        return True


def _runnable() -> int:
    """Threads that run or wait for a processor, the asking one included (proc_loadavg(5)); 0 where it is hidden."""
    try:
        with open(_LOADAVG, "rb", 0) as file:
            return int(file.read(100).split()[3].partition(b"/")[0])
    except (OSError, ValueError, IndexError):
        return 0
