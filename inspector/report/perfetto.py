"""The timeline as Chrome trace events, for ui.perfetto.dev and chrome://tracing.

Format: "Trace Event Format" (JSON object form): `X` complete slices, `i` instants, `M` metadata; `ts`, `dur` in us.
"""

from datetime import datetime

import msgspec

from .phrases import fate
from .shapes import Report, TimelineRow, TreeProcess
from .words import command

_LIFE, _FIRST_LANE = 0, 10
_LANES = {"process": 1, "load": 2, "lookup": 3, "open": 4, "log": 5, "signal": 6, "note": 7, "call": 8}


class _TraceEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str
    ph: str
    pid: int
    tid: int = 0
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
    events: list[_TraceEvent] = []
    for process in report.target.tree:
        events += _process(process, report)
    for number, row in enumerate(report.timeline):
        events.append(_moment(row, number))
    seen = report.observation
    about = {"host": seen.host, "began": seen.began or "", "target": report.target.asked, "version": seen.version}
    return msgspec.json.encode(_Trace(traceEvents=events, otherData=about)) + b"\n"


def _process(process: TreeProcess, report: Report) -> list[_TraceEvent]:
    name = command(process.argv) or process.comm or str(process.pid)
    named = [_TraceEvent(name="process_name", ph="M", pid=process.pid, args={"name": name})]
    named += [
        _TraceEvent(name="thread_name", ph="M", pid=process.pid, tid=lane, args={"name": kind})
        for kind, lane in {"life": _LIFE, **_LANES}.items()
    ]
    begin, end = _micros(process.started, report), _micros(process.ended, report)
    if begin is None:
        return named
    begin = max(begin, 0.0)
    last = end if end is not None else report.observation.seconds * 1e6
    life = _TraceEvent(
        name=f"{name}: {fate(process)}", ph="X", pid=process.pid, tid=_LIFE, ts=begin, dur=max(0.0, last - begin),
        cat="process",
    )  # fmt: skip
    return [*named, life]


def _moment(row: TimelineRow, number: int) -> _TraceEvent:
    lane = _LANES.get(row.kind, _FIRST_LANE)
    micros = row.seconds * 1e6
    colour = "terrible" if row.bad else ""
    about: dict[str, str | int | bool] = {"at": row.at, "row": number, "failed": row.bad}
    if row.lasts is None:
        return _TraceEvent(
            name=row.text, ph="i", pid=row.pid, tid=lane, ts=micros, s="t", cat=row.kind, cname=colour, args=about
        )  # fmt: skip
    length = row.lasts * 1e6
    return _TraceEvent(
        name=row.text, ph="X", pid=row.pid, tid=lane, ts=micros - length, dur=length, cat=row.kind, cname=colour,
        args=about,
    )  # fmt: skip


def _micros(moment: str | None, report: Report) -> float | None:
    began = report.observation.began
    if not moment or not began:
        return None
    return round((datetime.fromisoformat(moment) - datetime.fromisoformat(began)).total_seconds() * 1e6, 3)
