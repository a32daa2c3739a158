"""The timeline: moments in order of time, bounded."""

from bisect import bisect_right
from operator import attrgetter
from typing import TypeVar

from inspector.model.state import Moment, MomentKind, Process, State
from inspector.stream.text import visible

T = TypeVar("T")
_at = attrgetter("at")
LIMIT = 20_000
"""Moments kept; the oldest tenth goes when there are more."""


def tell(state: State, at: int, pid: int, kind: MomentKind, text: str, *, bad: bool = False, key: str = "") -> None:
    """Put one row into the timeline at its place in time."""
    timeline = state.timeline
    moment = Moment(at=at, pid=pid, kind=kind, text=visible(text), bad=bad, key=key)
    if not timeline or at >= timeline[-1].at:
        timeline.append(moment)
    else:
        timeline.insert(bisect_right(timeline, at, key=_at), moment)
    if len(timeline) > LIMIT:
        gone = LIMIT // 10
        del timeline[:gone]
        state.timeline_dropped += gone
    touch(state, "timeline")


def touch(state: State, *panes: str) -> None:
    """Mark these panes as changed, so that they are listed again."""
    for pane in panes:
        state.revisions[pane] = state.revisions.get(pane, 0) + 1


def keep(items: list[T], item: T, limit: int) -> None:
    """Append, and drop the oldest tenth when the list has outgrown its limit."""
    items.append(item)
    if len(items) > limit:
        del items[: max(1, limit // 10)]


def process_at(state: State, pid: int, at: int) -> Process:
    """The process that had this pid at that moment; one that was never announced is added, so that no event is lost."""
    process = state.current.get(pid)
    if process is None:
        process = Process(pid=pid, ppid=0, started=at, origin="unseen")
        state.processes.append(process)
        state.current[pid] = process
    while process.previous is not None and at < process.started:
        process = process.previous
    process.revision += 1
    return process
