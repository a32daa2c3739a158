"""Probes are set aside of the loop: each waits some 20 ms for the kernel, and several wait together."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from ..contract import Loop

_THREADS = 8


class Attaching:
    """Work that waits for the kernel; its outcome is handed back in the loop, in the order in which it is done."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="attach")
        self._running: set[Future[None]] = set()
        self._done: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def begin(self, work: Callable[[], Callable[[], None]]) -> None:
        """Run `work` aside; what it returns is called in the loop."""
        future = self._pool.submit(self._run, work)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    @property
    def busy(self) -> bool:
        """Whether something is under way, or done and not handed over yet."""
        with self._lock:
            return bool(self._running or self._done)

    def finish(self) -> None:
        """Wait until all that has begun is done, and hand it over here and now."""
        wait_for(list(self._running))
        self._hand_over()

    def close(self) -> None:
        """Wait for what has begun and end."""
        self.finish()
        self._pool.shutdown()

    def _run(self, work: Callable[[], Callable[[], None]]) -> None:
        done = work()
        with self._lock:
            self._done.append(done)
        self._loop.soon(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            ready, self._done = self._done, []
        for done in ready:
            done()
