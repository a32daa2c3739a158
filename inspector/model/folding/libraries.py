"""Mappings, ELF facts, predictions and passive evidence."""

import msgspec

from inspector.model.apis import describe
from inspector.model.families import family_of_file
from inspector.model.formatting import name_of
from inspector.model.state import WAS_THERE, Process, State
from inspector.model.tree import is_preloaded
from inspector.stream.calls import LookedUp
from inspector.stream.libraries import (
    CandidateFound,
    CodePatched,
    CopiesFound,
    ImageRead,
    LibraryMapped,
    LibraryUnmapped,
    LoaderWordsFound,
    LoadPredicted,
    NeverExecuted,
    PackageRead,
    PointersHeld,
    PreloadChecked,
    ScopeRead,
    SlotsRead,
)

from .timeline import process_at, tell, touch

_RECENT_LOOKUPS = 100
_STALE = ("replaced", "deleted", "modified")
_TOLD_LATE = 20_000_000
"""ns after which a mapping is told at the latest: that of a refused dlopen may be heard of after the refusal."""
_TOLD_VERY_LATE = 2_000_000_000
"""The same on a busy machine: of a name that nobody asked for again meanwhile."""
_ASKED = ("needed", "dlopen", "unknown")
_TELLING_ROUTES = ("preload", "audit", "dlopen")


def mapped(state: State, event: LibraryMapped) -> None:
    process = process_at(state, event.pid, event.at)
    before = process.libraries.get(event.base)
    process.libraries[event.base] = event
    if before is None or before.state == "unmapped":
        process.mapped_at[event.base] = event.at
    if any(mapped_in_vain(process, lookup, event) for lookup in process.lookups[-_RECENT_LOOKUPS:]):
        process.libraries[event.base] = msgspec.structs.replace(event, state="unmapped")
    if event.route in _ASKED and family_of_file(state.profiles, event.asked or event.path):
        process.asked_by.add(event.route_by)
    touch(state, "libraries", "symbols")
    if before is not None and before.path == event.path:
        _tell_change(state, before, event)
    elif event.route in _TELLING_ROUTES or event.file in state.images:
        _tell_load(state, event)
    else:
        state.unexplained.setdefault(event.file, []).append((process, event))


def asked(state: State, process: Process, lookup: LookedUp) -> None:
    """Remember who asks for a library of a GPU."""
    if lookup.via in ("dlopen", "dlmopen") and family_of_file(state.profiles, lookup.name):
        process.asked_by.add(lookup.requester)


def mapped_in_vain(process: Process, lookup: LookedUp, library: LibraryMapped) -> bool:
    """A dlopen that is refused unmaps all that it mapped since it was asked."""
    if lookup.found is not False or lookup.via not in ("dlopen", "dlmopen"):
        return False
    mapped_at = process.mapped_at.get(library.base, library.at)
    if lookup.entered and lookup.entered <= mapped_at <= lookup.at:
        return True
    last = _TOLD_VERY_LATE if library.asked == lookup.name and _asked_last(process, lookup) else _TOLD_LATE
    if mapped_at > lookup.at + last or mapped_at < lookup.entered:
        return False
    return any(tried.errno == 0 and tried.path == library.path for tried in lookup.tried)


def _asked_last(process: Process, lookup: LookedUp) -> bool:
    """Nobody asked for that name after it, as far as was heard."""
    same = (one for one in reversed(process.lookups) if one.via in ("dlopen", "dlmopen") and one.name == lookup.name)
    return next(same, lookup) is lookup


def held_after_all(process: Process, lookup: LookedUp) -> None:
    """A dlopen that succeeds right after one that was refused holds what it answers."""
    for base, library in process.libraries.items():
        mapped_at = process.mapped_at.get(base, 0)
        late = lookup.at - mapped_at <= _TOLD_LATE or (0 < lookup.entered <= mapped_at)
        if library.state == "unmapped" and library.path == lookup.answer and late:
            process.libraries[base] = msgspec.structs.replace(library, state="current")


def unloaded(process: Process, lookup: LookedUp) -> None:
    """Mark what a refused dlopen had mapped as gone again."""
    for base, library in process.libraries.items():
        if library.state != "unmapped" and mapped_in_vain(process, lookup, library):
            process.libraries[base] = msgspec.structs.replace(library, state="unmapped")


def _tell_change(state: State, before: LibraryMapped, event: LibraryMapped) -> None:
    if event.state in _STALE and before.state != event.state:
        text = f"{name_of(event.path)} on disk was {event.state}: {event.state_detail}"
        tell(state, event.at, event.pid, "load", text, bad=True, key=f"{event.pid}:{event.base}")


def _tell_load(state: State, event: LibraryMapped) -> None:
    concerned = _concerned(state, event.file)
    if not concerned and event.route not in _TELLING_ROUTES:
        return
    by = f" by {name_of(event.route_by)}" if event.route_by and event.route != "preload" else ""
    route = "" if event.route == "unknown" else f" ({event.route}{by})"
    about = f" [{', '.join(concerned)}]" if concerned else ""
    process = process_at(state, event.pid, event.at)
    in_vain = any(mapped_in_vain(process, lookup, event) for lookup in process.lookups[-_RECENT_LOOKUPS:])
    gone = " during the refused load, gone again" if in_vain else ""
    came = WAS_THERE if _was_there(process, event) else "mapped"
    stale = f"; the file on disk was {event.state}" if event.state in _STALE else ""
    text = f"{name_of(event.path)} {came}{gone}{route}{about}{stale}"
    tell(state, event.at, event.pid, "load", text, bad=event.state in _STALE, key=f"{event.pid}:{event.base}")


def _was_there(process: Process, event: LibraryMapped) -> bool:
    """Found at the first look at a process that ran already: when it was mapped is not known."""
    first = min(process.mapped_at.values(), default=0)
    return process.origin == "attach" and len(process.execs) <= 1 and event.at == first


def _concerned(state: State, file: str) -> list[str]:
    apis = state.apis.get(file)
    return apis.words() if apis else []


def unmapped(state: State, event: LibraryUnmapped) -> None:
    process = process_at(state, event.pid, event.at)
    known = process.libraries.get(event.base)
    if known is None:
        return
    process.libraries[event.base] = msgspec.structs.replace(known, state="unmapped")
    touch(state, "libraries", "symbols")
    if _concerned(state, known.file):
        text = f"{name_of(event.path)} unmapped (dlclose)"
        tell(state, event.at, event.pid, "load", text, key=f"{event.pid}:{event.base}")


def image_read(state: State, event: ImageRead) -> None:
    state.images[event.file] = event
    state.apis[event.file] = describe(event, state.profiles)
    touch(state, "libraries", "symbols", "images")
    for process, mapping in state.unexplained.pop(event.file, ()):
        process.revision += 1
        if mapping.base in process.libraries:
            _tell_load(state, mapping)


def scope_read(state: State, event: ScopeRead) -> None:
    process_at(state, event.pid, event.at).scopes[event.namespace] = event
    touch(state, "libraries", "symbols")


def preload_checked(state: State, event: PreloadChecked) -> None:
    process = process_at(state, event.pid, event.at)
    known = [entry for entry in process.preloads if (entry.source, entry.entry) != (event.source, event.entry)]
    process.preloads = [*known, event]
    touch(state, "libraries", "processes")
    if event.usable is False:
        ignored = ": the next start will ignore it" if is_preloaded(process, event) else " is ignored"
        text = f"{event.source} entry {event.entry}{ignored}: {event.problem or event.words}"
        tell(state, event.at, event.pid, "load", text, bad=True)


def load_predicted(state: State, event: LoadPredicted) -> None:
    process = process_at(state, event.pid, event.at)
    (process.asked_loads if event.asked else process.predictions)[event.name] = event
    touch(state, "libraries")


def candidate_found(state: State, event: CandidateFound) -> None:
    process_at(state, event.pid, event.at).candidates[event.path] = event
    touch(state, "libraries")


def copies_found(state: State, event: CopiesFound) -> None:
    process = process_at(state, event.pid, event.at)
    process.copies[event.kind, event.asked] = event
    state.copies[event.kind, event.asked] = event
    touch(state, "libraries", "symbols")


def package_read(state: State, event: PackageRead) -> None:
    process = process_at(state, event.pid, event.at)
    process.packages[event.package] = event
    touch(state, "libraries")
    if event.gpu_part is False:
        text = f"{event.package} is a CPU-only build ({name_of(event.path)})"
        tell(state, event.at, event.pid, "note", text, bad=True)


def loader_words_found(state: State, event: LoaderWordsFound) -> None:
    process = process_at(state, event.pid, event.at)
    process.loader_words = event
    touch(state, "libraries")
    for words in event.words:
        tell(state, event.at, event.pid, "load", f"{words} (failed before we attached, found in memory)", bad=True)


def never_executed(state: State, event: NeverExecuted) -> None:
    process_at(state, event.pid, event.at).never_executed[event.path] = event
    touch(state, "symbols")


def slots_read(state: State, event: SlotsRead) -> None:
    process_at(state, event.pid, event.at).slots[event.path] = event
    touch(state, "symbols")


def pointers_held(state: State, event: PointersHeld) -> None:
    process_at(state, event.pid, event.at).pointers[event.path] = event
    touch(state, "symbols")


def code_patched(state: State, event: CodePatched) -> None:
    process_at(state, event.pid, event.at).patched[event.path] = event
    touch(state, "libraries")
