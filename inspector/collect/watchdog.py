"""A thread that tells when the collector does not go on: a dead mount or a blocked pipe stops other threads of it."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from inspector.stream.waiting import KERNEL_SECONDS, waits_for

from .loop import ThreadActivity

_LOOK_SECONDS: Final = 0.5
_PATIENCE_NS: Final = 1_500_000_000
"""How long one piece of work may wait for something before it is told."""


class Watchdog:
    """Looks at pieces of work and tells what the oldest one waits for, once, and the end of the wait as no words."""

    def __init__(self, works: Sequence[ThreadActivity], tell: Callable[[str], None]) -> None:
        """`works` may grow; `tell` is called from the thread of the watchdog."""
        self._works = works
        self._tell = tell
        self._told = ""
        self._before: dict[int, tuple[int, str]] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Say nothing more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            doing = self._look(time.monotonic_ns())
            if doing != self._told:
                self._told = doing
                self._tell(doing)

    def _look(self, now: int) -> str:
        """What some work has waited for at this look and at the one before."""
        waiting: dict[int, tuple[int, str]] = {}
        for work in list(self._works):
            since = work.since
            age = now - since
            if not since or age < _PATIENCE_NS:
                continue
            if doing := waits_for(os.getpid(), work.tid, kernel=age > KERNEL_SECONDS * 1e9):
                waiting[work.tid] = since, doing
        stuck = [waits for tid, waits in waiting.items() if self._before.get(tid) == waits]
        self._before = waiting
        return min(stuck)[1] if stuck else ""
