"""The timeline as Chrome trace events, for ui.perfetto.dev and chrome://tracing.

Format: "Trace Event Format" (JSON object form): `X` complete slices, `i` instants, `M` metadata; `ts`, `dur` in us.
Slices of one lane may only nest, as the format asks; calls of several threads that overlap get lanes of their own.
"""

from collections.abc import Iterator

import msgspec

from .clock import seconds_between
from .phrases import fate
from .schema import Report, TimelineRow, TreeProcess
from .short_text import command

_LIFE = 1
_LANES = {"process": 2, "load": 3, "lookup": 4, "open": 5, "log": 6, "signal": 7, "note": 8, "syscall": 9}
_FIRST_CALLS = 10
_NOBODY = 0
"""Logs and notes belong to no process: they get a row of their own."""


class _TraceEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str
    ph: str
    pid: int
    tid: int
    ts: float | None = None
    dur: float | None = None
    s: str = ""
    """Scope of an instant: `t` for its thread (lane)."""
    cat: str = ""
    cname: str = ""
    args: dict[str, str | int | bool] = {}


class _Trace(msgspec.Struct, kw_only=True):
    displayTimeUnit: str = "ms"  # noqa: N815  (the format's own key)
    traceEvents: list[_TraceEvent]  # noqa: N815
    otherData: dict[str, str]  # noqa: N815


def render(report: Report) -> bytes:
    """One JSON object: processes with a lane for each kind of moment, calls as slices, the rest as instants."""
    moments = list(_moments(report, _before(report)))
    events: list[_TraceEvent] = []
    for order, process in enumerate(report.target.tree):
        events += _process(process, order, report, _before(report))
    if any(event.pid == _NOBODY for event in moments):
        events += _titles("process", _NOBODY, 0, "logs and notes", len(report.target.tree))
    for pid, lane, kind in dict.fromkeys((event.pid, event.tid, event.cat) for event in moments):
        events += _titles("thread", pid, lane, kind, lane)
    seen = report.observation
    about = {"host": seen.host, "began": seen.began or "", "target": report.target.asked, "version": seen.version}
    return msgspec.json.encode(_Trace(traceEvents=events + moments, otherData=about)) + b"\n"


def _before(report: Report) -> float:
    """Microseconds by which the oldest moment, a log line perhaps, lies before the observation: no `ts` is negative."""
    begins = (row.seconds - (row.lasts or 0) for row in report.timeline)
    return round(-1e6 * min([0.0, *begins]), 3)


def _titles(what: str, pid: int, lane: int, name: str, order: int) -> list[_TraceEvent]:
    return [
        _TraceEvent(name=f"{what}_name", ph="M", pid=pid, tid=lane, args={"name": name}),
        _TraceEvent(name=f"{what}_sort_index", ph="M", pid=pid, tid=lane, args={"sort_index": order}),
    ]


def _process(process: TreeProcess, order: int, report: Report, before: float) -> list[_TraceEvent]:
    name = command(process.argv) or process.comm or str(process.pid)
    titles = _titles("process", process.pid, 0, name, order) + _titles("thread", process.pid, _LIFE, "life", _LIFE)
    begin, end = _micros(process.started, report), _micros(process.ended, report)
    if begin is None:
        return titles
    begin = max(begin, -before)
    last = end if end is not None else report.observation.seconds * 1e6
    life = _TraceEvent(
        name=f"{name}: {fate(process)}", ph="X", pid=process.pid, tid=_LIFE,
        ts=round(begin + before, 3), dur=round(max(0.0, last - begin), 3), cat="process",
    )  # fmt: skip
    return [*titles, life]


def _moments(report: Report, before: float) -> Iterator[_TraceEvent]:
    calls: dict[int, list[_TraceEvent]] = {}
    for number, row in enumerate(report.timeline):
        made = _moment(row, number, before)
        if made.ph == "X":
            calls.setdefault(row.pid, []).append(made)
        else:
            yield made
    for slices in calls.values():
        yield from _in_lanes(slices)


def _moment(row: TimelineRow, number: int, before: float) -> _TraceEvent:
    micros = round(row.seconds * 1e6 + before, 3)
    made = _TraceEvent(
        name=row.text, ph="i", pid=row.pid, tid=_LANES.get(row.kind, _FIRST_CALLS), ts=micros, s="t", cat=row.kind,
        cname="terrible" if row.bad else "", args={"at": row.at, "row": number, "failed": row.bad},
    )  # fmt: skip
    if row.lasts is None:
        return made
    length = round(row.lasts * 1e6, 3)
    return msgspec.structs.replace(made, ph="X", s="", ts=max(0.0, round(micros - length, 3)), dur=length)


def _in_lanes(slices: list[_TraceEvent]) -> Iterator[_TraceEvent]:
    """Slices in the order of their begin, each in the first lane where it stands apart or lies within another."""
    lanes: list[list[float]] = []
    for one in sorted(slices, key=lambda slice: (slice.ts or 0, -(slice.dur or 0))):
        begin = one.ts or 0
        end = begin + (one.dur or 0)
        lane = next((number for number, open_ends in enumerate(lanes) if _fits(open_ends, begin, end)), len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append(end)
        yield msgspec.structs.replace(one, tid=_FIRST_CALLS + lane)


def _fits(open_ends: list[float], begin: float, end: float) -> bool:
    while open_ends and open_ends[-1] <= begin:
        open_ends.pop()
    return not open_ends or end <= open_ends[-1]


def _micros(moment: str | None, report: Report) -> float | None:
    began = report.observation.began
    if not moment or not began:
        return None
    return round(seconds_between(began, moment) * 1e6, 3)
