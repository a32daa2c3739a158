"""Which library wins the look-up, and does the consumer get an answer at all?"""

from collections.abc import Iterable, Iterator
from shlex import quote

from inspector.model import evidence, recipes
from inspector.model.disguise import disguise_row, disguised
from inspector.model.evidence import short
from inspector.model.loads import FailedLoad, failure_row
from inspector.model.state import Process, Reading
from inspector.model.usage import Provider, Use, faults
from inspector.model.verdict import Severity
from inspector.model.wording import listed, name_of
from inspector.stream.calls import LookedUp

from .rule import Hit, Rule, Scene

_DECISIVE_ROLES = frozenset(("init", "count", "lookup", "version", "device", "name", "memory", "properties"))
_MORE_THAN_ALIASES = 8
"""Names of one function: releases (`_v2`) and per-thread variants make a handful."""


class DlopenOverridden(Rule):
    id = "dlopen-overridden"
    place = "resolved"
    meaning = (
        "A library of the process answers dlopen itself, with NULL and without touching the file or setting an error."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for failure in scene.all_failures():
            if failure.cause == "overridden" and failure.lookup is not None:
                yield self._hit(scene, failure, failure.lookup)

    def _hit(self, scene: Scene, failure: FailedLoad, lookup: LookedUp) -> Hit:
        process, hook = failure.process, failure.answered_by
        rows = [failure_row(scene.state, failure)]
        rows.append(
            evidence.of_file(
                process, hook, f"{hook} defines {lookup.via}", by_hand=recipes.exported(process, hook, lookup.via)
            )
        )
        return Hit(
            title=f"{lookup.via}({name_of(failure.name)}) in {short(process)} was answered by {name_of(hook)} with "
            "NULL without touching the file",
            cause="Its own dlopen cannot find the real one (its own dlsym answers NULL), so every load fails, and "
            "dlerror stays empty: no log shows it.",
            next_step=f"take {name_of(hook)} out of LD_PRELOAD and find it by LD_LIBRARY_PATH, or do not export "
            "dlopen and dlsym",
            process=process,
            confidence="proven",
            evidence=rows,
            at=failure.at,
            subject=f"{hook}:{name_of(failure.name)}",
        )


class LookupFailed(Rule):
    id = "lookup-failed"
    place = "resolved"
    meaning = "A consumer asked for the API's library or for one of its functions and was refused."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            asked: dict[tuple[str, str], list[FailedLoad]] = {}
            for failure in scene.failures(process):
                api = scene.profiles.api_of_soname(failure.name)
                if failure.cause == "absent" and api is not None and not _found_otherwise(scene, failure, api):
                    asked.setdefault((api, failure.requester), []).append(failure)
            for (api, _), failures in asked.items():
                yield self._of_library(scene, failures, api)
            for use in scene.uses(process).values():
                yield from self._of_names(scene, process, use)
        seen = {lookup.name for _, use in scene.all_uses() for lookup in use.lookups}
        for reading in scene.start.of("lookup-failed"):
            if reading.groups.get("function") not in seen:
                yield self._of_line(scene, reading)

    def _of_line(self, scene: Scene, reading: Reading) -> Hit:
        name, path = reading.groups.get("function", "?"), reading.groups.get("path") or "the library"
        return Hit(
            title=f"{name} was looked up in {path} and is not there",
            cause="The program's own log says so; it takes a library only if all the names that it needs are there.",
            next_step=f"nm -D --defined-only {quote(path)} | grep -w {quote(name)}   # export it",
            confidence="likely",
            evidence=[evidence.of_reading(scene.state, reading)],
            at=reading.at,
            subject=f"{path}:{name}",
        )

    def _of_library(self, scene: Scene, failures: list[FailedLoad], api: str) -> Hit:
        """One consumer asks for a library by several names in turn."""
        failure = failures[-1]
        process = failure.process
        names = listed((name_of(one.name) for one in failures), 3)
        by_runtime = (
            ' A CUDA runtime answers 35, "driver version is insufficient", for this as well.'
            if api == "cuda-driver"
            else ""
        )
        path = (scene.environment(process) or {}).get("LD_LIBRARY_PATH", "")
        return Hit(
            title=f"{name_of(failure.requester) or 'a consumer'} asked for {names} in {short(process)}: not found",
            cause=f"{failure.words}. No folder of this process's search path holds it"
            f"{f' (LD_LIBRARY_PATH={path})' if path else ' (no LD_LIBRARY_PATH is set)'}.{by_runtime}",
            next_step=f"ldconfig -p | grep {quote(name_of(failure.name))}   # place the library, or set "
            "LD_LIBRARY_PATH for this process",
            process=process,
            severity=_severity(scene, process, api),
            confidence=failure.sure,
            evidence=[failure_row(scene.state, one) for one in failures],
            at=failures[0].at,
            subject=name_of(failure.name),
        )

    def _of_names(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        found = {lookup.name for lookup in use.lookups if lookup.found}
        works = sum(calls.results.get(0, 0) for calls in use.calls.values() if calls.role in ("init", "count"))
        if works:
            yield from self._of_last_word(scene, process, use)
            return
        for lookup in use.lookups:
            if (
                lookup.found is not False
                or lookup.via in ("dlopen", "dlmopen", "cuGetExportTable")
                or lookup.name in found
            ):
                continue
            gave_up = lookup is use.lookups[-1] and scene.profiles.api_of_function(lookup.name) == use.api
            decisive = scene.profiles.role(use.api, lookup.name) in _DECISIVE_ROLES
            if not gave_up and not decisive:
                continue
            yield self._of_name(scene, process, use, lookup, sure=decisive and not use.consumer_calls)
            return

    def _of_last_word(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        """The API works, but the program asked for a name more, got none, called nothing after it and failed."""
        lookup = max(use.lookups, key=lambda one: one.at, default=None)
        failed = process.end is not None and process.end.code not in (0, None)
        if lookup is None or lookup.found is not False or not failed or use.went_on_after(lookup.at):
            return
        if lookup.via in ("dlsym", "dlvsym", "cuGetProcAddress", "cuGetProcAddress_v2"):
            yield self._of_name(scene, process, use, lookup, sure=False)

    def _of_name(self, scene: Scene, process: Process, use: Use, lookup: LookedUp, *, sure: bool) -> Hit:
        where = listed((provider.path for provider in use.providers), 2) or _asked_file(lookup) or "the library"
        other = disguised(scene.state, process, lookup.name)
        if other is not None and other.path not in {_asked_file(lookup), *(one.path for one in use.providers)}:
            other = None  # a file that nobody asked: a wrapper of that name in the consumer itself, perhaps
        lacks = f"{other.path} {other.words}" if other is not None else f"{where} does not have it"
        cause = f"{lookup.via} answered {lookup.error or 'NULL'}; no call of {use.api} succeeded after it."
        check = recipes.exported(process, where if where != "the library" else "FILE", lookup.name)
        return Hit(
            title=f"{name_of(lookup.requester) or 'a consumer'} asked for {lookup.name} in {short(process)}; {lacks}",
            cause=f"{cause} {other.cause}" if other is not None else cause,
            next_step=other.cure if other is not None else check,
            process=process,
            severity="error" if scene.profiles.apis[use.api].mode is not None else "warning",
            confidence="proven" if sure else "likely",
            evidence=[
                evidence.of_lookup(
                    scene.state, process, lookup, f"{lookup.via}({lookup.name}): {lookup.error or 'NULL'}"
                ),
                *([disguise_row(process, other)] if other is not None else []),
            ],
            doubt="The consumer may have another way to go on without the name.",
            at=lookup.at,
            subject=f"{where}:{lookup.name}",
        )


def _asked_file(lookup: LookedUp) -> str:
    """The loader names the file that lacks a symbol: `/opt/libcuda.so.1: undefined symbol: cuInit`."""
    path, colon, _ = lookup.error.partition(": undefined symbol")
    return path if colon and path.startswith("/") else ""


def _found_otherwise(scene: Scene, failure: FailedLoad, api: str) -> bool:
    """Whoever was refused one name of the library got it under another: `libcuda.so`, then `libcuda.so.1`."""
    use = scene.uses(failure.process).get(api)
    return use is not None and any(_brought(lookup, failure.requester) for lookup in use.lookups)


def _brought(lookup: LookedUp, requester: str) -> bool:
    return bool(lookup.found) and lookup.via in ("dlopen", "dlmopen") and lookup.requester == requester


def _severity(scene: Scene, process: Process, api: str) -> Severity:
    """Programs ask for the libraries of several vendors; when one is there, the absence of the others is no error."""
    mode = scene.profiles.apis[api].mode
    others = [use for use in scene.computing(process) if scene.profiles.apis[use.api].mode != mode]
    if mode is not None and any(_brought(lookup, lookup.requester) for use in others for lookup in use.lookups):
        return "info"
    return "error" if scene.rank(process) == 0 else "warning"


class PlaceholderAnswered(Rule):
    id = "placeholder-answered"
    place = "resolved"
    ranked_as = "returned"
    meaning = (
        "Names that a library does not have were answered with one common function; a program that calls it fails."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            names = _placeholder_names(use)
            lines = [one for one in scene.start.of("error") if one.groups.get("answer") and one.pid == process.pid]
            failed = process.end is not None and process.end.code not in (0, None)
            if names and failed and (lines or not faults(use, scene.profiles)):
                yield self._hit(scene, process, use, names, lines)

    def _hit(self, scene: Scene, process: Process, use: Use, names: list[LookedUp], lines: list[Reading]) -> Hit:
        where = name_of(names[0].answer or "")
        rows = [evidence.of_reading(scene.state, line) for line in lines[:3]]
        rows += [
            evidence.of_lookup(scene.state, process, one, f"{one.via}({one.name}) = {one.address:#x} of {where}")
            for one in names[:10]
        ]
        called = f"; it was called, and {short(process)} ended with {process.end.code}" if lines and process.end else ""
        return Hit(
            title=f"{where} answered {len(names)} names with one placeholder in {short(process)}{called}",
            cause="A look-up that always succeeds hides what is missing: the refusal comes with the call, and which of "
            f"the names it was is not known: {listed((one.name for one in names), 5)}.",
            next_step="answer names that are not there with CUDA_ERROR_NOT_FOUND, or let the placeholder log its name",
            process=process,
            severity="error" if lines and not faults(use, scene.profiles) else "warning",
            confidence="likely" if lines else "guess",
            evidence=rows,
            doubt="" if lines else "That one of them was called was not seen.",
            at=process.ended,
            subject=f"placeholder of {where}",
        )


def _placeholder_names(use: Use) -> list[LookedUp]:
    """Names that share one address with more names than aliases explain."""
    shared: dict[int, dict[str, LookedUp]] = {}
    for lookup in use.lookups:
        if lookup.found and lookup.name and lookup.address and not lookup.symbol:
            shared.setdefault(lookup.address, {})[lookup.name] = lookup
    most = max(shared.values(), key=len, default={})
    return list(most.values()) if len(most) >= _MORE_THAN_ALIASES else []


class BoundElsewhere(Rule):
    id = "bound-elsewhere"
    place = "resolved"
    meaning = "Two libraries offer the API in one process; the consumer's calls go to the one that was not meant."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            if len(use.providers) < 2 or not (faults(use, scene.profiles) or not use.consumer_calls):
                continue
            winners = {calls.function.file for calls in use.calls.values() if calls.by_consumer} or self._bound(
                process, use
            )
            called = {calls.function.file for calls in use.calls.values()}
            winner = next((p for p in use.providers if p.library.file in winners), None)
            for loser in use.providers:
                forgotten = loser.library.file not in winners | called and not loser.gone
                if winner is not None and loser is not winner and forgotten and loser.apis is not None:
                    if _named(scene, loser, use.api):
                        yield self._hit(process, use, winner, loser)
                    break

    def _bound(self, process: Process, use: Use) -> set[str]:
        """Files that the slots of consumers point into."""
        paths = {slot.bound_to for slots in process.slots.values() for slot in slots.slots if slot.bound_to}
        return {provider.library.file for provider in use.providers if provider.path in paths}

    def _hit(self, process: Process, use: Use, winner: Provider, loser: Provider) -> Hit:
        calls = next((c for c in use.calls.values() if c.function.file == winner.library.file and c.by_consumer), None)
        rows = [evidence.of_library(process, p.library, f"{p.path} ({p.library.route})") for p in (winner, loser)]
        what = f"{calls.name} and the like" if calls is not None else use.api
        if calls is not None:
            rows.append(
                evidence.of_calls(process, calls, f"{calls.name} of {winner.path} was called, none of {loser.path}")
            )
        return Hit(
            title=f"in {short(process)} {what} are bound to {winner.path}, not to {loser.path}",
            cause="The first library in the look-up order that defines a name wins it, whatever the library is meant "
            "for; a preload stands before all others.",
            next_step=f"take {name_of(winner.path)} out of the process, or let it pass the calls on",
            process=process,
            confidence="likely",
            evidence=rows,
            doubt="If the first one is the shim that was meant, look at what it answers.",
            at=calls.first if calls is not None else 0,
            subject=f"{winner.path}:{loser.path}",
        )


def _named(scene: Scene, provider: Provider, api: str) -> bool:
    """It has the SONAME that consumers ask for (one without is the case of name-mismatch)."""
    soname = provider.image.soname if provider.image is not None else None
    return soname is not None and scene.profiles.api_of_soname(soname) == api


RULES: tuple[Rule, ...] = (DlopenOverridden(), BoundElsewhere(), LookupFailed(), PlaceholderAnswered())
