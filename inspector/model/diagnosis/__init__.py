"""Why is it still on the CPU? Rules, one a class, a file a rung; `diagnose` ranks what they find."""

from collections.abc import Generator

from inspector.model.coverage import summary
from inspector.model.ladder import ladders
from inspector.model.mode import mode as mode_of
from inspector.model.profiles import Profiles
from inspector.model.starts import this_start
from inspector.model.state import State
from inspector.model.verdict import Answer, Ladder

from .ranking import rank
from .registry import RULES, explain, ids
from .rule import Hit, Rule, Scene
from .unexplained import unexplained

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
    start = this_start(state)
    mode = mode_of(state, profiles, start)
    yield
    scene = Scene(state, profiles, mode, start)
    found: list[tuple[int, Rule, Hit]] = []
    for number, rule in enumerate(RULES):
        if rule.notice or not scene.in_use:
            found += [(number, rule, hit) for hit in rule.find(scene)]
            yield
    rails: list[Ladder] = []
    for rail in ladders(state, profiles, mode):
        rails.append(rail)
        yield
    findings = rank(scene, found)
    return Answer(
        mode=mode, ladders=rails, findings=[*unexplained(scene, rails, findings), *findings], coverage=summary(state)
    )
