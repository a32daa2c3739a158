"""From the stop down to its root: where a consumer's progress ended, what was refused inside it, and inside that."""

import re
from collections.abc import Iterable, Sequence
from errno import ENOENT

import msgspec
from msgspec.structs import replace

from .attempts.row import Attempt
from .attempts.system import is_device
from .coverage import born_here
from .crashes import may_have_failed
from .drivers import drivers_behind
from .families import MANAGEMENT, family_of_api
from .formatting import duration, name_of, stem
from .progress import Progress
from .refusals import counted_too_late, counts_calls, is_optional
from .stages import LEVEL, tells_nothing
from .state import Process, State

_ASKING = ("load", "lookup", "call")
_WENT_ON = 2_000_000_000
"""ns of CPU time after a call from which on its consumer does without it."""
_AT_ONCE = 50_000_000
"""ns between a call and the end of its process in which it may never have returned."""
_LIBRARY_SEARCH = re.compile(r"\.(so(\.[\d.]+)?|conf|json|cfg)$|/locale/")


class Stop(msgspec.Struct, eq=False):
    """The refusal at which the progress of one process in one family ended."""

    progress: Progress
    attempt: Attempt
    alternatives: list[str] = msgspec.field(default_factory=list)
    """Other names of the same step that were refused as well, in order: `libcuda.so.1`, `libcuda.so`."""
    beside: list[Attempt] = msgspec.field(default_factory=list)
    """Other files of the same step that were refused for reasons of their own."""
    before: bool = False
    """What is taken for its reason came before it, and not inside of it."""
    after_work: bool = False
    """The device was in use before."""
    unsaid: bool = False
    """Its process ended with a failure, and not in words that name this: a library that goes with an API is one that
    programs do without."""

    @property
    def rank(self) -> tuple[object, ...]:
        """Compute before management, what was answered before what only files tell, the deepest stage, the earliest."""
        return self.progress.family in MANAGEMENT, self.attempt.source == "file", -self._level, self.attempt.at

    @property
    def _level(self) -> int:
        """A library that goes with an API (a compiler, cuBLAS) is asked for by who has the API itself: that is further
        than who was refused another vendor's."""
        level = LEVEL[self.attempt.stage or "asked"]
        beside = self.attempt.kind == "load" and not self.attempt.api and self.progress.has_library
        return max(level, LEVEL["resolved"]) if beside else level


def stop_of(state: State, progress: Progress, attempts: Sequence[Attempt], excused: dict[Attempt, str]) -> Stop | None:
    """Where a consumer stopped; None when nothing that it asked for was refused for good."""
    refused = [
        one
        for one in attempts
        if one.ok is False
        and one.family == progress.family
        and one.kind in _ASKING
        and one.stage is not None
        and one not in excused
        and not one.own_ends
        and not _part_of_a_refusal(one)
        and not (one.kind == "lookup" and one.source in ("loader", "kernel") and counted_too_late(state, one))
        and not _tells_of_an_unread_error(state, one, attempts)
    ]
    after = progress.last_at("initialised")
    tail = [one for one in refused if not one.at or one.at >= after] or refused
    if not tail:
        return None
    steps = [one for one in tail if not is_optional(one)]
    if not progress.has_library:  # names are looked up in vain where the library was refused
        loads = [one for one in steps if one.kind == "load"]
        answered = any(one.kind == "call" or (one.kind == "lookup" and one.provider) for one in steps)
        steps = loads if loads and not answered else steps
    first = _first(steps) if steps else tail[-1]
    same = [one for one in tail if (one.kind, one.stage) == (first.kind, first.stage) and one.kind == "load"]
    ending = _ending(attempts) if len(same) > 1 else ""
    first = next((one for one in same if _is_named(one, ending)), first)
    absent = [one.what for one in same if one.failure is None or one.failure.cause == "absent"]
    names = list(dict.fromkeys(absent if first.what not in absent else [first.what, *absent]))
    beside = [
        one for one in same if one.failure is not None and one.failure.cause != "absent" and one.what != first.what
    ]
    worked = progress.launched is not None and progress.launched.at < first.at
    absent_beside = (
        first.kind == "load" and not first.api and (first.failure is None or first.failure.cause == "absent")
    )
    beside_api = absent_beside and may_have_failed(progress.process.end)
    unsaid = beside_api and not _is_named(first, ending or _ending(attempts))
    return Stop(progress, first, names, beside, after_work=worked, unsaid=unsaid)


def unread_stop(state: State, progress: Progress, attempts: Iterable[Attempt]) -> Stop | None:
    """An initialisation whose result could not be read, and after which its consumer went no further.

    What the library itself was refused on its way, drivers that it could not load and device nodes that could not be
    opened from its entry on, is what happened inside.
    """
    first, process = progress.furthest, progress.process
    last = progress.last[progress.stage]
    if last.kind != "call" or last.ok is not None or last.stage != "initialised":
        return None
    refused = [one for one in attempts if one.ok is False]
    if not _is_over(state, process, last.at, refused):
        return None
    inner = [one for one in refused if one.kind == "load" and stem(one.asker) == stem(last.provider)]  # of any link
    inner += [one for one in refused if one.kind == "system" and is_device(one.what) and one.at >= first.at]
    answer = f"its result could not be read, and nothing of {last.api} followed"
    if process.ended and process.ended - last.at < _AT_ONCE:
        if process.end is not None and process.end.code == 0 and not inner and not has_no_driver(state, progress):
            return None  # nothing went wrong as far as it says: it may have wanted to know no more
        answer = f"its result was not read: the process ended {duration(process.ended - last.at)} later"
    return Stop(progress, replace(last, ok=False, answer=answer, source="file", within=inner))


def driver_stop(state: State, progress: Progress, attempts: Iterable[Attempt]) -> Stop | None:
    """The loader of an API was refused its driver, and nothing more of the API was seen, or nothing that it answered:
    without any driver that was no success.
    """
    process = progress.process
    own = [one for one in attempts if one.family == progress.family]
    refused = [one for one in own if one.kind == "load" and one.ok is False and one.own_ends]
    answered = [one for one in own if one.kind == "call" and (one.ok is not None or not one.came_back)]
    if not refused or answered or (progress.got_to("initialised") and not has_no_driver(state, progress)):
        return None
    if any(one.kind == "load" and one.ok and one.own_ends for one in own):
        return None  # it has another driver
    if not _is_over(state, process, refused[-1].at, attempts):
        return None
    return Stop(progress, replace(refused[0], source="file"))


def _is_over(state: State, process: Process, since: int, attempts: Iterable[Attempt]) -> bool:
    """It ended, computed much, or said that it found no device: nothing more is to come."""
    gave_up = any(one.kind == "words" and one.answer == "no-device" and one.at >= since for one in attempts)
    return bool(process.ended) or gave_up or process.cpu_after(since, state.now) >= _WENT_ON


def has_no_driver(state: State, progress: Progress) -> bool:
    """The loader of this family brought none into the process."""
    loaders = [api.name for api in state.profiles.apis.values() if api.software]
    mine = [name for name in loaders if family_of_api(state.profiles, name) == progress.family]
    return bool(mine) and all(drivers_behind(progress.process, name, state.profiles).none for name in mine)


def lacked_drivers(stop: Stop, attempts: Iterable[Attempt], excused: dict[Attempt, str]) -> list[Attempt]:
    """Drivers that the loader of an API could not load before it had no device to tell of: it began without them."""
    asked = stop.attempt
    if asked.kind != "call" or asked.stage != "counted" or not asked.came_back:
        return []
    refused = [
        one for one in attempts
        if one.kind == "load" and one.ok is False and one.own_ends and one.at < asked.at
        and one.family == asked.family and stem(one.asker) == stem(asked.provider)
    ]  # fmt: skip
    return [one for one in refused if "was loaded" not in excused.get(one, "")]


def _tells_of_an_unread_error(state: State, lookup: Attempt, attempts: Iterable[Attempt]) -> bool:
    """It asked in vain for the text of an error: what a call before had answered is the reason, and was not seen."""
    if lookup.kind != "lookup" or "Error" not in lookup.what or not tells_nothing(lookup.what):
        return False
    unread = (one.kind == "call" and one.ok is None and one.family == lookup.family for one in attempts)
    return any(unread) or not born_here(lookup.process) or not counts_calls(state)


def _ending(attempts: Sequence[Attempt]) -> str:
    """The error by which the process says that it ends."""
    return next((one.what for one in reversed(attempts) if one.kind == "words" and one.answer == "own-error"), "")


def _is_named(attempt: Attempt, text: str) -> bool:
    """Of several files that were looked for in vain, the one that a sentence tells of: `library cudart not found`."""
    name = stem(attempt.what)
    return bool(text) and re.search(rf"\b(lib)?{re.escape(name.removeprefix('lib'))}\b", text) is not None


def _part_of_a_refusal(attempt: Attempt) -> bool:
    around = attempt.inside
    return around is not None and around.ok is False and around.kind in _ASKING


def _first(tail: Sequence[Attempt]) -> Attempt:
    """The first of the run that tells a step of the API itself, else the deepest of its loads and look-ups."""
    levels = [-1 if _asks_itself(one) else LEVEL[one.stage or "asked"] for one in tail]
    if levels[0] >= LEVEL["initialised"]:
        return tail[0]
    least = min(max(levels), LEVEL["initialised"])
    return next(one for one, level in zip(tail, levels, strict=True) if level >= least)


def _asks_itself(attempt: Attempt) -> bool:
    """A look-up in the asker's own scope, whether it has the name linked in; in that of the program, or in no library
    at all, as the program tells it: so ends who looks up names of a library that was refused to it.
    """
    refusing, found, _ = attempt.answer.partition(": undefined symbol")
    if attempt.kind != "lookup":
        return False
    if attempt.source == "program" and not attempt.provider:
        return True
    linked = bool(attempt.asker) and attempt.answer.startswith(f"{attempt.asker}: ")
    called_as = {run.argv[0] for run in attempt.process.execs if run.argv}  # so the loader calls the program itself
    of_program = refusing in called_as or (refusing.startswith("/") and ".so" not in name_of(refusing))
    return linked or (bool(found) and of_program)


def chain_of(attempt: Attempt, excused: dict[Attempt, str]) -> list[Attempt]:
    """From an attempt to the root of its refusal, the attempt itself first."""
    chain = [attempt]
    while True:
        inner = [one for one in _inside(chain[-1]) if one not in excused and one not in chain]
        if not inner:
            return chain
        chain.append(max(inner, key=_weight))


def _inside(attempt: Attempt) -> Iterable[Attempt]:
    """What was refused inside, without what is only the search for something that was found."""
    for one in attempt.within:
        if one.ok is not False or (one.kind == "lookup" and one.failure is None and not one.decisive):
            continue
        if one.kind == "system":
            if attempt.kind == "load" and one.code == ENOENT:
                continue
            if attempt.kind == "call" and not is_device(one.what) and _LIBRARY_SEARCH.search(one.what):
                continue
        yield one


def _weight(attempt: Attempt) -> tuple[bool, bool, bool, int]:
    """A device node decides before a load, a load before a call, a look-up last; then the last word."""
    node = attempt.kind == "system" and is_device(attempt.what)
    return node, attempt.kind == "load", attempt.kind != "lookup", attempt.at
