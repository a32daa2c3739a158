"""One followed log as events: reading small pieces in the loop, large ones in the worker thread, pages on request."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from inspector.stream.logs import LogChanged, LogLine, LogRead
from inspector.stream.requests import FindLine, LineFound, LogPage, ReadLog
from inspector.stream.session import EventsLost, WorkProgressed

from ...logs.journal import Journal
from ...logs.line_rate_limit import LineLimiter
from ...logs.reader import Reader, Reading
from ...logs.search import Page, Pager, found_among
from ...logs.tail import Change
from ..contract import Session

T = TypeVar("T")

_INLINE = 1 << 18
"""Bytes that are read in the loop's thread at once (half a millisecond); more goes to the worker."""
_PATIENCE = 1.0
"""Seconds for the last lines when everything ends."""
_LINES_AN_EVENT = 500
_PIECE = 0.03
"""Seconds of a search between two looks at what else is to be done."""
_TELL_SEARCH = 0.15
"""Seconds between two words about a search that goes on."""
_TELL_PROGRESS = 64 << 20
"""Bytes of backlog from which on progress is told."""


class Feed(Protocol):
    """Something with numbered lines that can be paged."""

    def ask(self, request: ReadLog | FindLine) -> None:
        """Answer with a LogPage or LineFound, now or when the worker is free."""
        ...

    def stop(self, request: int) -> None:
        """Nobody waits for the answer to this request any more."""
        ...

    def wake(self) -> None:
        """There may be something new."""
        ...

    def close(self) -> None:
        """Send what is left and give everything back."""
        ...


class _Told(NamedTuple):
    """What was last said of a search."""

    lines: int
    at: float


class FileFeed:
    """A followed file; its reader is used by one thread at a time, the loop's or the worker's."""

    def __init__(self, session: Session, source: int, name: str, reader: Reader) -> None:
        self.source = source
        self.name = name
        self.reader = reader
        self._session = session
        self._pager = Pager(reader.tail)
        self._asked: list[ReadLog | FindLine] = []
        """Requests that are not answered to their end."""
        self._told: dict[int, _Told] = {}
        self._backlog = reader.behind
        self._failed = ""
        self.moving = False
        """It grew or changed at the last reading, or ends in a line that may be unfinished."""
        self._busy = False
        self._worked = threading.Event()
        self._deliver: Callable[[], None] = _nothing

    def wake(self) -> None:
        """Read on unless the worker does so already (it looks again when it is done)."""
        if self._busy:
            return
        if self.reader.behind > _INLINE:
            self._in_worker(self._read, self._tell)
        else:
            self._tell(self._read())
            self._search_on()

    def ask(self, request: ReadLog | FindLine) -> None:
        """Answer in the worker thread, piece by piece: a search through a large file takes a while."""
        self._asked.append(request)
        self._search_on()

    def stop(self, request: int) -> None:
        """Give a search up; a piece of it that is under way is finished and dropped."""
        self._asked = [one for one in self._asked if one.id != request]
        self._told.pop(request, None)

    def close(self) -> None:
        """Send what is left, as far as it can be read in a moment, and close all files."""
        if self._busy and not self._worked.wait(_PATIENCE):
            return  # the worker holds the files: they are closed with the process
        self._deliver()
        self._busy = True
        end = time.monotonic() + _PATIENCE
        self._tell(self._read())
        while (self.reader.more or self.reader.behind) and not self._failed and time.monotonic() < end:
            self._tell(self._read())
        self.reader.tail.close()

    def _search_on(self) -> None:
        """A piece of the search that waits longest."""
        if self._asked and not self._busy:
            request = self._asked[0]
            self._in_worker(lambda: self._look(request), lambda found: self._looked(request, found))

    def _look(self, request: ReadLog | FindLine) -> "Page | int | None":
        try:
            if isinstance(request, FindLine):
                return self._pager.found(request, _PIECE)
            return self._pager.page(request, _PIECE)
        except OSError:
            return -1 if isinstance(request, FindLine) else Page(0, [])

    def _looked(self, request: ReadLog | FindLine, found: "Page | int | None") -> None:
        """Send what was found, if anybody still waits; a search that is not over goes behind the others."""
        if request not in self._asked:
            return
        self._asked.remove(request)
        if isinstance(found, int):
            send_line(self._session, self.source, request, found)
        elif found is None or (isinstance(found, Page) and not found.complete):
            self._asked.append(request)
        if isinstance(found, Page):
            self._send(request, found)

    def _send(self, request: ReadLog | FindLine, page: Page) -> None:
        """A page that is complete, the first lines of one, and a few times a second how far the search has come."""
        before, now = self._told.get(request.id, _Told(0, 0.0)), time.monotonic()
        if page.complete:
            self._told.pop(request.id, None)
        elif (page.lines and not before.lines) or now - before.at >= _TELL_SEARCH:
            self._told[request.id] = _Told(len(page.lines), now)
        else:
            return
        send_page(self._session, self.source, request, page)

    def _in_worker(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """The result waits in `_deliver`, so that it is not lost when the loop ends before it comes back."""
        self._busy = True
        self._worked.clear()

        def labour() -> None:
            result = work()
            self._deliver = lambda: done(result)
            self._worked.set()

        self._session.loop.in_background(labour, lambda _: self._delivered())

    def _delivered(self) -> None:
        deliver, self._deliver = self._deliver, _nothing
        self._busy = False
        deliver()
        if self.reader.behind:
            self.wake()
        else:
            self._search_on()

    def _read(self) -> Reading:
        try:
            reading = self.reader.read()
            self._failed = ""
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            reading = Reading(changes=[Change("unreadable", words)] if words != self._failed else [])
            self._failed = words
        return reading

    def _tell(self, reading: Reading) -> None:
        now = self._session.loop.now()
        send = self._session.sink.send
        self.moving = reading.moved or bool(reading.changes) or self.reader.holding
        for change in reading.changes:
            send(LogChanged(at=now, source=self.source, what=change.what, detail=change.detail))
        if reading.lines or (reading.moved and not self.reader.more):
            send_lines(self._session, self.source, reading.lines, self.reader, reading.backlog)
        if reading.unsearched:
            send(EventsLost(at=now, source=f"marked lines of {self.name}", count=reading.unsearched))
        if reading.backlog and self._backlog >= _TELL_PROGRESS:
            done = min(self.reader.tail.bytes_total, self._backlog)
            send(WorkProgressed(at=now, task=f"indexing {self.name}", done=done, total=self._backlog))
        if self.reader.more and not self._failed and not self._busy:
            self._session.loop.soon(self.wake)


def _nothing() -> None:
    """There is no result to deliver."""


class _Totals(Protocol):
    @property
    def lines_total(self) -> int: ...

    @property
    def bytes_total(self) -> int: ...


def send_lines(session: Session, source: int, lines: list[LogLine], totals: _Totals, backlog: bool) -> None:
    """LogRead events of bounded size; one without lines only moves the totals on."""
    for at in range(0, max(1, len(lines)), _LINES_AN_EVENT):
        session.sink.send(
            LogRead(
                at=session.loop.now(),
                source=source,
                lines=lines[at : at + _LINES_AN_EVENT],
                lines_total=totals.lines_total,
                bytes_total=totals.bytes_total,
                backlog=backlog,
            )
        )


class JournalFeed:
    """The journal of a unit."""

    bytes_total = 0

    def __init__(
        self, session: Session, source: int, journal: Journal, chooser: LineLimiter, ended: Callable[[str], None]
    ) -> None:
        """`ended` is told journalctl's last words when it ends by itself."""
        self._session = session
        self._source = source
        self._journal = journal
        self._limiter = chooser
        self._ended = ended
        self._since = time.time_ns()
        self._stopped = False
        self._follow()

    @property
    def lines_total(self) -> int:
        """Lines since journalctl began."""
        return self._journal.total

    def wake(self) -> None:
        """Read what journalctl wrote."""
        lines = [] if self._stopped else self._journal.read()
        if self._journal.opened != self._opened:
            self._session.loop.forget(self._fd)
            self._follow()
        if lines is None:
            self._let_go()
            self._ended(self._journal.end())
        elif lines:
            old = [line for line in lines if line.wall < self._since]
            new = self._limiter.of_lines(lines[len(old) :])
            if old:
                send_lines(self._session, self._source, old, self, True)
            if new:
                send_lines(self._session, self._source, new, self, False)

    def ask(self, request: ReadLog | FindLine) -> None:
        """Answer at once: the lines are in memory."""
        if isinstance(request, FindLine):
            send_line(self._session, self._source, request, found_among(self._journal.kept, request))
        else:
            send_page(self._session, self._source, request, self._journal.page(request))

    def stop(self, request: int) -> None:
        """Does nothing: requests are answered at once."""

    def close(self) -> None:
        """End journalctl, which is ours."""
        if not self._stopped:
            self._let_go()
            self._journal.end()

    def _follow(self) -> None:
        self._fd, self._opened = self._journal.fd, self._journal.opened
        self._session.loop.on_readable(self._fd, self.wake)

    def _let_go(self) -> None:
        self._stopped = True
        self._session.loop.forget(self._fd)


def send_page(session: Session, source: int, request: ReadLog | FindLine, page: Page) -> None:
    """The answer to a request, or a part of it."""
    session.sink.send(
        LogPage(
            at=session.loop.now(), id=request.id, source=source, total=page.total, lines=page.lines,
            complete=page.complete, searched=page.searched, all_total=page.all_total,
        )
    )  # fmt: skip


def send_line(session: Session, source: int, request: ReadLog | FindLine, number: int) -> None:
    """The line that was looked for."""
    session.sink.send(LineFound(at=session.loop.now(), id=request.id, source=source, number=number))
