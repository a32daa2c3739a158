"""Questions to the analysis, as tests ask them."""

from inspector.model.analysis import Analysis, analyse
from inspector.model.attempts import Attempt
from inspector.model.decision import Decision, decide
from inspector.model.log_runs import this_start
from inspector.model.state import State


def analysis(state: State) -> Analysis:
    """All of it at once."""
    steps = analyse(state, state.profiles, this_start(state))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def decision(state: State) -> Decision:
    """What the program computes on, and for which reason."""
    return decide(analysis(state))


def chain(state: State) -> list[str]:
    """The links of the deciding chain by what was asked for, the stop first."""
    return [one.what for one in decision(state).chain]


def excused(state: State) -> dict[str, str]:
    """What was refused and made good, with the reason."""
    return {one.what: why for one, why in analysis(state).excused.items()}


def attempt(state: State, what: str) -> Attempt:
    """The first attempt of that name."""
    rows = (one for rows in analysis(state).attempts.values() for one in rows)
    return next(one for one in rows if one.what == what)
