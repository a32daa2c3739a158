"""Pages of a log for scrolling and filtering; what a search found is kept and only extended as the log grows."""

import time
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from inspector.stream.log_time import stamp
from inspector.stream.logs import LogLine
from inspector.stream.requests import FindLine, ReadLog
from inspector.stream.text import decode_line

from .generation import LINE_LIMIT
from .line_rate_limit import as_line, as_lines
from .matching import Matcher
from .tail import FileTail

_SEARCHES = 8
"""Searches whose results are kept."""
_LINES_OF_KEY = 120
"""So far back a private key may have begun whose lines a page holds: one of 4,096 bits has 51 lines."""
_LIMIT = 5_000
"""Lines of one page at most."""
_WHOLE = 3600.0
"""Seconds of a search that is not interrupted."""
_UNSTAMPED = 400
"""Lines without a time that are passed by in the search for a moment."""


class Page(msgspec.Struct, frozen=True):
    """An answer to ReadLog, complete or on the way to it."""

    total: int
    lines: list[LogLine]
    complete: bool = True
    searched: int = 0
    all_total: int = 0


class Search:
    """Numbers of the lines that match, up to where they were looked at."""

    def __init__(self, pattern: str, level: int) -> None:
        self.numbers = array("Q")
        self.searched = 0
        self._matcher = Matcher(pattern, level)

    def go_on(self, tail: FileTail, until: float, enough: int = 0) -> bool:
        """Look at lines that were not looked at until a moment of `time.monotonic`; True while there are more.

        It also stops as soon as there are `enough` matches, where there were fewer: they are to be shown at once.
        """
        few = len(self.numbers) < enough
        for numbers, data in tail.pieces(self.searched):
            last = self.numbers[-1] if self.numbers else -1
            found = (numbers.start + hit for hit in self._matcher.hits(data))
            self.numbers.extend(number for number in found if last < number < numbers.stop)
            if data.endswith(b"\n"):
                self.searched = numbers.start + data.count(b"\n")
                if time.monotonic() >= until or (few and len(self.numbers) >= enough):
                    break
        else:
            self.searched = tail.lines_total
        return self.searched < tail.lines_total


class Pager:
    """Pages of one followed file; the thread that uses the tail may use it."""

    def __init__(self, tail: FileTail) -> None:
        self._tail = tail
        self._searches: OrderedDict[tuple[str, int], Search] = OrderedDict()
        self._shown: tuple[array[int], list[LogLine]] = (array("Q"), [])
        """Numbers and lines of the page that was made last."""

    def page(self, request: ReadLog, seconds: float = _WHOLE) -> Page:
        """The lines asked for, ascending, as far as they are found in so many seconds."""
        if not request.filter and not request.level:
            return self._unfiltered(request)
        search = self._search(request.filter, request.level)
        enough = request.first + request.limit if seconds < _WHOLE and not request.backwards else 0
        more = search.go_on(self._tail, time.monotonic() + seconds, enough)
        total = len(search.numbers)
        begin, end = window(request, total)
        return Page(total, self._lines(search.numbers[begin:end]), not more, search.searched, self._tail.lines_total)

    def found(self, request: FindLine, seconds: float = _WHOLE) -> int | None:
        """The number of the line, -1 when there is none; None while it is not known yet."""
        if request.wall:
            return self._at(request.wall)
        search = self._search("", request.level)
        if search.go_on(self._tail, time.monotonic() + seconds):
            return None
        numbers = search.numbers
        place = bisect_left(numbers, request.start) - 1 if request.backwards else bisect_right(numbers, request.start)
        return numbers[place] if 0 <= place < len(numbers) else -1

    def _lines(self, numbers: "array[int]") -> list[LogLine]:
        """Lines by their numbers; a search that goes on asks again and again for the same."""
        if numbers != self._shown[0]:
            rows = [row for number in numbers for row in self._tail.page(number, 1)]
            self._shown = numbers, [as_line(number, raw, self._length(number, raw)) for number, raw in rows]
        return self._shown[1]

    def _unfiltered(self, request: ReadLog) -> Page:
        total = self._tail.lines_total
        begin, end = window(request, total)
        before = max(0, begin - _LINES_OF_KEY)
        lines, _ = as_lines(self._tail.page(before, end - before), length=self._length)
        return Page(total, [line for line in lines if line.number >= begin], True, total, total)

    def _search(self, pattern: str, level: int) -> Search:
        search = self._searches.pop((pattern, level), None) or Search(pattern, level)
        self._searches[pattern, level] = search
        if len(self._searches) > _SEARCHES:
            self._searches.popitem(last=False)
        return search

    def _at(self, wall: int) -> int:
        """The first line of a moment or later that has a stamp itself, by bisection: stamps of a log ascend."""
        first = bisected(self._tail.lines_total, wall, self._stamp)
        rows = self._tail.page(first, _UNSTAMPED) if first >= 0 else []
        return next((number for number, raw in rows if stamp(decode_line(raw[:200]))), first)

    def _stamp(self, number: int) -> int:
        """The stamp of a line, or of the next one that has one; 0 when none follows nearby."""
        for at in range(number, number + _UNSTAMPED, 40):
            for _, raw in self._tail.page(at, 40):
                if written := stamp(decode_line(raw[:200])):
                    return written
        return 0

    def _length(self, number: int, raw: bytes) -> int:
        return self._tail.length_of(number) if len(raw) == LINE_LIMIT else len(raw)


def bisected(total: int, wall: int, stamp_of: Callable[[int], int]) -> int:
    """The first of `total` lines whose stamp is not before `wall`; -1 when all are, or when none has a stamp."""
    low, high = 0, total
    while low < high:
        middle = (low + high) // 2
        written = stamp_of(middle)
        if written and written < wall:
            low = middle + 1
        else:
            high = middle
    return low if low < total and stamp_of(low) >= wall else -1


def among(kept: Sequence[LogLine], request: ReadLog) -> Page:
    """A page of lines that are all in memory."""
    matches = Matcher(request.filter, request.level).matches
    found = [line for line in kept if matches(line.text)] if request.filter or request.level else kept
    begin, end = window(request, len(found))
    return Page(len(found), list(found[begin:end]), True, len(kept), len(kept))


def found_among(kept: Sequence[LogLine], request: FindLine) -> int:
    """The number of the line that is looked for among lines in memory, -1 when there is none."""
    if request.wall:
        return next((line.number for line in kept if (line.wall or stamp(line.text)) >= request.wall), -1)
    matches = Matcher("", request.level).matches
    numbers = [line.number for line in kept if matches(line.text)]
    behind = [one for one in numbers if (one < request.start if request.backwards else one > request.start)]
    return -1 if not behind else behind[-1] if request.backwards else behind[0]


def window(request: ReadLog, total: int) -> tuple[int, int]:
    """Which of `total` rows are asked for: from `first` on, or with `backwards` so many before `first` from the end."""
    count = max(0, min(request.limit, _LIMIT))
    first = max(0, request.first)
    if request.backwards:
        end = max(0, total - first)
        return max(0, end - count), end
    return min(first, total), min(first + count, total)
