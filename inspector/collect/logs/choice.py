"""Which new lines are sent: all as far as the ration goes, under a flood only marked ones and the newest."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from inspector.stream.logs import LogLine
from inspector.stream.text import decode_line

from .generation import LINE_LIMIT
from .marks import Marks, Span
from .secrets import without_secrets
from .tail import Lines

LINES_A_SECOND = 2_000
"""What all logs together may send in full."""
MARKED_LIMIT = 2_000
"""Marked lines of one piece that are sent; a log of nothing else is cut here, and says so."""
_NEWEST = 100
"""Lines of each piece that are sent when the ration is used up."""


class Ration:
    """Lines a second that may be sent (a token bucket)."""

    def __init__(self, per_second: int = LINES_A_SECOND, clock: Callable[[], float] = time.monotonic) -> None:
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


@dataclass(frozen=True, slots=True)
class Choice:
    """Lines to send."""

    lines: list[LogLine]
    unsearched: int = 0
    """Lines that were too many to be searched for marks."""


class Chooser:
    """Chooses for all logs of a session, which share one ration."""

    def __init__(self, marks: Marks, ration: Ration) -> None:
        self.marks = marks
        self._ration = ration

    def of_bytes(self, new: Lines) -> Choice:
        """Of new whole lines of a file."""
        if self._ration.grant(new.count):
            texts = new.data.removesuffix(b"\n").split(b"\n")
            return Choice([as_line(new.first + step, raw) for step, raw in enumerate(texts)])
        spans, too_many = self.marks.find(new.data, MARKED_LIMIT)
        count = min(_NEWEST, new.count)
        newest = new.first + new.count - count
        marked = [line for line in numbered(new.data, new.first, spans) if line.number < newest]
        texts = new.data.removesuffix(b"\n").rsplit(b"\n", count)[-count:]
        last = [as_line(newest + step, raw) for step, raw in enumerate(texts)]
        return Choice(marked + last, new.count if too_many else 0)

    def of_lines(self, new: list[LogLine]) -> list[LogLine]:
        """Of lines that a carrier gave one by one."""
        if self._ration.grant(len(new)):
            return new
        marked = [line for line in new[:-_NEWEST] if self.marks.holds(line.text.encode())]
        return marked + new[-_NEWEST:]


def numbered(data: bytes, first: int, spans: list[Span]) -> list[LogLine]:
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
    text = without_secrets(decode_line(raw[:LINE_LIMIT]))
    return LogLine(number=number, text=f"{text} … ({length} bytes)" if length > LINE_LIMIT else text)
