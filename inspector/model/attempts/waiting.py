"""Calls, loads and look-ups that threads are in, by their stacks: nobody saw them begin, and they do not return.

They wait, or are busy and do not leave it."""

from collections.abc import Iterator

from inspector.model.crashes import killed
from inspector.model.families import family_of_api, family_of_file
from inspector.model.profiles import Profiles
from inspector.model.profiles.schema import DECIDING
from inspector.model.stacks import LOADS
from inspector.model.stages import stage_of
from inspector.model.state import Process, State
from inspector.model.tree import libraries
from inspector.stream.c_library import answers_lookups
from inspector.stream.stacks import StackTaken

from .row import Attempt

_LOOK_UPS = LOADS | {"dlsym", "dlvsym"}


def waiting_calls(state: State, process: Process, profiles: Profiles) -> Iterator[Attempt]:
    """Only of functions that a program goes by: others may rightly take long."""
    if process.ended and not killed(process):
        return
    told = {call.tid for call in process.open_calls} | {one.tid for one in process.lookups if one.found is None}
    for stack in process.stacks:
        if stack.occasion == "waiting" and stack.tid not in told and not _moved(process, stack):
            attempt = _attempt(state, process, profiles, stack) or _look_up(state, process, profiles, stack)
            if attempt is not None and not _called_again(state, process, attempt, stack):
                yield attempt


def _moved(process: Process, stack: StackTaken) -> bool:
    """The thread was seen to do something later."""
    later = (one for rows in (process.calls, process.lookups, process.opens) for one in rows)
    return any(one.tid == stack.tid and one.at > stack.at for one in later)


def _called_again(state: State, process: Process, attempt: Attempt, stack: StackTaken) -> bool:
    """The function was entered after the stack was taken; of a thread that is busy or polls, at all since we attached:
    who calls it again and again is in it at every look, and its calls may be counted no more. A call that begins later
    is seen to begin.
    """
    entered = (
        count.last for number, count in process.counts.items()
        if (function := state.functions.get(number)) is not None and function.name == attempt.what
    )  # fmt: skip
    waits = process.waits.get(stack.tid)
    since = 0 if waits is not None and (waits.busy or waits.again) else stack.at
    return any(at > since for at in entered)


def _attempt(state: State, process: Process, profiles: Profiles, stack: StackTaken) -> Attempt | None:
    provides = {}
    for library in libraries(process).values():
        known = state.apis.get(library.file)
        provides[library.path] = known.provides if known is not None else frozenset()
    for number, frame in enumerate(stack.native):
        api = profiles.api_of_function(frame.symbol) if frame.symbol else None
        if api is None or api not in provides.get(frame.path, ()) or profiles.role(api, frame.symbol) not in DECIDING:
            continue
        above = (one.path for one in stack.native[number + 1 :] if one.path != frame.path)
        return Attempt(
            process, "call", frame.symbol, False, process.ended or state.now, tid=stack.tid, api=api,
            family=family_of_api(profiles, api), stage=stage_of(profiles, api, frame.symbol) or "resolved",
            asker=next(above, ""), provider=frame.path, answer="did not return", source="memory", came_back=False,
        )  # fmt: skip
    return None


def _look_up(state: State, process: Process, profiles: Profiles, stack: StackTaken) -> Attempt | None:
    """A load or look-up in which code of a library runs: its constructor, or what chooses a function (IFUNC)."""
    for number, frame in enumerate(stack.native):
        if frame.symbol not in _LOOK_UPS or not answers_lookups(frame.path):
            continue
        inner = next((one.path for one in stack.native[:number] if not answers_lookups(one.path)), "")
        family = family_of_file(profiles, inner)
        if not family:
            return None
        above = (one.path for one in stack.native[number + 1 :] if not answers_lookups(one.path))
        load = frame.symbol in LOADS
        return Attempt(
            process, "load" if load else "lookup", inner if load else f"a name ({frame.symbol})", False,
            process.ended or state.now, tid=stack.tid, family=family, stage="loaded" if load else "resolved",
            asker=next(above, ""), provider=inner, answer="did not return", source="memory", came_back=False,
        )  # fmt: skip
    return None
