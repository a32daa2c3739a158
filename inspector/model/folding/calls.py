"""Counted calls, their results, look-ups, loader errors and file opens."""

from errno import ENOENT, ENOTDIR

from inspector.model.formatting import duration, errno_name, name_of, plural
from inspector.model.state import ENTERS, Process, State
from inspector.stream.calls import (
    CallersCounted,
    CallReturned,
    CallsCounted,
    CallsInside,
    CountingStopped,
    FileOpened,
    FunctionsRefused,
    FunctionsWatched,
    LoaderRefused,
    LookedUp,
    LookupsStopped,
    LookupsWatched,
    OpensSkipped,
    OutcomesCounted,
    ResultsStopped,
)
from inspector.stream.stacks import StackTaken

from .libraries import asked, held_after_all, unloaded
from .timeline import keep, process_at, tell, touch

_MOST_CALLS = 10_000
_MOST_LOOKUPS = 20_000
_MOST_OPENS = 20_000
_MOST_REFUSALS = 2_000
_MOST_STACKS = 200
_COUNTED_ONLY = -1
"""In `Process.told`: the first call of a function whose results are not watched."""
_ENTERED = -2_000_000_000_000
"""In `Process.told`: the first call of a function that was open for long."""
_LONG = 100_000_000
"""ns after which a call that is open is told."""


def watched(state: State, event: FunctionsWatched) -> None:
    new = [function for function in event.functions if function.id not in state.functions]
    for function in event.functions:
        state.functions[function.id] = function
        state.watched_since.setdefault(function.id, event.at)
        state.stopped.pop(function.id, None)
        state.results_stopped.pop(function.id, None)
    touch(state, "symbols", "functions")
    mapped = {library.file for process in state.current.values() for library in process.libraries.values()}
    libraries = sorted({function.library if function.file not in mapped else name_of(function.library)
                        for function in new})  # fmt: skip
    if libraries:
        so_far = "" if any(function.file in mapped for function in new) else ", not seen mapped so far"
        text = f"counting of {plural(len(new), 'function')} of {', '.join(libraries)} begins ({event.means}){so_far}"
        tell(state, event.at, 0, "note", text)


def refused(state: State, event: FunctionsRefused) -> None:
    for name in event.names:
        state.refused[f"{event.library}:{name}"] = event.why
    touch(state, "symbols", "functions")


def stopped(state: State, event: CountingStopped) -> None:
    names = []
    for number in event.functions:
        state.stopped[number] = event.why
        function = state.functions.get(number)
        names.append(function.name if function else str(number))
    touch(state, "symbols", "functions")
    tell(state, event.at, 0, "note", f"counting of {', '.join(names)} stopped: {event.why}")


def results_stopped(state: State, event: ResultsStopped) -> None:
    """Counting goes on, so the timeline need not tell."""
    state.results_stopped |= dict.fromkeys(event.functions, event.why)
    touch(state, "symbols")


def callers(state: State, event: CallersCounted) -> None:
    for count in event.counts:
        process = process_at(state, count.pid, count.first or event.at)
        process.callers.setdefault(count.function, {})[count.caller] = count
    touch(state, "symbols")


def counted(state: State, event: CallsCounted) -> None:
    for count in event.counts:
        process = process_at(state, count.pid, max(count.first, 0) or event.at)
        process.counts[count.function] = count
        function = state.functions.get(count.function)
        if function is not None and not function.returns and _first_time(process, count.function, _COUNTED_ONLY):
            tell(state, count.first, count.pid, "call", f"{function.name} is called", key=str(count.function))
    touch(state, "symbols")


def outcomes(state: State, event: OutcomesCounted) -> None:
    for outcome in event.outcomes:
        process = process_at(state, outcome.pid, outcome.first or event.at)
        process.outcomes[outcome.function, outcome.caller, outcome.result] = outcome
        if outcome.result != 0 and _first_time(process, outcome.function, outcome.result):
            moment = outcome.first or event.at
            _tell_call(state, process, moment, outcome.function, outcome.result, outcome.caller, "")
    touch(state, "symbols")


def returned(state: State, event: CallReturned) -> None:
    process = process_at(state, event.pid, event.entered)
    keep(process.calls, event, _MOST_CALLS)
    touch(state, "symbols")
    if _first_time(process, event.function, event.result):
        values = ", ".join(f"{name}={value}" for name, value in (event.arguments | event.values).items())
        _tell_call(state, process, event.at, event.function, event.result, event.caller, values)


def _tell_call(state: State, process: Process, at: int, number: int, result: int, caller: str, values: str) -> None:
    function = state.functions.get(number)
    name, api = (function.name, function.api) if function else (f"function {number}", "")
    profiles = state.profiles
    bad = result != 0 and profiles.role(api, name) != "error" and profiles.normal(api, name, result) is None
    text = f"{name} -> {profiles.result(api, result)}{f' ({values})' if values else ''}, called by {name_of(caller)}"
    tell(state, at, process.pid, "call", text, bad=bad, key=str(number))


def _first_time(process: Process, function: int, result: int) -> bool:
    pair = (function, result)
    if pair in process.told or len(process.told) > _MOST_CALLS:
        return False
    process.told.add(pair)
    return True


def inside(state: State, event: CallsInside) -> None:
    """Replace what is known of the living; a dead process keeps the calls that it died in, also when we ended it."""
    if state.cut_short_at:
        return
    fresh: dict[int, list[int]] = {}
    for index, call in enumerate(event.open):
        fresh.setdefault(call.pid, []).append(index)
    for process in [p for p in state.current.values() if p.open_calls and not p.ended and p.pid not in fresh]:
        process.open_calls = []
        process.revision += 1
    for pid, indexes in fresh.items():
        process = process_at(state, pid, event.at)
        if not process.ended or event.at <= process.ended:
            process.open_calls = [event.open[index] for index in indexes]
            _tell_entered(state, process, event.at)
    touch(state, "symbols")


def _tell_entered(state: State, process: Process, now: int) -> None:
    """A call that is open for long is told where it was entered, the first of each function: it may never return."""
    for call in process.open_calls:
        if now - call.entered >= _LONG and _first_time(process, call.function, _ENTERED):
            function = state.functions.get(call.function)
            name = function.name if function else f"function {call.function}"
            text = f"{ENTERS}{name}, not back after {duration(now - call.entered)}"
            tell(state, call.entered, process.pid, "call", text, key=str(call.function))


def stack_taken(state: State, event: StackTaken) -> None:
    """The first ones are kept: what went wrong first explains the rest."""
    process = process_at(state, event.pid, event.moment or event.at)
    if len(process.stacks) < _MOST_STACKS:
        process.stacks.append(event)
    touch(state, "symbols")


def lookups_watched(state: State, event: LookupsWatched) -> None:
    state.lookups_watched.setdefault(event.file, event.at if event.functions else 0)
    state.lookups_stopped.pop(event.file, None)
    touch(state, "symbols", "functions")


def lookups_stopped(state: State, event: LookupsStopped) -> None:
    state.lookups_stopped[event.file] = event.why
    touch(state, "symbols", "functions")


def looked_up(state: State, event: LookedUp) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.lookups, event, _MOST_LOOKUPS)
    asked(state, process, event)
    if event.found is False:
        unloaded(process, event)
    elif event.found and event.via in ("dlopen", "dlmopen"):
        held_after_all(process, event)
    touch(state, "symbols")
    about_api = (state.profiles.api_of_function(event.name) or state.profiles.api_of_soname(event.name)) is not None
    loads = event.via in ("dlopen", "dlmopen", "cuGetExportTable")
    if loads or (event.found is False and about_api) or (about_api and event.via in ("dlsym", "dlvsym")):
        tell(state, event.at, event.pid, "lookup", _lookup_words(event), bad=event.found is False)


def _lookup_words(event: LookedUp) -> str:
    asked = f"{event.via}({event.name or 'NULL'}{'@' + event.version if event.version else ''})"
    by = f" by {name_of(event.requester)}" if event.requester else ""
    if event.found is False:
        return f"{asked}{by}: refused{': ' + event.error if event.error else ''}"
    if event.found is None:
        return f"{asked}{by}"
    return f"{asked}{by}: {name_of(event.answer) if event.answer else 'found'}"


def loader_refused(state: State, event: LoaderRefused) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.refusals, event, _MOST_REFUSALS)
    touch(state, "symbols")
    subject = f"{event.object}: " if event.object else ""
    tell(state, event.at, event.pid, "lookup", f"loader: {subject}{event.text}", bad=True)


def opened(state: State, event: FileOpened) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.opens, event, _MOST_OPENS)
    touch(state, "gpu", "logs")
    searched = event.errno == ENOENT and ".so" in event.path
    if not searched:
        text = f"opens {event.path}{' for writing' if event.writable else ''}"
        text += f": {errno_name(event.errno)}" if event.errno else ""
        tell(state, event.at, event.pid, "open", text, bad=event.errno not in (0, ENOENT, ENOTDIR))


def opens_skipped(state: State, event: OpensSkipped) -> None:
    process_at(state, event.pid, event.at).opens_skipped = event.count
