"""The nine rungs of one API in one process: yes, no with proof, or unknown with what is missing to know."""

from collections.abc import Iterator

from inspector.model.memo import once
from inspector.model.profiles import Profiles
from inspector.model.state import Process, State
from inspector.model.usage import Use, uses
from inspector.model.verdict import Ladder, Mode, Rung, RungName

from .binding import reachable, resolved
from .calling import called, returned
from .environment import environment
from .files import exported, mapped
from .need import needed
from .outcome import logged, used
from .view import View


def ladders(state: State, profiles: Profiles, mode: Mode) -> Iterator[Ladder]:
    """One ladder for each API that a process has to do with; where none has, one for the tree's first process."""
    none = True
    for process in state.processes:
        for use in concerned(state, process, profiles):
            none = False
            yield _kept(View(state, profiles, process, use, mode))
    if none and state.processes and profiles.apis:
        first = state.processes[0]
        api = next(iter(profiles.apis))
        api = "cuda-driver" if "cuda-driver" in profiles.apis else api
        yield _ladder(View(state, profiles, first, Use(api, first), mode))


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


def _kept(view: View) -> Ladder:
    """The ladder; that of a dead process changes only with the mode and the logs."""
    if not view.process.ended:
        return _ladder(view)
    state = view.state
    also = (view.mode.verdict, view.mode.confidence, state.revisions.get("logs"), state.timeline_dropped)
    name = f"ladder of {view.use.api}"
    return once(name, state, view.process, view.profiles, lambda: _ladder(view), also)


def _ladder(view: View) -> Ladder:
    rungs = [
        step(view) for step in (environment, mapped, exported, reachable, resolved, called, returned, logged, used)
    ]
    provider = view.provider
    return Ladder(
        api=view.use.api,
        pid=view.process.pid,
        started=view.process.started,
        provider=provider.path if provider is not None else None,
        rungs=rungs,
        first_broken=_first_broken(rungs) if needed(view) else None,
    )


def _first_broken(rungs: list[Rung]) -> RungName | None:
    """The lowest rung that is proven broken. A rung that only warns (logged) does not hide a later one."""
    broken = [rung.rung for rung in rungs if rung.state == "no"]
    return next((name for name in broken if name != "logged"), broken[0] if broken else None)
