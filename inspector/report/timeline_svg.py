"""The timeline as an SVG: a lane for each process, its life as a bar, calls as bars in it, all else as marks.

What belongs to no process, such as log lines, has the last lane.
"""

from collections.abc import Callable

from . import phrases
from .clock import duration, seconds_between
from .schema import Report, TimelineRow, TreeProcess
from .short_text import command

_WIDTH, _LANE, _HEAD = 1000, 34, 26
_MOST_MARKS = 3000
_MOST_LANES = 80
_SHAPES = {
    "call": "M-4,-7h8v14h-8z",
    "load": "M0,-7L6,5H-6z",
    "lookup": "M0,-7L6,0L0,7L-6,0z",
    "open": "M-5,-5h10v10h-10z",
    "syscall": "M-5,5L0,-6L5,5h-3L0,0L-2,5z",
    "log": "M-2,-8h4v16h-4z",
    "process": "M-2,-9h4v18h-4z",
    "signal": "M0,-9L3,-3L9,0L3,3L0,9L-3,3L-9,0L-3,-3z",
    "note": "M-2,-4h4v8h-4z",
}
"""One form for each kind, so that colour is never alone."""
_NOBODY = 0
"""The pid of moments that belong to no process."""


def timeline(report: Report, escape: Callable[[str], str]) -> str:
    """The picture with its legend; empty when nothing happened. The x axis has 1000 units for the whole time."""
    lanes = {process.pid: number for number, process in enumerate(report.target.tree[:_MOST_LANES])}
    if any(row.pid == _NOBODY for row in report.timeline):
        lanes[_NOBODY] = len(lanes)
    begin, end = _range(report, lanes)
    if not report.target.tree or end <= begin:
        return ""
    scale = _WIDTH / (end - begin)
    height = _HEAD + _LANE * len(lanes) + 6
    parts = [_axis(begin, end, height)]
    parts += [_life(process, lanes[process.pid], report, begin, end, scale, escape)
              for process in report.target.tree[:_MOST_LANES]]  # fmt: skip
    if _NOBODY in lanes:
        parts.append(_name("logs and notes", lanes[_NOBODY], 2.0, escape))
    parts += [_mark(row, lanes[row.pid], begin, scale, escape) for row in _chosen(report, lanes)]
    kinds = dict.fromkeys(row.kind for row in report.timeline)
    legend = "".join(
        f'<span><svg viewBox="-10 -10 20 20" width="14" height="14" class="{kind}"><path d="{_SHAPES[kind]}"/></svg>'
        f"{kind}</span>"
        for kind in kinds
        if kind in _SHAPES
    )
    return (
        f'<svg id="picture" viewBox="0 0 {_WIDTH} {height}" data-begin="{begin:.6f}" data-end="{end:.6f}" '
        f'role="img" aria-label="Timeline of {len(report.target.tree)} processes over {escape(duration(end - begin))}">'
        f"{''.join(parts)}</svg><p class=legend>{legend}<span class=badmark>failed ones are red and larger</span></p>"
    )


def _range(report: Report, lanes: dict[int, int]) -> tuple[float, float]:
    moments = [row.seconds for row in report.timeline if row.pid in lanes and row.kind != "note"]
    lives = [_seconds(moment, report) for process in report.target.tree for moment in (process.started, process.ended)]
    known = [moment for moment in (*moments, *lives) if moment is not None and moment >= 0]
    begin, end = min(known, default=0.0), max(known, default=report.observation.seconds)
    margin = (end - begin) * 0.03
    return begin - margin, end + margin


def _seconds(moment: str | None, report: Report) -> float | None:
    began = report.observation.began
    if not moment or not began:
        return None
    return seconds_between(began, moment)


def _chosen(report: Report, lanes: dict[int, int]) -> list[TimelineRow]:
    rows = [row for row in report.timeline if row.pid in lanes]
    if len(rows) <= _MOST_MARKS:
        return rows
    step = len(rows) / _MOST_MARKS
    kept = {round(number * step) for number in range(_MOST_MARKS)}
    return [row for number, row in enumerate(rows) if row.bad or number in kept]


def _axis(begin: float, end: float, height: int) -> str:
    lines = []
    for number in range(11):
        x = _WIDTH * number / 10
        lines.append(f'<line class=grid x1="{x:.0f}" x2="{x:.0f}" y1="{_HEAD - 6}" y2="{height}"/>')
    return f"<g class=axis>{''.join(lines)}</g><g id=ticks></g>"


def _life(
    process: TreeProcess, lane: int, report: Report, begin: float, end: float, scale: float,
    escape: Callable[[str], str],
) -> str:  # fmt: skip
    born, died = _seconds(process.started, report), _seconds(process.ended, report)
    x1 = (max(begin, born if born is not None else begin) - begin) * scale
    x2 = (min(end, died if died is not None else end) - begin) * scale
    y = _HEAD + lane * _LANE
    bad = process.exit is not None and bool(process.exit.code or process.exit.signal)
    name = f"{process.pid} {command(process.argv) or process.comm}"
    say = f"{name}: {phrases.fate(process)}"
    return (
        f'<rect class="life{" bad" if bad else ""}" x="{x1:.3f}" y="{y + 14}" '
        f'width="{max(1.5, x2 - x1):.3f}" height="12" rx="2" data-say="{escape(say)}"/>'
        f"{_name(name[:90], lane, x1, escape)}"
    )


def _name(name: str, lane: int, x: float, escape: Callable[[str], str]) -> str:
    return f'<text class=name data-x="{x:.3f}" x="{x:.3f}" y="{_HEAD + lane * _LANE + 9}">{escape(name)}</text>'


def _mark(row: TimelineRow, lane: int, begin: float, scale: float, escape: Callable[[str], str]) -> str:
    x, y = (row.seconds - begin) * scale, _HEAD + lane * _LANE + 20
    bad = " bad" if row.bad else ""
    say = f"{phrases.time_of_day(row.at)}  PID {row.pid}  {row.kind}: {row.text}"
    if row.lasts:
        length = row.lasts * scale
        say += f"  ({duration(row.lasts)})"
        return (
            f'<rect class="{row.kind}{bad}" x="{x - length:.3f}" y="{y - 6}" '
            f'width="{max(0.8, length):.3f}" height="12" data-say="{escape(say)}"/>'
        )
    shape = _SHAPES.get(row.kind, _SHAPES["note"])
    return (
        f'<path class="{row.kind}{bad}" data-x="{x:.3f}" transform="translate({x:.3f} {y})" d="{shape}" '
        f'data-say="{escape(say)}"/>'
    )
