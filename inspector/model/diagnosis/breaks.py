"""Where rails break, as the findings tell it: the answer first, then every other stop of a family that computes."""

from collections.abc import Iterable

from inspector.model.causes.context import Context
from inspector.model.families import MANAGEMENT
from inspector.model.ladder import ANY, Break
from inspector.model.state import Process
from inspector.model.verdict import Ladder

from .findings import Told, subject_of


def breaks(context: Context, said: list[Told]) -> dict[tuple[Process, str], Break]:
    """For each process and family what breaks its rails: nothing where nobody is to blame."""
    first = min(said, key=lambda each: each.order, default=None)
    if first is None or not _blames(context, first):
        return {}
    found: dict[tuple[Process, str], Break] = {}
    for one in [first, *(each for each in said if subject_of(each) == subject_of(first))]:
        for process, family in _places(one):
            found.setdefault((process, family), _break(one))
    for one in sorted(said, key=lambda each: each.order):
        if one.chain and one.family and one.family not in MANAGEMENT and one.hit.severity != "info":
            found.setdefault((one.chain[0].process, one.family), _break(one))
    return found


def _blames(context: Context, first: Told) -> bool:
    """It says why; a warning does so only where no GPU is in use, and never by what a log alone tells."""
    if first.hit.severity == "warning":
        return not context.in_use and first.rule.place != "logged"
    return first.hit.severity == "error"


def _places(one: Told) -> Iterable[tuple[Process, str]]:
    """The process of which it speaks, and the one that stopped."""
    stopped = one.chain[0].process if one.chain else None
    if stopped is not None and one.family:
        yield stopped, one.family
    if one.hit.process is not None and (one.hit.process is not stopped or not one.family):
        yield one.hit.process, one.family if one.chain else ANY


def _break(one: Told) -> Break:
    return Break(
        place=one.hit.place or one.rule.place,
        title=one.hit.title,
        evidence=tuple(one.hit.evidence[:8]),
        apis=frozenset(attempt.api for attempt in one.chain if attempt.api),
        called=any(attempt.kind == "call" for attempt in one.chain),
        doubtful=one.hit.severity == "warning" and one.hit.confidence != "proven",
    )


def in_order(rails: Iterable[Ladder], context: Context, said: list[Told]) -> list[Ladder]:
    """The rails of the process that the answer is about first, then who broke or got furthest."""
    first = min(said, key=lambda each: each.order, default=None)
    about = first.hit.process if first is not None else None
    about = about or context.decision.process
    who = (about.pid, about.started) if about is not None else None

    def place(rail: Ladder) -> tuple[bool, bool, bool, int]:
        steps = [number for number, rung in enumerate(rail.rungs) if rung.state == "yes" and rung.rung != "logged"]
        reads_only = rail.api in context.profiles.apis and context.profiles.apis[rail.api].mode is None
        return (rail.pid, rail.started) != who, rail.first_broken is None, reads_only, -max(steps, default=-1)

    return sorted(rails, key=place)
