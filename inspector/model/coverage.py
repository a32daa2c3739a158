"""How much of a process was seen: whether "0 calls" is a proof, and in which words to say what is missing."""

from collections.abc import Iterable

import msgspec

from inspector.stream.c_library import answers_lookups
from inspector.stream.calls import WatchedFunction
from inspector.stream.libraries import LibraryMapped
from inspector.stream.session import OPENS_UNTOLD, Capability

from .early_look_ups import asked_too_early
from .formatting import duration, listed, name_of, plural
from .losses import holes, look_ups_are_missing, mappings_are_missing, may_have_no_counts
from .state import Process, State
from .tree import program
from .usage import Use

_AT_ONCE = 2_000_000
"""ns after a birth within which the kernel itself tells it."""
_BINDS_NOTHING = ("LD_BIND_NOT", "LD_AUDIT", "LD_PROFILE")
_PASSIVE_GAP = 5_000_000_000
"""ns that may lie between the passive picture and the first probe (setting probes takes milliseconds)."""
_MOSTLY = 10
"""So many times longer than what was missed something was counted for the greater part."""
_TOO_BUSY = "calls may be missing: the machine was too busy to keep counters apart"


class Coverage(msgspec.Struct, frozen=True):
    """What counting covers of one API in one process."""

    complete: bool
    """All its functions were counted from the first moment on, or proven not executed before."""
    words: str
    """`counted since it started`, or what is missing: `counting began 3 h after its birth`."""
    watched: int = 0
    """How many functions of the provider are counted."""
    gapless: bool = True
    """False: between the look that proves the time before, and the first probe, a call was not seen."""
    passive: bool = False
    """The time before the first probe is known from pages or slots alone: never the ground of an error."""
    mostly: bool = False
    """Not complete, but what was missed is short beside what was counted: silence makes "never called" likely."""


def capability(state: State, name: str) -> Capability | None:
    """The row of `inspector doctor` for this ability."""
    if state.session is None:
        return None
    return next((one for one in state.session.capabilities if one.name == name), None)


def lacking(state: State, name: str, otherwise: str) -> str:
    """Why an ability is missing, with what grants it; `otherwise` when the machine allows it or does not say."""
    found = capability(state, name)
    if found is None or found.state == "yes":
        return otherwise
    why = found.why or found.lost or f"{name} is not permitted"
    return f"{why} (grant: {found.grant})" if found.grant else why


def born_here(process: Process) -> bool:
    """Its program was seen from the first instruction on: its birth, or the exec that replaced all that was before.

    A birth or exec that was only noticed by looking now and then is none: what happened before the look is not known.
    """
    if process.origin == "run":
        return True  # we started it, and let it execute when everything was in place
    if process.origin == "fork":
        return process.told_at - process.started < _AT_ONCE
    return bool(process.execs) and process.execs[-1].environment_source == "exec"


def seen_from_birth(state: State) -> str:
    """That all were seen from their first instruction, but for those that were there before."""
    late = [name_of(runs.argv[0]) if (runs := program(one)) and runs.argv else one.comm or str(one.pid)
            for one in state.processes if not born_here(one)]  # fmt: skip
    return f"all{f' but {listed(late, 3)}' if late else ''} were seen from their first instruction"


def opens_told_throughout(state: State, process: Process, until: int | None = None) -> bool:
    """Whether opens and refused system calls of a process were told all its life, so that silence means none.

    `until`: or up to this moment of it.

    False as well while they may not be told at all (no kernel programs); True for recordings of before, which knew no
    pauses.
    """
    opens = capability(state, "open-files")
    if any(run.elf_class == 32 for run in process.execs) or any(
        limit.what == OPENS_UNTOLD and limit.pid in (None, process.pid) for limit in state.limits
    ):
        return False
    if not born_here(process) or (opens is not None and opens.state == "no"):
        return False
    last = until or process.ended or state.now
    told = state.syscalls_watched
    pauses = [
        (change.at, told[place + 1].at if place + 1 < len(told) else last + 1)
        for place, change in enumerate(told)
        if not change.on
    ]
    return not any(begin <= last and end > process.started for begin, end in pauses)


def began(process: Process) -> int:
    """When its program began: the last exec seen, or its birth."""
    return process.execs[-1].at if process.execs and born_here(process) else process.started


def of_use(state: State, use: Use) -> Coverage:
    """Whether zero calls of this API in this process would be a proof."""
    mapped = [provider.library for provider in use.providers]
    if not mapped:
        return _without_provider(state, use)
    results = [_of_library(state, use, library) for library in mapped]
    worst = next((one for one in results if not one.complete), results[0])
    gapless = all(one.gapless for one in results)
    passive = any(one.passive for one in results)
    mostly = all(one.complete or one.mostly for one in results)
    unheard = "" if passive else asked_too_early(state, use)
    if unheard:
        return Coverage(False, unheard, sum(one.watched for one in results))
    return Coverage(worst.complete, worst.words, sum(one.watched for one in results), gapless, passive, mostly)


def _without_provider(state: State, use: Use) -> Coverage:
    words = "no mapped library provides it"
    libraries = use.process.libraries
    unseen = _answered_from_elsewhere(use.process)
    if unseen:
        return Coverage(False, f"a look-up was answered from {unseen}, which was not seen mapped")
    if mappings_are_missing(state):
        return Coverage(False, f"{words}, as far as is known: mappings were told faster than they could be read")
    complete = (
        born_here(use.process) and bool(libraries) and all(lib.file in state.images for lib in libraries.values())
    )
    return Coverage(complete, words if complete else f"{words} now; earlier calls are unknown")


def _answered_from_elsewhere(process: Process) -> str:
    """A file from which a look-up was answered though no mapping of it is known: then not all mappings are."""
    known = {library.path for library in process.libraries.values()}
    answers = (lookup.answer for lookup in process.lookups if lookup.found and lookup.answer)
    return next((answer for answer in answers if answer.startswith("/") and answer not in known), "")


def _of_library(state: State, use: Use, library: LibraryMapped) -> Coverage:
    """The functions that profiles list are those without which nothing can be had of an API: silence of these is that
    of all, also of further ones that are counted some time later."""
    offered = [f for f in state.functions.values() if f.file == library.file and f.api == use.api]
    watched = [f for f in offered if f.listed] or offered
    if not watched:
        return Coverage(False, _not_counted(state, library))
    process = use.process
    since = max(state.watched_since.get(function.id, 0) for function in watched)
    stopped = [f for f in watched if f.id in state.stopped and f.id not in use.calls]
    if stopped:
        words = f"counting of {stopped[0].name} stopped: {state.stopped[stopped[0].id]}"
        return Coverage(False, words, len(watched))
    if may_have_no_counts(state, process):
        return Coverage(False, _TOO_BUSY, len(watched))
    late = _late(process, library, since)
    if not late:
        return Coverage(True, "counted since it started", len(watched))
    start = _callable_since(process, library)
    counted = (process.ended or state.now) - since
    mostly = born_here(process) and counted > _MOSTLY * max(0, since - start)
    return _proof_before(state, use, library, watched, since) or Coverage(False, late, len(watched), mostly=mostly)


def lower_bound(state: State, process: Process, function: WatchedFunction) -> str:
    """Why the count of a function in a process is a lower bound; empty when it is exact."""
    if function.id in state.stopped:
        return state.stopped[function.id]
    return _TOO_BUSY if may_have_no_counts(state, process) else _counted_late(state, process, function)


def _counted_late(state: State, process: Process, function: WatchedFunction) -> str:
    library = next((each for each in process.libraries.values() if each.file == function.file), None)
    since = state.watched_since.get(function.id)
    return _late(process, library, since) if library is not None and since is not None else ""


def unread_results(state: State, process: Process, function: WatchedFunction) -> str:
    """Why results of a function in a process are not those of all its calls; empty when they are, or it gives none."""
    if why := function.unproven or state.results_stopped.get(function.id, ""):
        return why
    count = process.counts.get(function.id)
    if count is None or not function.returns:
        return ""
    read = sum(one.count for one in process.outcomes.values() if one.function == function.id)
    inside = sum(one.function == function.id for one in process.open_calls)
    missing = count.count - read - inside
    if missing <= 0:
        return ""
    return f"{missing:,} of its calls began before its exits were watched, or did not come back"


def maybe_called_before(state: State, processes: Iterable[Process]) -> frozenset[int]:
    """Functions that one of these processes may have called before its calls were counted."""
    by_file: dict[str, list[WatchedFunction]] = {}
    for function in state.functions.values():
        by_file.setdefault(function.file, []).append(function)
    return frozenset(
        function.id
        for process in processes
        for library in process.libraries.values()
        for function in by_file.get(library.file, ())
        if function.id in state.watched_since and _late(process, library, state.watched_since[function.id])
    )


class CountedLate(msgspec.Struct, frozen=True):
    """A library of which calls may have been missed."""

    path: str
    listed: bool
    """Functions that profiles list; else the others, which are counted after them and decide nothing."""
    processes: list[Process]
    words: str
    """How late counting began."""


def counted_late(state: State) -> list[CountedLate]:
    """Libraries of which calls may have been missed, what profiles list and what they do not apart."""
    latest: dict[tuple[str, bool], WatchedFunction] = {}
    for function in state.functions.values():
        if function.id in state.stopped:
            continue
        known = latest.get((function.file, function.listed))
        if known is None or state.watched_since.get(function.id, 0) > state.watched_since.get(known.id, 0):
            latest[function.file, function.listed] = function
    found: dict[tuple[str, bool], CountedLate] = {}
    for process in state.processes:
        for library in process.libraries.values():
            for known in (latest.get((library.file, True)), latest.get((library.file, False))):
                if known is not None and (words := _counted_late(state, process, known)):
                    late = CountedLate(library.path, known.listed, [], words)
                    found.setdefault((library.path, known.listed), late).processes.append(process)
    return list(found.values())


def _late(process: Process, library: LibraryMapped, since: int) -> str:
    """How late counting began, in words; empty when it began before anybody could call."""
    if not born_here(process):  # before it was noticed, its calls were not told apart
        late = max(since, process.told_at) - process.started
        return f"counting of {name_of(library.path)} began {duration(late)} after it started" if late > 0 else ""
    start = _callable_since(process, library)
    if since <= start:
        return ""
    after = "the library was loaded" if start > began(process) else "it started"
    return f"counting of {name_of(library.path)} began {duration(since - start)} after {after}"


def _proof_before(
    state: State, use: Use, library: LibraryMapped, watched: list[WatchedFunction], since: int
) -> Coverage | None:
    """What proves that nothing was called before the first probe.

    A look shortly before it does so for a process that was found; but what was born here is most likely to call just
    when a library is new, between the look and the probe.
    """
    looks = {
        "its pages were never executed": _pages_unread(use.process, library, [each.name for each in watched]),
        "no slot of a consumer was bound": _slots_unbound(use),
    }
    for words, at in looks.items():
        if at is not None and at >= since:
            return Coverage(True, f"counted now; before that {words}", len(watched), passive=True)
        if at is not None and since - at < _PASSIVE_GAP and not born_here(use.process):
            gap = duration(since - at)
            return Coverage(
                True, f"counted now; until {gap} before that {words}", len(watched), gapless=False, passive=True
            )
    picture = use.process.never_executed.get(library.path)
    if picture is not None and picture.caveat and not born_here(use.process):
        late = _late(use.process, library, since)
        return Coverage(False, f"{late}; its pages prove nothing: {picture.caveat}", len(watched))
    return None


def _callable_since(process: Process, library: LibraryMapped) -> int:
    """The first moment at which a consumer could have called: the exec, or the dlopen that brought the library.

    The moment at which a mapping was heard of is no such proof: it may be told late.
    """
    loads = [
        lookup.entered or lookup.at
        for lookup in process.lookups
        if lookup.found and lookup.via in ("dlopen", "dlmopen") and lookup.answer == library.path
    ]
    return max(began(process), min(loads, default=0))


def _not_counted(state: State, library: LibraryMapped) -> str:
    why = next((why for key, why in state.refused.items() if key.startswith(f"{library.path}:")), "")
    if why:
        return f"functions of {name_of(library.path)} cannot be counted: {why}"
    return lacking(state, "count-calls", f"functions of {name_of(library.path)} are not counted")


def _slots_unbound(use: Use) -> int | None:
    """When every consumer was seen to have unbound lazy slots for all that it imports; None when that was not seen.

    Under LD_BIND_NOT, and for some auditors, ld.so binds no slot however often it is used (ld.so(8)).
    """
    runs = program(use.process)
    if runs is not None and any(runs.environment.get(key) for key in _BINDS_NOTHING):
        return None
    imports = {consumer.path: consumer.how.imports for consumer in use.consumers if consumer.how is not None}
    if not imports or len(imports) < len(use.consumers):
        return None
    for path, names in imports.items():
        read = use.process.slots.get(path)
        lazy = {slot.name for slot in read.slots if slot.lazy and slot.bound_to is None} if read is not None else set()
        if not names or not set(names) <= lazy:
            return None
    return min(use.process.slots[path].at for path in imports)


def _pages_unread(process: Process, library: LibraryMapped, names: list[str]) -> int | None:
    """When the pages of all these functions were seen never to have been read in; None when that was not seen."""
    picture = process.never_executed.get(library.path)
    if picture is None or picture.file != library.file or picture.caveat or not set(names) <= set(picture.functions):
        return None
    return picture.at


def of_lookups(state: State, process: Process) -> Coverage:
    """Whether a look-up that was not seen did not happen."""
    missing = lacking(state, "lookups", "")
    if missing:
        return Coverage(False, missing)
    if look_ups_are_missing(state):
        return Coverage(False, "look-ups came faster than they could be read")
    if not born_here(process):
        age = duration((state.session.at if state.session else process.started) - process.started)
        return Coverage(False, f"the process started {age} before we attached")
    return _from_the_first_on(state, process)


def _from_the_first_on(state: State, process: Process) -> Coverage:
    """Whether its C library was watched before it could ask: that of a container is met with its first program.

    Recordings of before do not tell since when a file is watched.
    """
    start = began(process)
    answering = [each for each in process.libraries.values() if answers_lookups(each.path)]
    runs = program(process)
    if state.lookups_watched and not answering and runs is not None and runs.static is False:
        return Coverage(False, "its C library was not seen, nor whether look-ups that it answers are")
    for library in answering if state.lookups_watched else []:
        name, since = name_of(library.path), state.lookups_watched.get(library.file)
        if since is None:
            return Coverage(False, f"look-ups that {name} answers are not seen")
        if since > start:
            return Coverage(
                False, f"look-ups that {name} answers are seen since {duration(since - start)} after it started"
            )
        if library.file in state.lookups_stopped:
            return Coverage(False, state.lookups_stopped[library.file])
    return Coverage(True, "look-ups seen since it started")


_MOST_OPENS = 1000
"""Of a process that opened more kinds of files, some may not have been kept."""


def loads_told_by_files(state: State, process: Process) -> bool:
    """Whether a load that shows neither among mappings nor among opens was not tried, whatever is known of look-ups.

    A load that is granted is mapped; one that is refused was looked for in folders.
    """
    mapped = capability(state, "library-loads")
    open_channels = (mapped is None or mapped.state == "yes") and opens_told_throughout(state, process)
    return open_channels and not holes(state) and len(process.opens) < _MOST_OPENS


def summary(state: State) -> str:
    """Which processes were watched, since when, and what was not looked at: one sentence for the foot of the answer."""
    processes = state.processes
    alive = sum(1 for process in processes if not process.ended)
    born = sum(1 for process in processes if born_here(process))
    since = state.session.at if state.session else (processes[0].started if processes else 0)
    text = f"{plural(len(processes), 'process')} ({alive} running), {born} seen from the first instruction"
    if state.processes_dropped:
        text += f"; {state.processes_dropped} more ended and are no longer kept"
    text += f"; observed for {duration(state.now - since)}"
    if state.functions:
        text += f"; {len(state.functions)} functions counted"
        if state.stopped:
            text += f", {len(state.stopped)} of them no longer counted"
    else:
        text += "; no function is counted: " + lacking(state, "count-calls", "no library with a known API was seen")
    if state.lost:
        text += f"; {sum(state.lost.values())} events lost"
    return text
