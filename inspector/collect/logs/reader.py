"""Which lines of a log are sent: the last ones at attach, marked ones always, new ones as far as the ration goes."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from inspector.stream.logs import LogLine
from inspector.stream.text import decode_line

from .generation import LINE_LIMIT
from .marks import Marks, Span
from .tail import SLICE, Change, FileTail, Lines

BACKLOG_LINES = 2_000
"""Lines sent of what was there before us; before them only marked ones."""
_BACKLOG_BYTES = 16 << 20
"""How far back marked lines are searched."""
_MARKED_LIMIT = 2_000
"""Marked lines of one slice that are sent; a log of nothing else is cut here, and says so."""
_NEWEST = 100
"""Lines of each slice that are sent when the ration is used up."""
_HOLD = 0.5
"""Seconds that an unterminated line is waited for."""


class Ration:
    """Lines a second that all logs together may send in full (a token bucket)."""

    def __init__(self, per_second: int = 2_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._left = float(per_second)
        self._clock = clock
        self._last = clock()

    def grant(self, count: int) -> bool:
        """May so many lines go out now?"""
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._last) * self._rate)
        self._last = now
        if count > self._left:
            return False
        self._left -= count
        return True


@dataclass(slots=True)
class Reading:
    """What one step brought."""

    lines: list[LogLine] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    backlog: bool = False
    unsearched: int = 0
    """Lines that were too many to be searched for marks."""
    moved: bool = False
    """The totals changed."""


class Reader:
    """Turns the bytes of one followed file into the lines worth sending; one thread at a time may use it."""

    def __init__(self, tail: FileTail, marks: Marks, ration: Ration, backlog: int) -> None:
        """`backlog` is how many bytes of the file were there before us."""
        self.tail = tail
        self._marks = marks
        self._ration = ration
        self._backlog = backlog
        self._grown = 0.0
        self._shown = 0
        """Length of the unterminated line when it was last sent."""

    @property
    def lines_total(self) -> int:
        """Complete lines and the unterminated one that was sent."""
        return self.tail.lines_total + (self._shown > 0)

    @property
    def more(self) -> bool:
        """True when the next step has work at once."""
        return self.tail.more

    @property
    def behind(self) -> int:
        """Bytes that wait to be read now."""
        return max(0, self.tail.current.pending())

    def read(self) -> Reading:
        """One step: read on, choose the lines."""
        if self._backlog:
            return self._catch_up()
        reading = Reading()
        before = self.tail.bytes_total
        for item in self.tail.step():
            if isinstance(item, Change):
                reading.changes.append(item)
            else:
                self._choose(item, reading)
                self._shown = 0
        reading.moved = self.tail.bytes_total != before
        self._show_held(reading)
        return reading

    def _catch_up(self) -> Reading:
        """Index what was there before us without sending it; at its end send the last lines and the marked ones."""
        reading = Reading(backlog=True)
        before = self.tail.bytes_total
        items = self.tail.step(min(SLICE, self._backlog))
        reading.changes = [item for item in items if isinstance(item, Change)]
        self._backlog -= self.tail.bytes_total - before
        if self.tail.bytes_total == before or any(change.what == "truncated" for change in reading.changes):
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
        return [
            *self._marked_before(first),
            *(as_line(number, raw) for number, raw in self.tail.page(first, total - first)),
        ]

    def _marked_before(self, number: int) -> list[LogLine]:
        """The last marked lines before this one, searched a bounded way back."""
        generation = self.tail.current
        end = generation.offset_of(number - generation.first)
        offset = max(0, end - _BACKLOG_BYTES)
        found: deque[LogLine] = deque(maxlen=_MARKED_LIMIT)
        first = generation.first + generation.line_of(offset)
        for data in generation.pieces(offset, end):
            spans, _ = self._marks.find(data, len(data))
            found.extend(_numbered(data, first, spans))
            first += data.count(b"\n")
        return list(found)

    def _choose(self, new: Lines, reading: Reading) -> None:
        if self._ration.grant(new.count):
            texts = new.data.removesuffix(b"\n").split(b"\n")
            reading.lines += [as_line(new.first + step, raw) for step, raw in enumerate(texts)]
            return
        spans, too_many = self._marks.find(new.data, _MARKED_LIMIT)
        marked = _numbered(new.data, new.first, spans)
        newest = new.first + new.count - min(_NEWEST, new.count)
        tail = new.data.removesuffix(b"\n").rsplit(b"\n", _NEWEST)[-min(_NEWEST, new.count) :]
        reading.lines += [line for line in marked if line.number < newest]
        reading.lines += [as_line(newest + step, raw) for step, raw in enumerate(tail)]
        reading.unsearched += new.count if too_many else 0

    def _show_held(self, reading: Reading) -> None:
        """An unterminated line that did not grow for a while is sent as it is; its rest replaces it later."""
        now = time.monotonic()
        if reading.moved:
            self._grown = now
        length = self.tail.held_length
        if length and length != self._shown and now - self._grown >= _HOLD:
            self._shown = length
            reading.lines.append(as_line(self.tail.lines_total, self.tail.held, length))
            reading.moved = True


def _numbered(data: bytes, first: int, spans: list[Span]) -> list[LogLine]:
    """Marked lines with their numbers; `first` is the number of the first line of `data`."""
    lines = []
    counted = 0
    for span in spans:
        first += data.count(b"\n", counted, span.begin)
        counted = span.begin
        lines.append(as_line(first, data[span.begin : span.end]))
    return lines


def as_line(number: int, raw: bytes, length: int = 0) -> LogLine:
    """A line as it is sent; of a very long one the beginning and how long it is."""
    length = max(length, len(raw))
    text = decode_line(raw[:LINE_LIMIT])
    return LogLine(number=number, text=f"{text} … ({length} bytes)" if length > LINE_LIMIT else text)
