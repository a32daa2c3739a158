"""Where events leave the collector: a bounded queue and the thread that writes it, so that a slow reader blocks nobody.

Structural events (processes, libraries, look-up tables, ends) are never dropped. Refreshes (vitals, counters) are
folded into their newest values while the reader is behind: nothing is lost but the steps between. Details (single
calls, opens, look-ups, log lines) are dropped beyond the bound and counted as `EventsLost`.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from inspector.stream.base import Event
from inspector.stream.calls import (
    CallCount,
    CallerCount,
    CallersCounted,
    CallOutcome,
    CallReturned,
    CallsCounted,
    CallsInside,
    FileOpened,
    LookedUp,
    OpensSkipped,
    OutcomesCounted,
)
from inspector.stream.codec import encode
from inspector.stream.logs import LogRead, WritesSeen
from inspector.stream.processes import ThreadWaits, Vitals
from inspector.stream.secrets.in_events import without_tokens
from inspector.stream.session import EventsLost, WorkProgressed
from inspector.stream.syscalls import FolderListed, SystemCallRefused, SystemCallsSummed

REFRESH_BOUND = 2_000
"""Events waiting before refreshes are folded."""
DETAIL_BOUND = 50_000
"""Events waiting before details are dropped."""
BATCH_SECONDS = 0.005
"""How long the writer lets events gather before it writes them at once."""
_MANY, _STILL_MANY, _MANY_SECONDS = 100, 20, 0.05
"""So many events at once are no news that somebody waits for: they gather for longer then, until there are few."""

_DETAILS = (CallReturned, LookedUp, FileOpened, FolderListed, SystemCallRefused, LogRead)
_NEWEST = (Vitals, CallsInside, OpensSkipped, SystemCallsSummed, ThreadWaits, WritesSeen, WorkProgressed)


class Refreshes:
    """Totals and states of which only the newest value counts, kept while the reader is behind."""

    def __init__(self) -> None:
        self._newest: dict[tuple[object, ...], Event] = {}
        self._counts: dict[tuple[int, int], CallCount] = {}
        self._callers: dict[tuple[int, int, str], CallerCount] = {}
        self._outcomes: dict[tuple[int, int, str, int], CallOutcome] = {}
        self._at = 0

    def fold(self, event: Event) -> bool:
        """Take the event in when it is a refresh; False when it is not."""
        match event:
            case CallsCounted():
                self._counts |= {(row.pid, row.function): row for row in event.counts}
            case CallersCounted():
                self._callers |= {(row.pid, row.function, row.caller): row for row in event.counts}
            case OutcomesCounted():
                self._outcomes |= {(row.pid, row.function, row.caller, row.result): row for row in event.outcomes}
            case _ if isinstance(event, _NEWEST):
                self._newest[_key(event)] = event
            case _:
                return False
        self._at = max(self._at, event.at)
        return True

    def take(self) -> list[Event]:
        """Everything folded so far as few events, and forget it."""
        events = list(self._newest.values())
        if self._counts:
            events.append(CallsCounted(at=self._at, counts=list(self._counts.values())))
        if self._callers:
            events.append(CallersCounted(at=self._at, counts=list(self._callers.values())))
        if self._outcomes:
            events.append(OutcomesCounted(at=self._at, outcomes=list(self._outcomes.values())))
        self._newest, self._counts, self._callers, self._outcomes = {}, {}, {}, {}
        return events


def _key(event: Event) -> tuple[object, ...]:
    match event:
        case ThreadWaits():
            return (ThreadWaits, event.pid, event.tid)
        case WorkProgressed():
            return (WorkProgressed, event.task)
        case _:
            return (type(event), getattr(event, "pid", 0), getattr(event, "fd", 0))


class EventWriter:
    """Writes events as JSON lines to a descriptor; `send` never waits for the reader."""

    def __init__(self, fd: int, broken: Callable[[], None]) -> None:
        """`broken` is called once, from the writing thread, when the reader is gone."""
        self._fd = fd
        self._broken = broken
        self._waiting: deque[Event] = deque()
        self._refreshes = Refreshes()
        self._lost = 0
        self._writing = False
        self._many = False
        """The last batch was large."""
        self._open = True
        self.make_way: Callable[[], None] = lambda: None
        """Waits while a program that begins needs our processors; what gathers meanwhile leaves in one piece."""
        lock = threading.RLock()
        self._changed, self._written = threading.Condition(lock), threading.Condition(lock)
        self._writer = threading.Thread(target=self._write_all, name="collector-stream", daemon=True)
        self._writer.start()

    def send(self, event: Event) -> None:
        """Queue an event; thread-safe."""
        with self._changed:
            if self._accept(event) and len(self._waiting) == 1:
                self._changed.notify()  # else the writer is awake already

    def flush(self, seconds: float = 0.1) -> None:
        """Wait until all is written, at most so long: whoever has much to do holds up the writing thread."""
        with self._written:
            self._written.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def close(self, seconds: float = 2.0) -> None:
        """Write what is waiting and end; a reader that does not read in time gets a torn stream."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._writer.join(seconds)

    def _accept(self, event: Event) -> bool:
        behind = len(self._waiting)
        if behind >= REFRESH_BOUND and self._refreshes.fold(event):
            return False
        if behind >= DETAIL_BOUND and isinstance(event, _DETAILS):
            self._lost += 1
            return False
        self._waiting.append(event)
        return True

    def _write_all(self) -> None:
        while (batch := self._gather()) is not None:
            try:
                _write(self._fd, b"".join(map(_line, batch)))
            except OSError:
                self._broken()
                return
            with self._written:
                self._writing = False
                self._written.notify_all()

    def _gather(self) -> list[Event] | None:
        """What waits, after letting it gather for a moment; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
        if self._open:
            time.sleep(_MANY_SECONDS if self._many else BATCH_SECONDS)
            self.make_way()
        with self._changed:
            batch, self._writing = list(self._waiting), True
            self._waiting.clear()
            self._many = len(batch) > (_STILL_MANY if self._many else _MANY)
            batch += self._refreshes.take()
            if self._lost:
                batch.append(EventsLost(at=time.monotonic_ns(), source="reader of the stream", count=self._lost))
                self._lost = 0
        return batch or None


def _line(event: Event) -> bytes:
    """An event as it leaves; one that cannot be looked through for secrets does not."""
    try:
        return encode(without_tokens(event))
    except Exception as error:
        why = f"a {type(event).__name__} that could not be looked through for secrets ({type(error).__name__})"
        return encode(EventsLost(at=event.at, source=why, count=1))


def _write(fd: int, data: bytes) -> None:
    """All of it, also to a pipe that whoever started us made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
