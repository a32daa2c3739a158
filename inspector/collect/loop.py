"""The collector's single loop: readable descriptors, timers, one worker thread for files."""

import contextlib
import heapq
import itertools
import os
import queue
import selectors
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from .making_way import MakingWay
from .priority import read_last

T = TypeVar("T")
_NS = 1_000_000_000

Failed = Callable[[str, Exception], None]
"""Told which callback raised what; it must not raise itself."""


class _Timer(msgspec.Struct, frozen=True, order=True):
    due: int
    order: int
    """Of its own: what follows is never compared."""
    period: int
    """ns until the next call; 0: there is none."""
    callback: Callable[[], None]


class ThreadActivity(msgspec.Struct):
    """What a thread is at, for whoever watches that it goes on."""

    tid: int
    since: int = 0
    """When the piece of work began that is under way, ns; 0 while the thread rests."""


class CollectorLoop:
    """Runs every callback in one thread, so that sources need no locks; one failing callback stops no other."""

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._selector = selectors.DefaultSelector()
        self._timers: list[_Timer] = []
        self._order = itertools.count()
        self._handed: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running = True
        self._own = ThreadActivity(threading.get_native_id(), self.now())
        self.works = [self._own]
        """The loop's own thread, which is at work from its creation on, and the worker."""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self.makes_way: Callable[[], bool] = lambda: False
        """Whether what can wait is to wait a little; descriptors that can be read meanwhile are read together."""
        self._postponed = False
        self._worker = threading.Thread(target=self._work_loop, name="collector-files", daemon=True)
        self._worker.start()

    def now(self) -> int:
        """CLOCK_MONOTONIC ns."""
        return time.monotonic_ns()

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever the descriptor can be read; PermissionError for one that cannot be waited for."""
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def forget(self, fd: int) -> None:
        """No more callbacks for this descriptor; harmless when there were none."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back again and again, timers of one period together; a late call is not made up for."""
        self._repeat(int(seconds * _NS), callback)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once."""
        self._set_timer(self.now() + int(seconds * _NS), 0, callback)

    def soon(self, callback: Callable[[], None]) -> None:
        """Run in the loop's thread, in order of asking; may be called from any thread and from signal handlers."""
        self._handed.put(callback)
        try:
            os.write(self._wake_write, b"\0")
        except OSError:
            pass  # the pipe is full: it will wake up anyway, or the loop is closed

    def in_background(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `work` in the one worker thread, then `done` with its result in the loop."""

        def carry() -> None:
            try:
                result = work()
            except Exception as error:
                self.soon(lambda error=error: self._failed(_name(work), error))  # type: ignore[misc]
            else:
                self.soon(lambda: done(result))

        self._work.put(carry)

    def make_way(self) -> None:
        """In a thread that reads files: return when a program that begins needs no processor of ours."""
        while self.makes_way() and self._running:
            time.sleep(MakingWay.AGAIN_SECONDS)

    def run(self) -> None:
        """Drive everything until `stop`."""
        self._own.tid = threading.get_native_id()
        while self._running:
            self._own.since = 0
            if self._postponed:
                time.sleep(MakingWay.AGAIN_SECONDS)  # what can be read by then is read at once, not record by record
            ready = self._selector.select(0 if self._postponed else self._rest())
            for key, _ in ready:
                self._call(key.data)
            self._postponed = self.makes_way()
            if not self._postponed:
                self._take_handed()
                self._fire_timers()
        self._own.since = self.now()
        self._close()

    def stop(self) -> None:
        """End `run` after the callback that is running now; may be called from any thread."""
        self.soon(self._end)

    def _end(self) -> None:
        self._running = False

    def _call(self, callback: Callable[[], None]) -> None:
        if not self._running:
            return
        self._own.since = self.now()
        try:
            callback()
        except Exception as error:
            self._failed(_name(callback), error)

    def _woken(self) -> None:
        """Something was handed over, which is taken after what can be read."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _take_handed(self) -> None:
        for _ in range(self._handed.qsize()):
            self._call(self._handed.get_nowait())

    def _repeat(self, period: int, callback: Callable[[], None]) -> None:
        """At multiples of the period: waking up costs more than most of what is done then."""
        self._set_timer((self.now() // period + 1) * period, period, callback)

    def _set_timer(self, due: int, period: int, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, _Timer(due, next(self._order), period, callback))

    def _rest(self) -> float | None:
        """Seconds until something is to be done."""
        if not self._timers:
            return None
        return max(0.0, (self._timers[0].due - self.now()) / _NS)

    def _fire_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0].due <= now:
            timer = heapq.heappop(self._timers)
            self._call(timer.callback)
            if timer.period:
                self._repeat(timer.period, timer.callback)

    def _work_loop(self) -> None:
        read_last()
        work = ThreadActivity(threading.get_native_id())
        self.works.append(work)
        while (carry := self._work.get()) is not None:
            self.make_way()
            work.since = self.now()
            carry()
            work.since = 0

    def _close(self) -> None:
        self._work.put(None)
        self._selector.close()
        closing, self._wake_write = self._wake_write, -1  # another thread may ask once more: never in a file of others
        os.close(self._wake_read)
        os.close(closing)


def _name(callback: Callable[..., object]) -> str:
    return getattr(callback, "__qualname__", type(callback).__name__)
