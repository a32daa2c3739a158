"""Which new lines are sent: all as far as the ration goes, under a flood only marked ones and the newest."""

from collections.abc import Callable, Iterable

import msgspec

from inspector.stream.logs import LogLine
from inspector.stream.secrets import hide, hide_lines
from inspector.stream.text import decode_line

from ..rate_limit import RateLimit
from .generation import LINE_LIMIT
from .tail import Lines
from .watched_lines import Marks, Span

LINES_A_SECOND = 500
"""What all logs together may send in full, on the average."""
LINES_AT_ONCE = 4_000
"""Lines that may be sent at once after a pause: programs write most while they start."""
MARKED_LIMIT = 2_000
"""Marked lines of one piece that are sent; a log of nothing else is cut here, and says so."""
_NEWEST_LEAST, _NEWEST_MOST = 10, 30
"""Lines of each piece that are sent when the ration is used up: a tenth of them, within these bounds."""


class Choice(msgspec.Struct, frozen=True):
    """Lines to send."""

    lines: list[LogLine]
    unsearched: int = 0
    """Lines that were too many to be searched for marks."""
    inside: bool = False
    """They end within a private key."""


class LineLimiter:
    """Chooses for all logs of a session, which share one ration."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self._rate_limit = RateLimit(LINES_A_SECOND, LINES_AT_ONCE)

    def of_bytes(self, new: Lines, inside: bool = False) -> Choice:
        """Of new whole lines of a file; `inside`: they begin within a private key."""
        if self._rate_limit.grant(new.count):
            texts = new.data.removesuffix(b"\n").split(b"\n")
            lines, inside = as_lines(enumerate(texts, new.first), inside)
            return Choice(lines, inside=inside)
        spans, too_many = self.marks.find(new.data, MARKED_LIMIT)
        count = _newest(new.count)
        newest = new.first + new.count - count
        marked = [line for line in numbered(new.data, new.first, spans) if line.number < newest]
        texts = new.data.removesuffix(b"\n").rsplit(b"\n", count)[-count:]
        last, inside = as_lines(enumerate(texts, newest))
        return Choice(marked + last, new.count if too_many else 0, inside)

    def of_lines(self, new: list[LogLine]) -> list[LogLine]:
        """Of lines that a carrier gave one by one."""
        if self._rate_limit.grant(len(new)):
            return new
        count = _newest(len(new))
        marked = [line for line in new[:-count] if self.marks.holds(line.text.encode())]
        return marked + new[-count:]


def _newest(count: int) -> int:
    return min(count, max(_NEWEST_LEAST, min(_NEWEST_MOST, count // 10)))


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
    return _cut(number, hide(decode_line(raw[:LINE_LIMIT])), max(length, len(raw)))


def as_lines(
    rows: Iterable[tuple[int, bytes]],
    inside: bool = False,
    length: Callable[[int, bytes], int] = lambda _, raw: len(raw),
) -> tuple[list[LogLine], bool]:
    """Lines that follow each other, with their numbers; `inside` and the answer: whether within a private key."""
    kept = list(rows)
    texts, inside = hide_lines([decode_line(raw[:LINE_LIMIT]) for _, raw in kept], inside)
    return [_cut(number, text, length(number, raw)) for (number, raw), text in zip(kept, texts, strict=True)], inside


def _cut(number: int, text: str, length: int) -> LogLine:
    return LogLine(number=number, text=f"{text} … ({length} bytes)" if length > LINE_LIMIT else text)
