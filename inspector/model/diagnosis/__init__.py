"""Why is it still on the CPU? Rules, one a class, a file a rung; `diagnose` ranks what they find."""

from inspector.model.coverage import summary
from inspector.model.ladder import ladders
from inspector.model.mode import mode as mode_of
from inspector.model.profiles import Profiles
from inspector.model.starts import this_start
from inspector.model.state import State
from inspector.model.verdict import Answer

from .ranking import rank
from .registry import RULES, explain, ids
from .rule import Scene
from .unexplained import unexplained

__all__ = ["diagnose", "explain", "ids"]


def diagnose(state: State, profiles: Profiles | None = None) -> Answer:
    """Everything that follows from the state: GPU mode, ladders, findings (the first is the answer), coverage."""
    profiles = profiles or state.profiles
    start = this_start(state)
    mode = mode_of(state, profiles, start)
    scene = Scene(state, profiles, mode, start)
    found = [
        (number, rule, hit)
        for number, rule in enumerate(RULES)
        if rule.notice or not scene.in_use
        for hit in rule.find(scene)
    ]
    rails = ladders(state, profiles, mode)
    findings = rank(scene, found)
    return Answer(
        mode=mode, ladders=rails, findings=[*unexplained(scene, rails, findings), *findings], coverage=summary(state)
    )
