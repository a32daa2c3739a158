"""The ladders as lines: a table of rails, or one rail with its reasons. Pure."""

from collections.abc import Sequence

from inspector.model.formatting import plural
from inspector.model.verdict import RUNGS, Answer, Ladder, Rung, RungName

from .header import Line, labelled, wrapped
from .pane_context import PaneContext
from .paths import short_paths
from .tables.answers import glyph_of
from .tables.row import Span, Tone

SHORT: dict[RungName, str] = {
    "environment": "env", "mapped": "map", "exported": "exp", "reachable": "reach", "resolved": "resolve",
    "called": "call", "returned": "return", "logged": "log", "used": "use",
}  # fmt: skip
LONG: dict[RungName, str] = {name: name for name in RUNGS}
_OWNER = 12
"""Columns of the pid or the number of processes behind a rail."""


def shown_rails(answer: Answer | None) -> list[Ladder]:
    """Rails that lead anywhere: a program that has nothing to do with a GPU has none."""
    return [one for one in (answer.ladders if answer is not None else ()) if one.first_broken or _goes_on(one)]


def _goes_on(rail: Ladder) -> bool:
    return any(rung.reached for rung in rail.rungs if rung.rung not in ("environment", "logged"))


def folded(rails: Sequence[Ladder], pid: int | None) -> list[list[Ladder]]:
    """Rails of one API that went alike are one; those of the process that the finding is about come first."""
    groups: dict[object, list[Ladder]] = {}
    for one in sorted(rails, key=lambda rail: rail.pid != pid):
        groups.setdefault((one.api, one.first_broken, *map(glyph_of, one.rungs)), []).append(one)
    return list(groups.values())


def table(context: PaneContext, pid: int | None, width: int, most: int) -> list[Line]:
    """A line of rungs, a line for each rail with its signs, and what is left out; at most `most` lines."""
    groups = folded(shown_rails(context.answer), pid)
    if not groups or most < 2:
        return []
    rows = groups[: most - 1] if len(groups) < most else groups[: max(1, most - 2)]
    names = [_name(group) for group in rows]
    first = rows[0][0].first_broken
    steps = [name for name in RUNGS if name != "logged" or first == "logged"]
    room = max(map(len, names)) + 2
    words = LONG if room + sum(len(name) + 2 for name in steps) + _OWNER <= width else SHORT
    lines = [_heads(steps, words, first, room, width)]
    lines += [_row(context, group, name, steps, words, room) for group, name in zip(rows, names, strict=True)]
    rest = groups[len(rows) :]
    return [*lines, _rest(rest, first)] if rest and most > 2 else lines


def _name(group: Sequence[Ladder]) -> str:
    return f"{group[0].api} ×{len(group)}" if len(group) > 1 else group[0].api


def _heads(
    steps: Sequence[RungName], words: dict[RungName, str], broken: RungName | None, room: int, width: int
) -> Line:
    spans: list[Span] = [(f" {'─' * (room - 2)} ", "quiet")]
    for name in steps:
        spans.append((f" {words[name].upper()} ", "no") if name == broken else (f" {words[name]} ", "quiet"))
    used = sum(len(text) for text, _ in spans)
    return Line((*spans, (" " + "─" * max(0, width - used - 2), "quiet")))


def _row(
    context: PaneContext,
    group: Sequence[Ladder],
    name: str,
    steps: Sequence[RungName],
    words: dict[RungName, str],
    room: int,
) -> Line:
    spans: list[Span] = [(f" {name:<{room - 1}}", "name")]
    rungs = {rung.rung: rung for rung in group[0].rungs}
    for step in steps:
        glyph, tone = glyph_of(rungs[step])
        spans.append((f"{glyph:^{len(words[step]) + 2}}", tone))
    return Line((*spans, (f"  {_owner(context, group)}", "quiet")))


def _owner(context: PaneContext, group: Sequence[Ladder]) -> str:
    """`28465 ○ +1`: whose rail the first one is, that it has ended, and how many more there are."""
    one = group[0]
    return f"{one.pid}{' ○' if _has_ended(context, one) else ''}{f' +{len(group) - 1}' if len(group) > 1 else ''}"


def _rest(groups: Sequence[Sequence[Ladder]], broken: RungName | None) -> Line:
    alike = sum(1 for group in groups if broken is not None and group[0].first_broken == broken)
    others = len(groups) - alike
    parts = [f"{plural(alike, 'more rail')} {'breaks' if alike == 1 else 'break'} at the same rung"] if alike else []
    parts += [f"{plural(others, 'other rail' if alike else 'more rail')}"] if others else []
    return Line(((f" {', '.join(parts)}", "quiet"),), (("L all ", "quiet"),))


def in_column(context: PaneContext, pid: int | None, width: int, most: int) -> list[Line]:
    """The first rail upright below a title of its own, and a line of room behind it; nothing without a rail."""
    lines = upright(context, pid, width, most - 2)
    if not lines:
        return []
    group = folded(shown_rails(context.answer), pid)[0]
    title: list[Span] = [(" LADDER ", "strong"), (f"{_name(group)} in {_owner(context, group)} ", "name")]
    used = sum(len(text) for text, _ in title)
    return [Line((*title, ("─" * max(0, width - used - 1), "quiet"))), *lines, Line()]


def upright(context: PaneContext, pid: int | None, width: int, most: int) -> list[Line]:
    """The first rail with the reason of each rung, what was not reached in one line, and the other rails folded.

    Reasons are told in full where there is room for all of them beside the other rails.
    """
    groups = folded(shown_rails(context.answer), pid)
    if not groups:
        return []
    rail = groups[0][0]
    steps = [rung for rung in rail.rungs if rung.rung != "logged" or rail.first_broken == "logged"]
    reached = [rung for rung in steps if rung.reached]
    behind = [f"· {rung.rung}" for rung in steps if not rung.reached]
    last = [Line(((f" {'  '.join(behind)}", "quiet"),))] if behind else []
    others = len(groups) if len(groups) > 1 else 0
    lines = [line for rung in reached for line in _reason(rung, rail.first_broken, width, in_full=True)] + last
    if len(lines) + others > most:
        lines = [line for rung in reached for line in _reason(rung, rail.first_broken, width)] + last
    room = most - len(lines)
    if len(groups) > 1 and room > 1:
        lines += table_of(context, groups[1:], rail.first_broken, width, room)
    return lines[:most]


def table_of(
    context: PaneContext, groups: Sequence[Sequence[Ladder]], broken: RungName | None, width: int, most: int
) -> list[Line]:
    """Further rails below the first."""
    rows = groups if len(groups) < most else groups[: most - 2]
    names = [_name(group) for group in rows]
    steps = [name for name in RUNGS if name != "logged"]
    room = max(map(len, names), default=0) + 2
    lines = [_heads(steps, SHORT, None, room, width)] if rows else []
    lines += [_row(context, group, name, steps, SHORT, room) for group, name in zip(rows, names, strict=True)]
    return [*lines, _rest(groups[len(rows) :], broken)] if len(rows) < len(groups) else lines


def _reason(rung: Rung, broken: RungName | None, width: int, *, in_full: bool = False) -> list[Line]:
    """A rung with why; the reason of the break is always told in full."""
    glyph, tone = glyph_of(rung)
    detail, breaks = short_paths(rung.detail), rung.rung == broken
    first, *more = (wrapped(detail, width - 16) or [""]) if breaks or in_full else [detail]
    name: Span = (f"{rung.rung.upper():<12}", "no") if breaks else (f"{rung.rung:<12}", "plain")
    words: Tone = "strong" if breaks else "quiet"
    return [Line(((f" {glyph} ", tone), name, (first, words))), *labelled("", more, words, indent=15)]


def _has_ended(context: PaneContext, ladder: Ladder) -> bool:
    owner = next(
        (one for one in context.state.processes if (one.pid, one.started) == (ladder.pid, ladder.started)), None
    )
    owner = owner or context.state.current.get(ladder.pid)
    return owner is not None and bool(owner.ended)
