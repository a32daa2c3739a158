"""The nine rungs of one API in one process: yes, no with proof, or unknown with what is missing to know."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from inspector.model.analysis import Analysis
from inspector.model.decision import Decision
from inspector.model.families import family_of_api
from inspector.model.memo import once
from inspector.model.profiles import Profiles
from inspector.model.state import Process, State
from inspector.model.usage import Use, uses
from inspector.model.verdict import RUNGS, Evidence, Ladder, Rung, RungName

from .binding import reachable, resolved
from .calling import called, returned
from .environment import environment
from .files import exported, mapped
from .need import needed
from .outcome import logged, used
from .view import View


@dataclass(frozen=True, slots=True)
class Break:
    """Where the analysis says that the rails of one process and family break, and by what."""

    place: str
    """The place of the rule that explains it; the end of a process breaks `returned`."""
    title: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def rung(self) -> RungName:
        """The rung that is marked."""
        return next(
            (name for name in RUNGS if name == self.place),
            "environment" if self.place == "which process" else "returned",
        )


def ladders(analysis: Analysis, decision: Decision, breaks: dict[tuple[Process, str], Break]) -> Iterator[Ladder]:
    """One ladder for each API that somebody in a process asked for; else one for the tree's first process."""
    state, profiles = analysis.state, analysis.profiles
    none = True
    for process in state.processes:
        for use in concerned(state, process, profiles):
            family = family_of_api(profiles, use.api)
            if not _asked(analysis, process, use, family):
                continue
            none = False
            yield _kept(View(state, profiles, process, use, decision.mode), breaks.get((process, family)), decision)
    if none and state.processes and profiles.apis:
        first = state.processes[0]
        api = next(iter(profiles.apis))
        api = "cuda-driver" if "cuda-driver" in profiles.apis else api
        yield _ladder(View(state, profiles, first, Use(api, first), decision.mode), None, decision)


def _asked(analysis: Analysis, process: Process, use: Use, family: str) -> bool:
    """Somebody asked for it, or something that offers it or could use it is there to be asked."""
    return (process, family) in analysis.progress or bool(use.providers or use.consumers or use.total_calls)


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


def _kept(view: View, broken: Break | None, decision: Decision) -> Ladder:
    """The ladder; that of a dead process changes only with the mode, its break and the logs."""
    if not view.process.ended:
        return _ladder(view, broken, decision)
    state = view.state
    also = (view.mode.verdict, view.mode.confidence, broken, state.revisions.get("logs"), state.timeline_dropped)
    name = f"ladder of {view.use.api}"
    return once(name, state, view.process, view.profiles, lambda: _ladder(view, broken, decision), also)


def _ladder(view: View, broken: Break | None, decision: Decision) -> Ladder:
    rungs = [
        step(view) for step in (environment, mapped, exported, reachable, resolved, called, returned, logged, used)
    ]
    if broken is not None:
        rungs = _broken_at(rungs, broken)
    elif decision.verdict not in ("cpu", "undecided"):
        rungs = [_no_fault(rung) for rung in rungs]
    provider = view.provider
    return Ladder(
        api=view.use.api,
        pid=view.process.pid,
        started=view.process.started,
        provider=provider.path if provider is not None else None,
        rungs=rungs,
        first_broken=broken.rung if broken is not None else _without_break(view, rungs, decision),
    )


def _without_break(view: View, rungs: list[Rung], decision: Decision) -> RungName | None:
    """Where the analysis names no break here: the first rung that is proven broken, if the answer is not elsewhere."""
    if decision.chain or decision.verdict not in ("cpu", "undecided") or not needed(view):
        return None
    return _first_broken(rungs)


def _broken_at(rungs: list[Rung], broken: Break) -> list[Rung]:
    """Up to the break what was passed, at the break no, behind it not reached; where a log goes is no step."""
    place = RUNGS.index(broken.rung)
    marked = []
    for number, rung in enumerate(rungs):
        if number == place and rung.state == "no":
            marked.append(rung)
        elif number == place:
            marked.append(Rung(rung=rung.rung, state="no", detail=broken.title, evidence=[*broken.evidence]))
        elif rung.rung == "logged":
            marked.append(rung)
        elif number < place:
            marked.append(_no_fault(rung))
        else:
            detail = rung.detail if rung.state == "unknown" else "not reached"
            marked.append(Rung(rung=rung.rung, state="unknown", detail=detail, reached=False))
    return marked


def _no_fault(rung: Rung) -> Rung:
    """A rung that is not there and broke nothing: others got past it."""
    return msgspec.structs.replace(rung, state="unknown") if rung.state == "no" and rung.rung != "logged" else rung


def _first_broken(rungs: list[Rung]) -> RungName | None:
    """The lowest rung that is proven broken. A rung that only warns (logged) does not hide a later one."""
    broken = [rung.rung for rung in rungs if rung.state == "no"]
    return next((name for name in broken if name != "logged"), broken[0] if broken else None)
