"""The lines above the panes: who is watched, the answer, the ladders, the tabs. Pure: state in, spans out."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from inspector.model.formatting import duration, plural, size
from inspector.model.state import State

from .ages import since
from .pane_context import PaneContext, short_name, title_of
from .panes.pane import Pane
from .session import Session
from .tables.gpu import mode_words
from .tables.row import Cell, Span, Tone

DOT: Span = (" · ", "quiet")


HINTS = (("/", "filter"), ("a", "proof"), ("y", "copy"), ("?", "keys"), ("q", "quit"))
"""Keys that mean something in every pane."""


def quitting(program: str) -> tuple[tuple[str, str], ...]:
    """The same where quitting ends a program, because we started it; empty: it ends none."""
    return (*HINTS[:-1], ("q", f"quit and end {program}")) if program else HINTS


class Line(NamedTuple):
    """One line: what stands left and may be cropped, what stands right and stays."""

    left: Cell = ()
    right: Cell = ()


class Status(NamedTuple):
    """How the observation itself is doing."""

    words: str
    tone: Tone = "quiet"


# Top


def top(context: PaneContext, status: Status, recording: bool, mark: str, width: int) -> Line:
    """Target, tree, vitals and state of the observation; mode and limits on the right.

    Where there is no room for all, vitals go first, then the tree (its tab counts too), then the age of the last event.
    """
    state = context.state
    left: list[Span] = [(" ", "plain"), (target(state), "strong")]
    if context.process is not None:
        left += [(" › ", "quiet"), (title_of(context.process), "name")]
    left += [DOT, (status.words, status.tone)]
    if recording:
        left += [DOT, ("● recording", "no")]
    if mark:
        left += [DOT, (f"◆ {mark}", "name")]
    glyph, words, tone = mode_words(context)
    right: list[Span] = [(" ", "plain"), (f"{glyph} {words}", tone)]
    hidden = len(state.limits)
    if hidden:
        right += [DOT, (f"{plural(hidden, 'limit')} (l)", "unknown")]
    age = f"event {since(context.now - state.timeline[-1].at)}" if context.live and state.timeline else ""
    parts: list[Span] = [(age, "quiet"), (tree(state), "plain"), (vitals(state), "plain")]
    for gone in ("", vitals(state), tree(state), age):
        parts = [part for part in parts if part[0] and part[0] != gone]
        more = [span for part in parts for span in (DOT, part)]
        if sum(len(text) for text, _ in (*left, *more, *right)) < width:
            break
    return Line((*left, *more), (*right, (" ", "plain")))


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


def status_of(session: Session) -> Status:
    """How the observation is doing, in a word."""
    state = session.state
    feed = session.feed
    if session.playback is not None:
        return Status("recorded")
    if feed.recorded:
        return Status("reading the recording")
    if session.paused:
        return Status(f"paused, {session.waiting} waiting", "unknown")
    if feed.alive:
        return Status("live", "yes") if state.session is not None else Status("connecting", "unknown")
    if state.missing is not None and not state.processes:
        return Status("✗ not observed", "no")
    if feed.error:
        return Status("✗ ended" if state.ended is not None else "✗ collector died", "no")
    return Status(f"ended: {state.ended.reason}" if state.ended is not None and state.ended.reason else "ended")


# Lines of words


def problem(words: str, width: int) -> list[Line]:
    """What is wrong with the observation itself, in at most three lines."""
    parts = wrapped(words, width - 4)
    return labelled(" ✗ ", [*parts[:2], " ".join(parts[2:])] if len(parts) > 3 else parts, "plain", indent=3, mark="no")


def wrapped(text: str, width: int, beside: int = 0) -> list[str]:
    """A text in lines of so many columns, never broken inside a word; the first one leaves room `beside` it."""
    lines = textwrap.wrap(text, max(20, width), break_on_hyphens=False, initial_indent=" " * min(beside, width // 2))
    return [lines[0].lstrip(), *lines[1:]] if lines else []


def labelled(label: str, parts: Sequence[str], tone: Tone, *, indent: int, mark: Tone = "quiet") -> list[Line]:
    """Lines of a text under each other, the first behind a label of `indent` columns."""
    return [Line(((f"{'' if place else label:<{indent}}", mark), (part, tone))) for place, part in enumerate(parts)]


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
        parts.append(f"/{pane.pattern}")
    elif listing.pattern:
        parts.append(f"{listing.matching:,} match {listing.pattern}: n N")
    if pane.progress:
        parts.append(pane.progress)
    if listing.follow and not pane.over:
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


def answer_room(height: int) -> int:
    """Lines that the answer may take on a screen of so many lines."""
    return 3 if height < 20 else 8 if height < 30 else 10 if height < 50 else 12


def ladder_room(height: int) -> int:
    """Lines that the ladders may take."""
    return 2 if height < 20 else 3 if height < 30 else 6 if height < 50 else 10
