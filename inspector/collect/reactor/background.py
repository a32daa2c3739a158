"""Work that takes longer: in steps, and at rest between them."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator

_REST = 3
"""A thread rests so many times as long as it computed."""
_LONGEST_REST_SECONDS = 0.1
_URGENT = -20
"""Niceness of what somebody waits for."""

Steps = Iterator[object]


class Background:
    """Three threads, of ordinary priority, so that they take a processor that is free: what is urgent, what belongs to
    a program that has begun, what can wait."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        """`failed`: told of a fault of ours, which costs one piece of work only."""
        self._failed = failed
        self._urgent = queue.SimpleQueue[Steps]()
        self._begun = queue.SimpleQueue[Steps]()
        self._whenever = queue.SimpleQueue[Steps]()

    def start(self) -> None:
        """Begin to work."""
        for name, niceness, work in (
            ("urgent", _URGENT, self._urgent), ("begun", 0, self._begun), ("whenever", 0, self._whenever),
        ):  # fmt: skip
            threading.Thread(target=self._work, args=(work, niceness), daemon=True, name=name).start()

    def soon(self, steps: Steps) -> None:
        """Take these steps after those that were given before."""
        self._urgent.put(steps)

    def for_program(self, steps: Steps) -> None:
        """Take these, which concern a program that has just begun."""
        self._begun.put(steps)

    def whenever(self, steps: Steps) -> None:
        """Take these, for which nobody waits."""
        self._whenever.put(steps)

    def _work(self, waiting: "queue.SimpleQueue[Steps]", niceness: int) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
        while True:
            try:
                _take_turns(waiting.get())
            except Exception as error:
                self._failed(error)


def _take_turns(steps: Steps) -> None:
    """Take the steps, and leave the processor to others between them; who waits for the kernel has left it already."""
    begun = time.thread_time()
    for _ in steps:
        time.sleep(min(_REST * (time.thread_time() - begun), _LONGEST_REST_SECONDS))
        begun = time.thread_time()
