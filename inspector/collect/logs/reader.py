"""A followed file as lines worth sending: the last ones at attach, then what is appended."""

import time
from collections import deque

import msgspec

from inspector.stream.logs import LogLine

from .line_rate_limit import MARKED_LIMIT, LineLimiter, as_line, as_lines, numbered
from .tail import SLICE, Change, FileTail

BACKLOG_LINES = 2_000
"""Lines sent of what was there before us; before them only the first ones of this start, and marked ones."""
FIRST_LINES = 2_000
"""Lines sent of the beginning of a file that is younger than the program: that is where it said what it found."""
_BACKLOG_BYTES = 16 << 20
"""How far back marked lines are searched."""
_HOLD = 0.5
"""Seconds that an unterminated line is waited for."""


class Reading(msgspec.Struct):
    """What one step brought."""

    lines: list[LogLine] = msgspec.field(default_factory=list)
    changes: list[Change] = msgspec.field(default_factory=list)
    backlog: bool = False
    unsearched: int = 0
    """Lines that were too many to be searched for marks."""
    moved: bool = False
    """The totals changed."""


class Reader:
    """Turns the bytes of one followed file into the lines worth sending; one thread at a time may use it."""

    def __init__(self, tail: FileTail, chooser: LineLimiter, backlog: int, *, whole: bool = False) -> None:
        """`backlog`: bytes of the file that were there before us; `whole`: they are all of this start."""
        self.tail = tail
        self._limiter = chooser
        self._backlog = backlog
        self._whole = whole
        self._grown = 0.0
        self._in_key = False
        """The last line lies within a private key."""
        self._shown = 0
        """Length of the unterminated line when it was last sent."""

    @property
    def lines_total(self) -> int:
        """Complete lines and the unterminated one that was sent."""
        return self.tail.lines_total + (self._shown > 0)

    @property
    def bytes_total(self) -> int:
        """Bytes read so far."""
        return self.tail.bytes_total

    @property
    def more(self) -> bool:
        """True when the next step has work at once."""
        return self.tail.more

    @property
    def behind(self) -> int:
        """Bytes that wait to be read now."""
        return max(0, self.tail.current.pending())

    @property
    def holding(self) -> bool:
        """There is an unterminated line that was not sent as it is."""
        return self.tail.held_length not in (0, self._shown)

    def read(self) -> Reading:
        """One step: read on, choose the lines."""
        if self._backlog:
            return self._catch_up()
        reading = Reading()
        before = self.bytes_total
        for item in self.tail.step():
            if isinstance(item, Change):
                reading.changes.append(item)
            else:
                choice = self._limiter.of_bytes(item, self._in_key)
                self._in_key = choice.inside
                reading.lines += choice.lines
                reading.unsearched += choice.unsearched
                self._shown = 0
        reading.moved = self.bytes_total != before
        self._show_held(reading)
        return reading

    def _catch_up(self) -> Reading:
        """Index what was there before us without sending it; at its end send the last lines and the marked ones."""
        reading = Reading(backlog=True)
        before = self.bytes_total
        items = self.tail.step(min(SLICE, self._backlog))
        reading.changes = [item for item in items if isinstance(item, Change)]
        self._backlog -= self.bytes_total - before
        if self.bytes_total == before or any(change.what == "truncated" for change in reading.changes):
            self._backlog = 0  # it became shorter meanwhile
        if not self._backlog:
            reading.lines = self._last_lines()
            reading.moved = True
            self._grown = time.monotonic()
        self.tail.more = True
        return reading

    def _last_lines(self) -> list[LogLine]:
        total = self.tail.lines_total
        first = max(0, total - BACKLOG_LINES)
        last, self._in_key = as_lines(self.tail.page(first, total - first))
        if self.tail.held_length:
            last.append(self._held())
        head = self._first_lines(first) if self._whole else []
        return head + [line for line in self._marked_before(first) if line.number >= len(head)] + last

    def _first_lines(self, end: int) -> list[LogLine]:
        """Those before number `end` with which the file begins."""
        return as_lines(self.tail.page(0, min(FIRST_LINES, end)))[0]

    def _marked_before(self, number: int) -> list[LogLine]:
        """The last marked lines before this one, searched a bounded way back."""
        generation = self.tail.current
        end = generation.offset_of(number - generation.first)
        offset = max(0, end - _BACKLOG_BYTES)
        found: deque[LogLine] = deque(maxlen=MARKED_LIMIT)
        first = generation.first + generation.line_of(offset)
        for data in generation.pieces(offset, end):
            spans, _ = self._limiter.marks.find(data, len(data))
            found.extend(numbered(data, first, spans))
            first += data.count(b"\n")
        return list(found)

    def _show_held(self, reading: Reading) -> None:
        """An unterminated line that did not grow for a while is sent as it is; its rest replaces it later."""
        now = time.monotonic()
        if reading.moved:
            self._grown = now
        length = self.tail.held_length
        if length and length != self._shown and now - self._grown >= _HOLD:
            reading.lines.append(self._held())
            reading.moved = True

    def _held(self) -> LogLine:
        self._shown = self.tail.held_length
        return as_line(self.tail.lines_total, self.tail.held, self._shown)
