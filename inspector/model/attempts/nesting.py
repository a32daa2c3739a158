"""Which attempt happened inside which other: same thread, its interval within the other's."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from inspector.model.formatting import name_of

from .row import Attempt

_JUST_BEFORE = 3_000_000
"""ns before a load whose question's moment is unknown, in which an open of the same name belongs to it."""
_MOST_AROUND = 64
"""Intervals looked at for one row: calls nest a few deep."""


def nest(rows: Sequence[Attempt]) -> Iterator[Attempt]:
    """Put each row into the narrowest call or load of its thread that holds it, one after the other."""
    threads: dict[int, list[Attempt]] = {}
    for row in rows:
        if row.tid and row.kind != "prediction":
            threads.setdefault(row.tid, []).append(row)
    for mine in threads.values():
        yield from _nest_thread(mine)
    _nest_open_calls([row for row in rows if not row.came_back and row.kind == "call"])


def _nest_thread(rows: list[Attempt]) -> Iterator[Attempt]:
    spans = sorted((row for row in rows if row.begin), key=lambda row: row.begin)
    begins = [span.begin for span in spans]
    for row in rows:
        yield row
        if row.inside is None:
            around = _around(row, spans, begins)
            if around is not None:
                _put(row, around)
    loads = sorted((row for row in rows if row.kind == "load" and row.lookup is not None), key=lambda row: row.at)
    ends = [load.at for load in loads]
    for row in rows:
        if row.kind == "system" and row.inside is None:
            load = _load_of(row, loads, ends)
            if load is not None:
                _put(row, load)


def _around(row: Attempt, spans: list[Attempt], begins: list[int]) -> Attempt | None:
    asked = row.begin or row.at
    last = bisect_right(begins, asked)
    held = (
        span
        for span in spans[max(0, last - _MOST_AROUND) : last][::-1]
        if span is not row
        and span.at >= row.at
        and (span.begin, span.at) != (row.begin, row.at)
        and span.kind != "lookup"
    )
    return min(held, key=lambda span: span.at - span.begin, default=None)


def _load_of(row: Attempt, loads: list[Attempt], ends: list[int]) -> Attempt | None:
    """The load that tried this file, where the moment of its question is not known."""
    for load in loads[bisect_left(ends, row.at) :][:_MOST_AROUND]:
        if row.what in load.tried:
            return load
        if load.at - row.at < _JUST_BEFORE and name_of(load.what) == name_of(row.what):
            return load
    return None


def _nest_open_calls(open_calls: Iterable[Attempt]) -> None:
    """Of several calls that did not return, the one entered later is the inner one."""
    ordered = sorted(open_calls, key=lambda row: row.begin)
    for outer, inner in itertools.pairwise(ordered):
        if inner.inside is None and (not inner.tid or not outer.tid or inner.tid == outer.tid):
            _put(inner, outer)


def _put(row: Attempt, around: Attempt) -> None:
    row.inside = around
    around.within.append(row)
