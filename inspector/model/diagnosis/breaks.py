"""Where rails break, as the findings tell it: the answer first, then every other stop of a family that computes."""

import re
from collections.abc import Iterable

from inspector.model.causes.context import Context
from inspector.model.families import MANAGEMENT
from inspector.model.formatting import name_of
from inspector.model.ladder import ANY, Break
from inspector.model.state import Process
from inspector.model.verdict import Ladder

from .findings import Told, subject_of

_PARTS = re.compile(r"[:@=\s]+")
"""What stands between the names of a subject: `libggml-cuda.so:cublasCreate_v2@libcublas.so.12`."""


def breaks(context: Context, said: list[Told]) -> dict[tuple[Process, str], Break]:
    """For each process and family what breaks its rails: nothing where nobody is to blame."""
    first = min(said, key=lambda each: each.order, default=None)
    if first is None or not _blames(context, first):
        return {}
    found: dict[tuple[Process, str], Break] = {}
    same = [first, *(each for each in said if each is not first and _same(each, first))]
    for one in same:
        for process, family in _places(one):
            found.setdefault((process, family), _break(context, one, answers=True))
    for one in sorted(said, key=lambda each: each.order):
        if one.chain and one.family and one.family not in MANAGEMENT and one.hit.severity != "info" and one not in same:
            found.setdefault((one.chain[0].process, one.family), _break(context, one))
    return found


def _same(one: Told, first: Told) -> bool:
    """It is the answer in another process, and as sure there: what is only expected of a process breaks nothing."""
    alike = (one.hit.severity, one.hit.confidence) == (first.hit.severity, first.hit.confidence)
    return alike and subject_of(one) == subject_of(first)


def another_process(said: list[Told]) -> bool:
    """The answer is that another process is the one to look at: that breaks nothing in this one."""
    first = min(said, key=lambda each: each.order, default=None)
    return first is not None and first.hit.severity == "error" and _elsewhere(first)


def _elsewhere(one: Told) -> bool:
    return (one.hit.place or one.rule.place) == "which process"


def _blames(context: Context, first: Told) -> bool:
    """It says why; a warning does so only where no GPU is in use, and never by what a log alone tells."""
    if _elsewhere(first):
        return False
    if first.hit.severity == "warning":
        return not context.in_use and first.rule.place != "logged"
    return first.hit.severity == "error"


def _places(one: Told) -> Iterable[tuple[Process, str]]:
    """The process of which it speaks, where its root is; else the one that stopped."""
    stopped = one.chain[0].process if one.chain else None
    process = one.hit.process or stopped
    if process is not None:
        yield process, one.family if one.chain else ANY


def _break(context: Context, one: Told, *, answers: bool = False) -> Break:
    return Break(
        place=one.hit.place or one.rule.place,
        title=one.hit.title,
        names=frozenset(name_of(part) for part in _PARTS.split(one.hit.subject) if part),
        evidence=tuple(one.hit.evidence[:8]),
        api=_api_of_root(context, one),
        apis=frozenset(attempt.api for attempt in one.chain if attempt.api),
        calls=frozenset(attempt.api for attempt in one.chain if attempt.kind == "call"),
        doubtful=one.hit.severity == "warning" and one.hit.confidence != "proven",
        answers=answers,
    )


def _api_of_root(context: Context, one: Told) -> str:
    """The API that the root is about: by what the finding names, what proves it, or the last refusal of the chain."""
    provided = {
        library.path: apis.provides
        for library in (one.hit.process.libraries.values() if one.hit.process is not None else ())
        if (apis := context.state.apis.get(library.file)) is not None
    }
    for name in _PARTS.split(one.hit.subject):
        api = context.profiles.api_of_soname(name) or context.profiles.api_of_function(name)
        api = api or next(iter(sorted(provided.get(name, ()))), None)
        if api is not None or name in context.profiles.apis:
            return api or name
    for name in _PARTS.split(one.hit.evidence[0].text) if one.hit.evidence else ():
        if (api := context.profiles.api_of_function(name)) is not None:
            return api
    return next((attempt.api for attempt in reversed(one.chain) if attempt.api), "")


def in_order(rails: Iterable[Ladder], context: Context, said: list[Told]) -> list[Ladder]:
    """The rails of the process that the answer is about first, then who broke or got furthest."""
    first = min(said, key=lambda each: each.order, default=None)
    about = first.hit.process if first is not None else None
    about = about or context.decision.process
    who = (about.pid, about.started) if about is not None else None
    root = _api_of_root(context, first) if first is not None and _blames(context, first) else ""

    def rank(rail: Ladder) -> tuple[bool, bool, bool, bool, int]:
        steps = [number for number, rung in enumerate(rail.rungs) if rung.state == "yes" and rung.rung != "logged"]
        reads_only = rail.api in context.profiles.apis and context.profiles.apis[rail.api].mode is None
        return (
            (rail.pid, rail.started) != who,
            rail.first_broken is None,
            rail.api != root,
            reads_only,
            -max(steps, default=-1),
        )

    return sorted(rails, key=rank)
