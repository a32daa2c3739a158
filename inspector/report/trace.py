"""The timeline as lines, one a moment, as they come: for pipes, screen readers and CI."""

from itertools import islice

import msgspec

from inspector.model.state import Moment, State
from inspector.stream.text import visible

from .clock import Clock, duration
from .schema import TimelineRow


class Tracer:
    """Gives each moment of a growing state once, as a line."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._shown: dict[int, Moment] = {}
        """By identity: a late moment is put in its place in time, so positions tell nothing."""
        self._told = 0

    def lines(self, state: State) -> list[str]:
        """Lines for what came since the last call, in order of time."""
        clock = Clock.of(state.session)
        told = state.timeline_dropped + len(state.timeline)
        news, self._told = told - self._told, told
        fresh = list(islice((moment for moment in reversed(state.timeline) if id(moment) not in self._shown), news))
        if len(self._shown) > 2 * len(state.timeline) + 1000:
            self._shown = {id(moment): moment for moment in state.timeline}
        self._shown.update((id(moment), moment) for moment in fresh)
        return [self._line(row(moment, clock)) for moment in reversed(fresh)]

    def _line(self, made: TimelineRow) -> str:
        return msgspec.json.encode(made).decode() if self._as_json else as_text(made)


def row(moment: Moment, clock: Clock, lasts: float | None = None) -> TimelineRow:
    """A moment of the state as a row of the report."""
    return TimelineRow(
        at=clock.iso(moment.at) or "",
        seconds=clock.seconds(moment.at),
        pid=moment.pid,
        kind=moment.kind,
        text=visible(moment.text),
        bad=moment.bad,
        lasts=lasts,
    )


def as_text(made: TimelineRow) -> str:
    """`03:04:05.212345  845  lookup   ! dlopen ...`; the `!` marks what went wrong."""
    lasted = f"  ({duration(made.lasts)})" if made.lasts else ""
    time = made.at[11:26] or f"{made.seconds:+.6f}"
    return f"{time:<15}  {made.pid:>7}  {made.kind:<7}  {'!' if made.bad else ' '} {made.text}{lasted}"
