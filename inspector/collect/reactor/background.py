"""Work that takes longer: in steps, and at rest between them."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

from ..kernel.real_time import real_time
from .priority import PRIORITY

_REST = 3
"""A thread rests so many times as long as it computed."""
_LONGEST_REST_SECONDS = 0.1

Steps = Iterator[object]


class Background:
    """Two threads: what is urgent waits for nothing that is not."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        """`failed`: told of a fault of ours, which costs one piece of work only."""
        self._failed = failed
        self._urgent = queue.SimpleQueue[Steps]()
        self._whenever = queue.SimpleQueue[Steps]()

    def start(self) -> None:
        """Begin to work."""
        for name, work in (("urgent", self._urgent), ("whenever", self._whenever)):
            threading.Thread(target=self._run, args=(work,), daemon=True, name=name).start()

    def soon(self, steps: Steps) -> None:
        """Take these steps after those that were given before."""
        self._urgent.put(steps)

    def whenever(self, steps: Steps) -> None:
        """The same for what nothing urgent waits for."""
        self._whenever.put(steps)

    def _run(self, waiting: "queue.SimpleQueue[Steps]") -> None:
        real_time(PRIORITY)
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
