"""The lines above the panes: who is watched, the answer, the ladders, the tabs. Pure: state in, spans out."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from inspector.model.formatting import duration, plural, size
from inspector.model.state import State
from inspector.model.verdict import RUNGS, Answer, Finding, Ladder, RungName

from .pane_context import PaneContext, short_name
from .panes.pane import Pane
from .tables.answers import SEVERITIES, glyph_of
from .tables.gpu import mode_words
from .tables.row import Cell, Span, Tone

SHORT: dict[RungName, str] = {
    "environment": "env",
    "mapped": "map",
    "exported": "exp",
    "reachable": "reach",
    "resolved": "res",
    "called": "call",
    "returned": "ret",
    "logged": "log",
    "used": "use",
}
LONG: dict[RungName, str] = {name: name for name in RUNGS}
DOT: Span = (" · ", "quiet")


HINTS = (("/", "filter"), ("a", "proof"), ("y", "copy"), ("?", "keys"), ("q", "quit"))
"""Keys that mean something in every pane."""


class Line(NamedTuple):
    """One line: what stands left and may be cropped, what stands right and stays."""

    left: Cell = ()
    right: Cell = ()


class Status(NamedTuple):
    """How the observation itself is doing."""

    words: str
    tone: Tone = "quiet"


# Top


def top(context: PaneContext, status: Status, recording: bool, mark: str) -> Line:
    """Target, tree, vitals and state of the observation; mode and limits on the right."""
    state = context.state
    left: list[Span] = [(" ", "plain"), (target(state), "strong")]
    left += [DOT, (status.words, status.tone)]
    if recording:
        left += [DOT, ("● recording", "no")]
    if mark:
        left += [DOT, (f"◆ {mark}", "name")]
    for words in (tree(state), vitals(state)):
        if words:
            left += [DOT, (words, "plain")]
    glyph, words, tone = mode_words(context)
    right: list[Span] = [(" ", "plain"), (f"{glyph} {words}", tone)]
    hidden = len(state.limits)
    if hidden:
        right += [DOT, (f"{plural(hidden, 'limit')}: l", "unknown")]
    return Line(tuple(left), (*right, (" ", "plain")))


def target(state: State) -> str:
    """What is watched: program and pid of the oldest process, else the target as it was named."""
    if state.processes:
        first = state.processes[0]
        return f"{short_name(first)} {first.pid}"
    return state.session.target if state.session is not None else "inspector"


def tree(state: State) -> str:
    """`3 processes, 2 ended`."""
    if not state.processes:
        return ""
    ended = sum(1 for one in state.processes if one.ended)
    words = "1 process" if len(state.processes) == 1 else f"{len(state.processes)} processes"
    return f"{words}, {ended} ended" if ended else words


def vitals(state: State) -> str:
    """CPU and memory of all living processes together."""
    known = [one.vitals for one in state.current.values() if one.vitals is not None and not one.ended]
    if not known:
        return ""
    return f"{sum(one.cpu for one in known):.0f}% {size(sum(one.rss for one in known))}"


# Answer


def answer(context: PaneContext, number: int, width: int, most: int) -> list[Line]:
    """One finding in at most `most` lines: its sentence, its cause, its next step."""
    found = context.answer.findings if context.answer is not None else []
    if not found:
        return _no_answer(context, width, most)
    finding = found[number % len(found)]
    return _told(finding, number % len(found), len(found), width, most)


def _told(finding: Finding, number: int, total: int, width: int, most: int) -> list[Line]:
    glyph, tone = SEVERITIES[finding.severity]
    right = f"{number + 1}/{total} [ ] "
    title = _wrapped(finding.title, width - 4 - len(right)) or [""]
    spare = max(1, most - 2)
    heads = enumerate(_clipped(title, min(spare, 2)))
    lines = [Line(((f" {' ' if place else glyph} ", tone), (part, "strong"))) for place, part in heads]
    lines[0] = lines[0]._replace(right=((right, "quiet"),))
    rest = most - len(lines)
    cause, step = (_wrapped(text, width - 10) for text in (finding.cause, finding.next_step))
    share = max(1, rest - min(len(step), max(1, rest // 2)))
    lines += _labelled("why", cause[:], share, "plain")
    lines += _labelled("next", step, max(1, most - len(lines)), "name")
    return lines[:most]


def finding_in_full(finding: Finding, width: int, most: int) -> list[Line]:
    """A finding for the head of its evidence: all that it says, as far as it fits."""
    glyph, tone = SEVERITIES[finding.severity]
    title = _wrapped(finding.title, width - 4)
    lines = [Line(((f" {glyph if not place else ' '} ", tone), (part, "strong"))) for place, part in enumerate(title)]
    for label, text in (("why", finding.cause), ("next", finding.next_step), ("doubt", finding.doubt)):
        if text:
            lines += _labelled(label, _wrapped(text, width - 10), 4, "name" if label == "next" else "plain")
    return [*lines[:most], Line()]


def problem(words: str, width: int) -> list[Line]:
    """What is wrong with the observation itself, in at most three lines."""
    parts = _clipped(_wrapped(words, width - 4), 3)
    return [Line(((f" {' ' if place else '✗'} ", "no"), (part, "plain"))) for place, part in enumerate(parts)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width), break_on_hyphens=False)


def _clipped(parts: Sequence[str], most: int) -> list[str]:
    if len(parts) <= most:
        return list(parts)
    return [*parts[: most - 1], " ".join(parts[most - 1 :])]


def _labelled(label: str, parts: Sequence[str], most: int, tone: Tone) -> list[Line]:
    shown = _clipped(parts, most)
    return [Line(((f"   {label if not place else '':<6}", "quiet"), (part, tone))) for place, part in enumerate(shown)]


def _no_answer(context: PaneContext, width: int, most: int) -> list[Line]:
    state = context.state
    if state.missing is not None:
        lines = problem(state.missing.why, width)
        return lines + _labelled("next", _wrapped(state.missing.help, width - 10), 2, "name")
    working = [f"{one.task} {one.done:,} of {one.total:,}" for one in state.work.values()]
    words = ", ".join(working) or _silence(context)
    coverage = context.answer.coverage if context.answer is not None and state.processes else ""
    lines = [Line(((" ? ", "unknown"), (words, "strong")))]
    return [*lines, *_labelled("seen", _wrapped(coverage, width - 10), most - 1, "quiet")][:most]


def _silence(context: PaneContext) -> str:
    """What is to be said without a finding: every answer about a process has one."""
    return "looking" if context.live else "nothing was observed"


# Ladders


def rails(context: PaneContext, width: int, most: int, current: int | None) -> list[Line]:
    """The ladders that matter first; processes that ended with the same ladder share a line."""
    groups: dict[object, list[Ladder]] = {}
    for one in ordered(context.answer, current):
        groups.setdefault(_alike(context, one), []).append(one)
    shown = list(groups.values())[:most]
    names = [_rail_name(context, group) for group in shown]
    widest = max(map(len, names), default=0)
    more = f" +{len(groups) - most} more: L " if len(groups) > most else ""
    room = width - len(more)
    lines = [rail(group[0], name.ljust(widest), room) for group, name in zip(shown, names, strict=True)]
    return [*lines[:-1], lines[-1]._replace(right=((more, "quiet"),))] if lines else []


def _alike(context: PaneContext, ladder: Ladder) -> object:
    """What ladders of processes that have ended have in common when one line stands for all of them."""
    if not _has_ended(context, ladder):
        return ladder.pid, ladder.started, ladder.api
    return ladder.api, ladder.first_broken, *(one.state for one in ladder.rungs)


def ordered(found: Answer | None, pid: int | None) -> list[Ladder]:
    """Ladders of the process that the finding is about first, otherwise as the answer has them."""
    return sorted(found.ladders if found is not None else (), key=lambda one: one.pid != pid)


def _has_ended(context: PaneContext, ladder: Ladder) -> bool:
    owner = next(
        (one for one in context.state.processes if (one.pid, one.started) == (ladder.pid, ladder.started)), None
    )
    owner = owner or context.state.current.get(ladder.pid)
    return owner is not None and bool(owner.ended)


def _rail_name(context: PaneContext, group: Sequence[Ladder]) -> str:
    first, more = group[0], f" ×{len(group)}" if len(group) > 1 else ""
    return f"{first.api} {first.pid}" + (" ○" if _has_ended(context, first) else "") + more


def rail(ladder: Ladder, name: str, width: int) -> Line:
    """Nine rungs with glyph and word; the longest form that fits."""
    for words, gap in ((LONG, " ─ "), (LONG, "  "), (SHORT, " ─ "), (SHORT, " ")):
        spans = _rungs(ladder, words, gap)
        if len(name) + 2 + sum(len(text) for text, _ in spans) < width:
            break
    broken = next((one for one in ladder.rungs if one.rung == ladder.first_broken), None)
    room = width - len(name) - 2 - sum(len(text) for text, _ in spans)
    tail: list[Span] = [(f"   {broken.detail}", "quiet")] if broken is not None and room > 24 else []
    return Line(((f" {name} ", "name"), *spans, *tail))


def _rungs(ladder: Ladder, words: dict[RungName, str], gap: str) -> list[Span]:
    out: list[Span] = []
    for number, one in enumerate(ladder.rungs):
        glyph, tone = glyph_of(one)
        after = ladder.first_broken in words and number > RUNGS.index(ladder.first_broken or "used")
        word_tone: Tone = "strong" if one.rung == ladder.first_broken else "quiet" if after else "plain"
        if number:
            out.append((gap, "quiet"))
        joint = " " if "─" in gap else ""
        out += [(glyph + joint, tone), (words.get(one.rung, one.rung), word_tone)]
    return out


# Tabs and the line over a pane


def tabs(panes: Sequence[Pane], current: int, context: PaneContext, width: int) -> list[Cell]:
    """One cell a tab; counts only when all fit."""
    full = [_tab(number, pane, current, pane.count(context)) for number, pane in enumerate(panes)]
    if sum(len(text) for one in full for text, _ in one) + 1 <= width:
        return full
    return [_tab(number, pane, current, 0) for number, pane in enumerate(panes)]


def _tab(number: int, pane: Pane, current: int, count: int) -> Cell:
    tone: Tone = "here" if number == current else "plain"
    counted: Iterable[Span] = ((f"{_few(count)} ", tone if tone == "here" else "quiet"),) if count else ()
    return ((f" {number + 1} ", tone if tone == "here" else "quiet"), (f"{pane.title} ", tone), *counted)


def _few(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


def pane_title(pane: Pane) -> Line:
    """What the pane lists; how much of it, by which filter."""
    listing = pane.listing
    shown, total = len(listing), pane.total()
    parts = [f"{shown:,} of {total:,}" if shown != total else f"{total:,}"]
    if pane.pattern:
        parts.append(f"/{pane.pattern}" + (" …" if listing.scanning else ""))
    elif listing.pattern:
        parts.append(f"{listing.matching:,} match {listing.pattern}: n N")
    if listing.follow:
        parts.append("following")
    inside = pane.ticks and listing.table.heading
    tone: Tone = "unknown" if inside and " inside " in str(inside) else "quiet"
    return Line(((" ", "plain"), (listing.table.heading, tone)), ((" " + " · ".join(parts) + " ", "quiet"),))


def hints(own: Iterable[tuple[str, str]], width: int, everywhere: Iterable[tuple[str, str]] = HINTS) -> Line:
    """The keys of a pane and those of all panes, as many as fit; help and quit always."""
    cells: list[Cell] = [((key, "name"), (f" {what}   ", "quiet")) for key, what in (*own, *everywhere)]
    while len(cells) > 2 and sum(len(text) for one in cells for text, _ in one) > width - 2:
        del cells[-3]
    return Line(((" ", "plain"), *(span for one in cells for span in one)))


def control(now: int, begin: int, end: int, playing: bool, speed: float, width: int) -> Line:
    """Where a recording stands: a rail to click on, times, speed."""
    glyph = "▶" if playing else "║"
    words = f" {duration(now - begin)} of {duration(end - begin)}  x{speed:g} "
    keys = " space , . < > T " if width >= 70 else ""
    room = max(4, width - len(words) - len(keys) - 4)
    done = round(room * (now - begin) / max(1, end - begin))
    left: Cell = ((f" {glyph} ", "strong"), ("━" * done, "name"), ("─" * (room - done), "quiet"), (words, "plain"))
    return Line(left, ((keys, "quiet"),))


# How much room they take


def answer_lines(height: int) -> int:
    """Lines that the answer may take on a screen of so many lines."""
    return 3 if height < 20 else 6 if height < 30 else 7 if height < 50 else 9


def rail_lines(height: int) -> int:
    """Ladders that are shown."""
    return 1 if height < 20 else 2 if height < 30 else 4 if height < 50 else 8
