"""Pages of a log for scrolling and filtering; what a filter found is kept and only extended as the log grows."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass

from inspector.stream.logs import LogLine
from inspector.stream.requests import ReadLog

from .generation import LINE_LIMIT
from .line_rate_limit import as_line, as_lines
from .tail import FileTail

_FILTERS = 8
"""Filters whose matches are kept."""
_LINES_OF_KEY = 120
"""So far back a private key may have begun whose lines a page holds: one of 4,096 bits has 51 lines."""
_LIMIT = 5_000
"""Lines of one page at most."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to ReadLog."""

    total: int
    lines: list[LogLine]


class Pager:
    """Pages of one followed file; the thread that uses the tail may use it."""

    def __init__(self, tail: FileTail) -> None:
        self._tail = tail
        self._found: OrderedDict[bytes, _Matches] = OrderedDict()

    def page(self, request: ReadLog) -> Page:
        """The lines asked for, ascending; without a filter all lines match."""
        needle = request.filter.encode("utf-8", "surrogateescape").lower()
        if not needle:
            total = self._tail.lines_total
            begin, end = window(request, total)
            before = max(0, begin - _LINES_OF_KEY)
            lines, _ = as_lines(self._tail.page(before, end - before), length=self._length)
            return Page(total, [line for line in lines if line.number >= begin])
        numbers = self._matches(needle)
        total = len(numbers)
        begin, end = window(request, total)
        rows = [row for number in numbers[begin:end] for row in self._tail.page(number, 1)]
        return Page(total, [as_line(number, raw, self._length(number, raw)) for number, raw in rows])

    def _length(self, number: int, raw: bytes) -> int:
        return self._tail.length_of(number) if len(raw) == LINE_LIMIT else len(raw)

    def _matches(self, needle: bytes) -> "array[int]":
        found = self._found.pop(needle, None) or _Matches()
        self._found[needle] = found
        if len(self._found) > _FILTERS:
            self._found.popitem(last=False)
        found.extend(self._tail, needle)
        return found.numbers


class _Matches:
    """Numbers of the lines that hold one text, up to where it was searched."""

    def __init__(self) -> None:
        self.numbers = array("Q")
        self._next = 0

    def extend(self, tail: FileTail, needle: bytes) -> None:
        """Search what came since the last time."""
        self.numbers.extend(tail.matches(needle, self._next))
        self._next = tail.lines_total


def window(request: ReadLog, total: int) -> tuple[int, int]:
    """Which of `total` rows are asked for: from `first` on, or with `backwards` so many before `first` from the end."""
    count = max(0, min(request.limit, _LIMIT))
    first = max(0, request.first)
    if request.backwards:
        end = max(0, total - first)
        return max(0, end - count), end
    return min(first, total), min(first + count, total)
