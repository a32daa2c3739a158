"""The nine rungs of one API in one process: yes, no with proof, or unknown with what is missing to know."""

from collections.abc import Iterator, Mapping
from itertools import compress

from inspector.model.analysis import Analysis
from inspector.model.decision import Decision
from inspector.model.families import MANAGEMENT, family_of_api
from inspector.model.memo import once
from inspector.model.profiles import Profiles
from inspector.model.state import Process, State
from inspector.model.usage import Use, uses
from inspector.model.verdict import RUNGS, Ladder, Rung, RungName

from .binding import reachable, resolved
from .calling import called, returned
from .environment import environment
from .files import exported, mapped
from .marking import Break, breaks_here, broken_at, first_no, held_up, only_environment, whole
from .need import needed
from .outcome import logged, used
from .view import View

__all__ = ["ANY", "Break", "Breaks", "ladders"]

Breaks = Mapping[tuple[Process, str], Break]
"""What breaks the rails of a process and family."""
ANY = ""
"""In place of a family: all through which one computes."""
Rail = tuple[View, list[Rung]]
_UNEXPLAINED = ("unknown", "told", "dropped")
"""Reasons that leave open why: there the first rung that is proven broken is marked."""


def ladders(
    analysis: Analysis, decision: Decision, breaks: Breaks, *, explained: bool = False
) -> Iterator[Ladder]:  # fmt: skip
    """One ladder for each API that somebody in a process asked for; else one for the tree's first process.

    `explained`: the answer says why without a break, so that none is looked for.
    """
    state, profiles = analysis.state, analysis.profiles
    open_question = not breaks and not explained and decision.reason in _UNEXPLAINED
    none = True
    for process in state.processes:
        rails = [
            _rail(View(state, profiles, process, use, decision.mode))
            for use in concerned(state, process, profiles)
            if _asked(analysis, process, use)
        ]
        own: dict[str, Break] = {}
        for (owner, family), broken in breaks.items():
            if owner is process:
                own.setdefault(_with_rail(profiles, family), broken)
        for api in _missing_rails(profiles, own, rails):
            rails.append(_rail(View(state, profiles, process, Use(api, process), decision.mode)))
        for ladder in _marked(rails, own, open_question=open_question):
            none = False
            yield ladder
    if none and state.processes and profiles.apis:
        first = state.processes[0]
        view, rungs = _rail(View(state, profiles, first, Use(_first_api(profiles), first), decision.mode))
        yield _ladder(view, only_environment(rungs), None)


def _with_rail(profiles: Profiles, family: str) -> str:
    """The family, where some API of it has a rail; drivers of an API that no profile knows break any rail."""
    return family if any(family_of_api(profiles, api) == family for api in profiles.apis) else ANY


def _asked(analysis: Analysis, process: Process, use: Use) -> bool:
    """Somebody asked for it, or something that offers it or could use it is there to be asked."""
    family = family_of_api(analysis.profiles, use.api)
    return (process, family) in analysis.progress or bool(use.providers or use.consumers or use.total_calls)


def _break_of(own: Mapping[str, Break], rail: Rail) -> Break | None:
    """What breaks the family of a rail; what breaks all of them does not break those that only read figures."""
    view, _ = rail
    family = family_of_api(view.profiles, view.use.api)
    return own.get(family) or (own.get(ANY) if family not in MANAGEMENT else None)


def _missing_rails(profiles: Profiles, own: Mapping[str, Break], rails: list[Rail]) -> Iterator[str]:
    """APIs that need a rail of their own, since the root of a break belongs to them and nothing of them was there."""
    there = {view.use.api for view, _ in rails}
    if own and not any(_break_of(own, rail) for rail in rails):
        api = _api_of_break(profiles, *next(iter(own.items())))
        there.add(api)
        yield api
    for family, broken in own.items():
        of_root = family_of_api(profiles, broken.api)
        suits = of_root == family or (family == ANY and of_root not in MANAGEMENT)
        if broken.api in profiles.apis and broken.api not in there and suits:
            there.add(broken.api)
            yield broken.api


def _api_of_break(profiles: Profiles, family: str, broken: Break) -> str:
    """The API of the rail for a break in a process in which nothing of an API was ever there."""
    in_family = [api for api in profiles.apis if family in (ANY, family_of_api(profiles, api))]
    named = [api for api in in_family if api == broken.api] or [api for api in in_family if api in broken.apis]
    first = _first_api(profiles)
    return named[0] if named else first if first in in_family or not in_family else in_family[0]


def _first_api(profiles: Profiles) -> str:
    return "cuda-driver" if "cuda-driver" in profiles.apis else next(iter(profiles.apis))


def _marked(rails: list[Rail], own: Mapping[str, Break], *, open_question: bool) -> Iterator[Ladder]:
    """The rails of one process: each break is marked once, on the rail of its root; the others tell what they saw."""
    breaks = [_break_of(own, rail) for rail in rails]
    marked = {
        _railed(list(compress(rails, (one is broken for one in breaks))), broken)
        for broken in breaks if broken is not None
    }  # fmt: skip
    for rail, broken in zip(rails, breaks, strict=True):
        view, rungs = rail
        name: RungName | None = None
        if broken is not None and view.use.api in marked:
            name = broken.rung(rungs)
        elif broken is None and open_question and needed(view):
            name = first_no(rungs)
            if name == "used" and family_of_api(view.profiles, view.use.api) in MANAGEMENT:
                name = None  # who reads figures only computes on the CPU, and nothing is wrong with that
        if name is not None:
            rungs = broken_at(rungs, name, broken)
        else:
            follows = broken is not None and view.use.api in broken.calls
            rungs = held_up(rungs) if follows else whole(rungs)
        yield _ladder(view, rungs, name)


def _railed(rails: list[Rail], broken: Break) -> str:
    """The API of the rail that a break is marked on: its root's, else one that stands there by itself."""
    at_root = [rail for rail in rails if rail[0].use.api == broken.api]
    if at_root and (not broken.doubtful or (broken.answers and _rung(at_root[0], broken).state != "unknown")):
        return broken.api
    here = [rail for rail in at_root or rails if breaks_here(rail[1], broken, rail[0].use.api)]
    own = [rail for rail in here if _rung(rail, broken).state == "no"]
    seen = [rail for rail in rails if broken.answers and _stands_behind(rail, broken)]
    chosen = own or here or (seen if broken.doubtful else rails)
    return chosen[0][0].use.api if chosen else ""


def _stands_behind(rail: Rail, broken: Break) -> bool:
    """The rung was seen, and nobody got past it to a call."""
    called = any(rung.rung == "called" and rung.state == "yes" for rung in rail[1])
    return _rung(rail, broken).state != "unknown" and not called


def _rung(rail: Rail, broken: Break) -> Rung:
    _, rungs = rail
    return rungs[RUNGS.index(broken.rung(rungs))]


def concerned(state: State, process: Process, profiles: Profiles) -> list[Use]:
    """The APIs that a process has to do with; one that another library only borrows is left out."""
    return [use for use in uses(state, process, profiles).values() if not _only_borrowed(use, profiles, state, process)]


def _only_borrowed(use: Use, profiles: Profiles, state: State, process: Process) -> bool:
    """Libraries of another API brought this one in for their own ends, and nobody else here wants it."""
    if use.consumers or use.consumer_calls or any(p.library.route == "preload" for p in use.providers):
        return False
    others = uses(state, process, profiles).values()
    borrowers = [other for other in others if other.providers and use.api in profiles.apis[other.api].borrows]
    return bool(borrowers)


def _rail(view: View) -> Rail:
    """The rungs by themselves, unmarked; those of a dead process change only with the mode and the logs."""
    if not view.process.ended:
        return view, _rungs(view)
    state = view.state
    also = (view.mode.verdict, view.mode.confidence, state.revisions.get("logs"), state.timeline_dropped)
    name = f"rungs of {view.use.api}"
    return view, once(name, state, view.process, view.profiles, lambda: _rungs(view), also)


def _rungs(view: View) -> list[Rung]:
    return [step(view) for step in (environment, mapped, exported, reachable, resolved, called, returned, logged, used)]


def _ladder(view: View, rungs: list[Rung], broken: RungName | None) -> Ladder:
    provider = view.provider
    return Ladder(
        api=view.use.api,
        pid=view.process.pid,
        started=view.process.started,
        provider=provider.path if provider is not None else None,
        rungs=rungs,
        first_broken=broken,
    )
