"""Why is it still on the CPU? One analysis, from which the mode, the ladders and the findings come."""

from collections.abc import Generator

from inspector.model.analysis import analyse
from inspector.model.causes.context import Context
from inspector.model.causes.registry import explain, ids
from inspector.model.coverage import summary
from inspector.model.decision import decide
from inspector.model.ladder import ladders
from inspector.model.log_runs import this_start
from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.model.verdict import Answer, Ladder

from .breaks import another_process, breaks, in_order
from .findings import Told, findings, told
from .reached import reached

__all__ = ["diagnose", "draw", "explain", "ids"]


def diagnose(state: State, profiles: Profiles | None = None) -> Answer:
    """Everything that follows from the state: GPU mode, ladders, findings (the first is the answer), coverage."""
    steps = draw(state, profiles or state.profiles)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def draw(state: State, profiles: Profiles) -> Generator[None, None, Answer]:
    """As `diagnose`, in steps, so that a screen can answer keys in between; the state must not change meanwhile."""
    analysis = yield from analyse(state, profiles, this_start(state))
    decision = decide(analysis)
    yield
    context = Context(analysis, decision)
    said: list[Told] = []
    for one in told(context):
        said.append(one)
        yield
    broken = breaks(context, said)
    rails: list[Ladder] = []
    for rail in ladders(analysis, decision, broken, explained=another_process(said)):
        rails.append(rail)
        yield
    return Answer(
        mode=decision.mode,
        ladders=in_order(rails, context, said),
        findings=findings(context, said),
        progress=reached(analysis),
        excused={(one.process.pid, one.at): why for one, why in analysis.excused.items()},
        coverage=summary(state),
    )
