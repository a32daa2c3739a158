"""Where the screen's events come from, and how they reach the screen without ever flooding it."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from inspector.stream.base import Request
from inspector.stream.events import AnyEvent

_BATCH = 500
ROOM = 50_000
"""Events that may wait for the screen; beyond, the reader stops reading, which slows the collector down."""


class Feed(Protocol):
    """A live collector, a remote one or a recording: the screen sees no difference but `recorded`."""

    @property
    def recorded(self) -> bool:
        """True when the events are from the past: no requests are answered, time can be moved."""

    @property
    def alive(self) -> bool:
        """False once no more events can come."""

    @property
    def error(self) -> str:
        """Why it ended, in words for the user; empty when it ended in order or still runs."""

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        """Batches of events as they come; blocks in between, ends with the stream or after `close`."""

    def send(self, request: Request) -> None:
        """Pass a request down; silently without effect where nobody can answer."""

    @property
    def recording(self) -> str | None:
        """Where the stream is written to now."""

    def record(self, path: Path) -> None:
        """Write the stream to `path`, from its first event on; OSError when that fails."""

    def stop_recording(self) -> None:
        """Finish the file of `record`, if any."""

    def close(self) -> None:
        """End it promptly; the iterator ends as well."""


class Recorded(Protocol):
    """Events of a file, and after the last one what was wrong with it."""

    @property
    def troubles(self) -> list[str]: ...

    def __iter__(self) -> Iterator[AnyEvent]: ...


class Replay:
    """A recording as a feed: it comes as fast as it can be read; the screen then moves in its time."""

    recorded = True
    recording = None

    def __init__(self, source: Recorded) -> None:
        self._source = source
        self._closed = False
        self.alive = True

    @property
    def error(self) -> str:
        """What is wrong with the file, known at its end."""
        return "; ".join(self._source.troubles)

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        """The events in batches."""
        events = iter(self._source)
        while not self._closed and (batch := list(islice(events, _BATCH))):
            yield batch
        self.alive = False

    def send(self, request: Request) -> None:
        """Does nothing: a recording answers no requests."""

    def record(self, path: Path) -> None:
        """Refused: it is a file already."""
        raise OSError("this is already a recording: copy its file")

    def stop_recording(self) -> None:
        """Does nothing: nothing is being recorded."""

    def close(self) -> None:
        """Stop reading."""
        self._closed = True


class EventQueue:
    """One slot of pending events between the reader thread and the screen, with one wake-up call for many events."""

    def __init__(self, feed: Feed, wake: Callable[[], object], room: int = ROOM) -> None:
        self._feed = feed
        self._wake = wake
        self._room = room
        self._pending: deque[AnyEvent] = deque()
        self._changed = threading.Condition()
        self._woken = False
        self._closed = False
        self.ended = False
        self.failure = ""
        self.thread = threading.Thread(target=self._read, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to read in a thread of its own."""
        self.thread.start()

    def take(self, most: int) -> list[AnyEvent]:
        """Up to `most` pending events in order; the reader goes on as soon as there is room again."""
        with self._changed:
            count = min(most, len(self._pending))
            batch = [self._pending.popleft() for _ in range(count)]
            self._changed.notify()
        return batch

    def rest(self) -> bool:
        """Nothing is pending: from now on the next event wakes the screen again. False when something is."""
        with self._changed:
            self._woken = bool(self._pending)
            return not self._woken

    def close(self) -> None:
        """Leave the reader thread without waiting for it: it may be blocked in a read that the feed's `close` ends."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._feed.close()

    def _read(self) -> None:
        try:
            for batch in self._feed:
                if not self._put(batch):
                    break
        except Exception as error:  # whatever ends the thread is shown on the screen, never lost in it
            self.failure = str(error) or type(error).__name__
        with self._changed:
            self.ended = True
            closed = self._closed
        if not closed:
            self._wake()

    def _put(self, batch: Sequence[AnyEvent]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._pending) < self._room)
            self._pending.extend(batch)
            wake, self._woken = not self._woken, True
            closed = self._closed
        if wake and not closed:
            self._wake()
        return not closed
