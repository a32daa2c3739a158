"""Loads of libraries, granted and refused: by dlopen, at the start of a program, and what files foretell."""

from collections.abc import Iterable, Iterator
from errno import ENOENT, ENOTDIR
from typing import Literal

from inspector.model.coverage import born_here, of_lookups
from inspector.model.crashes import crashed
from inspector.model.drivers import is_driver
from inspector.model.failed_loads import FailedLoad, classify, failure_of, foretold, is_load
from inspector.model.families import MANAGEMENT, bundles_loader, family_of_api, family_of_file, family_of_function
from inspector.model.formatting import listed, name_of, stem
from inspector.model.losses import holes
from inspector.model.profiles import Profiles
from inspector.model.stacks import in_loader, waiting
from inspector.model.state import Process, State
from inspector.model.tree import libraries
from inspector.model.usage import asks_for_others, uses
from inspector.stream.calls import FileOpened, LoaderRefused, LookedUp
from inspector.stream.libraries import LibraryMapped

from .row import Attempt
from .undefined import lookup_told, optional_names

_ASKED_ROUTES = ("needed", "dlopen", "unknown")
"""Routes by which somebody asked; a preload is nobody's question."""
ANY_FAMILY = "gpu"
"""Family of a backend of which only the place is known: for which API it is, nobody has read."""
_UNASKED = "cannot open shared object file"
"""Without an errno: nobody asked for the reason. Who has another library of the family did without this one."""
_SOON = 1_000_000_000
_LOADER_REFUSES = 127
"""Status with which ld.so ends a program that it cannot start (ld.so(8), rtld.c)."""


class LoadReader:
    """Reads the loads of one process that have to do with a family of APIs."""

    def __init__(self, state: State, process: Process, profiles: Profiles) -> None:
        self.state, self.process, self.profiles = state, process, profiles
        self.mapped = libraries(process)
        self.in_vain: set[str] = set()
        """What a refused load mapped for a moment; that is no progress."""
        self.by_path = {image.path: image.file for image in state.images.values()}

    def read(self) -> Iterator[Attempt]:
        """All of them, not in order."""
        answered: set[str] = set()
        for lookup in self.process.lookups:
            if is_load(lookup) and lookup.name:
                attempt = self._of_lookup(lookup)
                if attempt is not None:
                    answered.add(attempt.provider)
                    yield attempt
        yield from self._of_refusals()
        yield from self._of_opens()
        yield from self._of_mappings(answered)
        yield from self._predicted()
        yield from self._remembered()

    def family(self, path: str) -> str:
        """Family of a library: by its name, else by what its file provides or calls."""
        named = family_of_file(self.profiles, path)
        if named:
            return named
        apis = self.state.apis.get(self.by_path.get(path, ""))
        if apis is None:
            return ""
        provides = (api for api in sorted(apis.provides) if not bundles_loader(self.profiles, path, api))
        known = [*provides, *apis.consumes]
        families = [family_of_api(self.profiles, api) for api in known if api in self.profiles.apis]
        return next((family for family in families if family not in MANAGEMENT), families[0] if families else "")

    def _linked(self, path: str) -> str:
        """Family of a library that others need: what could ask, and the loader of drivers, are only linked in by it."""
        family = family_of_file(self.profiles, path)
        apis = self.state.apis.get(self.by_path.get(path, ""))
        provides = apis.provides if apis is not None else frozenset()
        offered = [api for api in sorted(provides) if not self.profiles.is_loader(api)]
        if offered:
            return family or family_of_api(self.profiles, offered[0])
        only_linked = apis is not None and (bool(apis.consumes) or bool(provides))
        return "" if only_linked else family

    def _of_lookup(self, lookup: LookedUp) -> Attempt | None:
        stays = lookup.found is None and self._stays(lookup)
        refused = lookup.found is False or stays
        told = lookup.found is False or (stays and crashed(self.process))
        failure = failure_of(self.state, self.process, self.profiles, lookup) if told else None
        family = self.family(lookup.name) or self.family(lookup.answer or "")
        if not family and failure is not None:
            family = family_of_file(self.profiles, failure.missing) or family_of_function(self.profiles, failure.symbol)
        loader = self._loader(lookup.requester) if failure is not None else ""
        if not family and failure is not None:
            family = loader or (ANY_FAMILY if self._expected(lookup.name, failure) else "")
        if not family:
            return None
        attempt = Attempt(
            self.process, "load", lookup.name, None if lookup.found is None and not refused else not refused,
            (self.process.ended or self.state.now) if stays else lookup.at,
            begin=lookup.entered, tid=lookup.tid, family=family, stage="loaded", asker=lookup.requester,
            provider=lookup.answer or "", answer=_words(failure, lookup), source="loader",
            came_back=not stays, failure=failure, lookup=lookup,
            api=self.profiles.api_of_soname(lookup.name) or "", tried=frozenset(one.path for one in lookup.tried),
            own_ends=bool(loader) or not self._for_others(lookup.requester, lookup.name),
        )  # fmt: skip
        if failure is not None:
            self.in_vain.add(lookup.name)
            self._refused_inside(attempt, failure)
        if stays:
            self.in_vain.update(one.path for one in lookup.tried if not one.errno)
        return attempt

    def _stays(self, lookup: LookedUp) -> bool:
        """A load that was not seen to return: its process ended in it, or the stack of its thread is still inside.

        Where events were lost, its return may be one of them. What another thread was loading meanwhile did not end it.
        """
        if self._used_since(lookup):
            return False
        stack = waiting(self.process, lookup.tid, lookup.entered)
        inside = stack is not None and any(map(in_loader, stack.native))
        if self.process.ended:
            main = lookup.tid == self.process.pid
            return ((main or inside) and not holes(self.state)) or crashed(self.process)
        return inside

    def _used_since(self, lookup: LookedUp) -> bool:
        """Who asked for the load looked names up in the loaded file afterwards, on the same thread: it had returned."""
        return any(
            one.tid == lookup.tid and one.requester == lookup.requester and one.at > lookup.entered
            and not is_load(one) and one.answer is not None and name_of(one.answer) == name_of(lookup.name)
            for one in self.process.lookups
        )  # fmt: skip

    def _expected(self, name: str, failure: FailedLoad) -> bool:
        """A backend that a profile knows there, or a load that a library of the process answers itself."""
        known = name in self.process.predictions or name in self.process.candidates
        return known or failure.cause == "overridden"

    def _loader(self, path: str) -> str:
        """Family of the loader that this library is (Vulkan, OpenCL): what it asks for are its drivers.

        Of a file that nobody could read before the process ended, the name tells it.
        """
        apis = self.state.apis.get(self.by_path.get(path, ""))
        named = (one for one in self.profiles.apis.values() if stem(path) in map(stem, one.sonames))
        provides = sorted(apis.provides) if apis is not None else [one.name for one in named]
        return next((family_of_api(self.profiles, api) for api in provides if self.profiles.is_loader(api)), "")

    def _for_others(self, requester: str, name: str) -> bool:
        api = self.profiles.api_of_soname(name) or ""
        return not api or asks_for_others(self.state, self.process, self.profiles, requester, api)

    def _refused_inside(self, attempt: Attempt, failure: FailedLoad) -> None:
        """What the loader names as the reason: another file, or a name."""
        kind: Literal["load", "lookup"]
        if failure.missing and name_of(failure.missing) != name_of(failure.name):
            what, kind = failure.missing, "load"
        elif failure.symbol or failure.version:
            what, kind = failure.symbol or failure.version, "lookup"
        else:
            return
        inner = Attempt(
            self.process, kind, what, False, attempt.at, tid=attempt.tid,
            family=attempt.family, stage="loaded" if kind == "load" else "resolved",
            asker=failure.needed_by or attempt.what, answer=_absence(failure, kind),
            source=attempt.source, failure=failure, lookup=attempt.lookup, inside=attempt,
            api=self.profiles.api_of_soname(what) or self.profiles.api_of_function(what) or "",
        )  # fmt: skip
        attempt.within.append(inner)

    def _of_refusals(self) -> Iterator[Attempt]:
        told = [one for one in self.process.lookups if one.error]
        program = self.process.program
        entries = program.environment.get("LD_PRELOAD", "") if program is not None else ""
        preloaded = {*entries.replace(" ", ":").split(":"), *(one.entry for one in self.process.preloads)}
        for refusal in self.process.refusals:
            if any(one.tid == refusal.tid and refusal.text in one.error and refusal.at <= one.at for one in told):
                continue
            if refusal.object and refusal.object in preloaded:
                continue  # nobody asked for it: an entry that is ignored, see ends.ignored_preloads
            attempt = self._of_refusal(refusal)
            if attempt is not None:
                yield attempt

    def _of_refusal(self, refusal: LoaderRefused) -> Attempt | None:
        words = f"{refusal.object}: {refusal.text}" if refusal.object else refusal.text
        _, missing, symbol, version = classify(words, "")
        end = self.process.end
        fatal = end is not None and end.code == _LOADER_REFUSES and 0 <= self.process.ended - refusal.at < _SOON
        family = family_of_file(self.profiles, missing) or family_of_function(self.profiles, symbol)
        family = family or self.family(refusal.object) or (self._of_program() if fatal else "")
        if not family and not fatal:
            return None
        program = self.process.program
        name = program.exe if fatal and program is not None and missing else missing or refusal.object
        failure = FailedLoad(
            self.process,
            name,
            classify(words, name)[0],
            words,
            missing=missing,
            symbol=symbol,
            version=version,
            refusal=refusal,
        )
        since = 0 if symbol or version else self._searched_since(refusal)
        attempt = Attempt(
            self.process, "load", name or words, False, refusal.at, begin=since,
            tid=refusal.tid, family=family, stage="loaded", asker=program.exe if program is not None else "",
            answer=words, source="loader", failure=failure,
            api=self.profiles.api_of_soname(name) or "",
        )  # fmt: skip
        self._refused_inside(attempt, failure)
        return attempt

    def _of_program(self) -> str:
        """Family of a library that the program needs, where the loader would not start it for want of another."""
        known = (family_of_file(self.profiles, one.asked or one.path) for one in self.mapped.values())
        return next((family for family in known if family), "")

    def _searched_since(self, refusal: LoaderRefused) -> int:
        """When the loader began to look for the file that it did not get; 0 unknown."""
        tried = (
            one.at for one in self.process.opens
            if one.tid == refusal.tid and one.at <= refusal.at and name_of(one.path) == name_of(refusal.object)
        )  # fmt: skip
        return min(tried, default=0)

    def _of_opens(self) -> Iterator[Attempt]:
        """Libraries that were looked for in vain in folder after folder, where the look-ups were not all seen."""
        if of_lookups(self.state, self.process).complete:
            return
        known = {stem(one.name) for one in self.process.lookups} | {
            stem(library.path) for library in self.mapped.values()
        }
        known |= {stem(missing_of(refusal)) for refusal in self.process.refusals}
        tried: dict[str, list[FileOpened]] = {}
        for opened in self.process.opens:
            if opened.errno in (ENOENT, ENOTDIR):
                tried.setdefault(name_of(opened.path), []).append(opened)
            else:
                known.add(stem(opened.path))
        for name, opens in tried.items():
            family = family_of_file(self.profiles, name)
            if not family or stem(name) in known:
                continue
            folders = dict.fromkeys(one.path.rpartition("/")[0] or "/" for one in opens)
            words = f"not found in {listed(folders, 4)}"
            failure = FailedLoad(self.process, name, "absent", words, opened=opens[-1])
            yield Attempt(
                self.process, "load", name, False, opens[-1].at, begin=opens[0].at, tid=opens[-1].tid, family=family,
                stage="loaded", answer=words, failure=failure, opened=opens[-1],
                api=self.profiles.api_of_soname(name) or "", tried=frozenset(one.path for one in opens),
                own_ends=is_driver(self.profiles, name),
            )  # fmt: skip

    def _of_mappings(self, answered: set[str]) -> Iterator[Attempt]:
        for library in self.process.libraries.values():  # what a fork has from its parent it did not ask for
            if library.route not in _ASKED_ROUTES or library.path in answered or library.path in self.in_vain:
                continue
            gone = library.state == "unmapped"
            if (gone and self._came_in_vain(library)) or (self.process.ended and self._only_refused(library)):
                continue
            family = self._linked(library.path) if library.route == "needed" else self.family(library.path)
            if family and not self._borrowed(library):
                yield Attempt(
                    self.process, "load", library.asked or library.path, True,
                    self.process.mapped_at.get(library.base, library.at), family=family, stage="loaded",
                    asker=library.route_by, provider=library.path, answer="mapped", source="file", mapped=library,
                    api=self.profiles.api_of_soname(library.asked or library.path) or "",
                )  # fmt: skip

    def _borrowed(self, library: LibraryMapped) -> bool:
        """Libraries of another API brought it in for their own ends, and nobody else here wants it."""
        every = uses(self.state, self.process, self.profiles)
        mine = [use for use in every.values() if any(one.path == library.path for one in use.providers)]
        if not mine or any(use.consumers or use.consumer_calls for use in mine):
            return False
        borrowing = [use for use in every.values() if use.providers for api in mine
                     if api.api in self.profiles.apis[use.api].borrows]  # fmt: skip
        return bool(borrowing)

    def _came_in_vain(self, library: LibraryMapped) -> bool:
        """It was mapped while a load was refused; where the mapping was told late, while the only loads of it were."""
        loads = (one for one in self.process.lookups if is_load(one))
        return self._only_refused(library) or any(one.found is False and one.at >= library.at for one in loads)

    def _only_refused(self, library: LibraryMapped) -> bool:
        """Each load of it was refused: what the loader mapped for that it took away again."""
        asked = name_of(library.asked or library.path)
        loads = [one for one in self.process.lookups if is_load(one) and name_of(one.name) == asked]
        return bool(loads) and all(one.found is False for one in loads)

    def _predicted(self) -> Iterator[Attempt]:
        told = {name_of(one.name) for one in self.process.lookups if is_load(one)}
        told |= {name_of(library.path) for library in self.mapped.values()}
        for prediction in self.process.predictions.values():
            if prediction.ok is not False or name_of(prediction.name) in told:
                continue
            failure = foretold(self.state, self.process, self.profiles, prediction)
            family = self.family(prediction.name) or family_of_file(self.profiles, failure.missing)
            family = family or family_of_function(self.profiles, failure.symbol) or ANY_FAMILY
            yield Attempt(
                self.process, "prediction", prediction.name, False, prediction.at, family=family, stage="loaded",
                asker=prediction.requester, answer=prediction.words, source="file", prediction=prediction,
                failure=failure, api=self.profiles.api_of_soname(prediction.name) or "",
            )  # fmt: skip

    def _remembered(self) -> Iterator[Attempt]:
        """Refused before we attached, by the loader's sentences in memory; what is there by now under any name served.

        Of a program that was seen from its first instruction its look-ups tell, and a sentence may be about a question
        whether something is loaded (RTLD_NOLOAD).
        """
        if born_here(self.process):
            return
        known = {stem(one.name) for one in self.process.lookups if one.via in ("dlopen", "dlmopen")}
        known |= {stem(library.path) for library in self.mapped.values() if library.state != "unmapped"}
        remembered = self.process.loader_words.words if self.process.loader_words is not None else ()
        there = {family_of_file(self.profiles, one.path) for one in self.mapped.values() if one.state != "unmapped"}
        optional = optional_names(self.profiles, remembered)
        yield from self._remembered_loads(optional)
        for words in remembered:
            if words in optional:
                continue
            asked = lookup_told(self.state, self.process, self.profiles, words, "memory")
            if asked is not None:
                yield asked
                continue
            name = words.partition(": ")[0]
            cause, missing, symbol, version = classify(words, name)
            family = family_of_file(self.profiles, missing or name) or family_of_function(self.profiles, symbol)
            if not family or stem(missing or name) in known or (words.endswith(_UNASKED) and family in there):
                continue
            failure = FailedLoad(
                self.process, name, cause, words, missing=missing, symbol=symbol, version=version, told=True
            )
            yield Attempt(
                self.process, "load", name, False, self.process.started, family=family, stage="loaded", answer=words,
                source="memory", sampled=False, failure=failure, api=self.profiles.api_of_soname(name) or "",
            )  # fmt: skip

    def _remembered_loads(self, optional: Iterable[str]) -> Iterator[Attempt]:
        """Who was asked for names was there: libraries that are not mapped any more."""
        paths = {words.partition(": ")[0].rpartition(" ")[2] for words in optional}
        here = {name_of(library.path) for library in self.mapped.values() if library.state != "unmapped"}
        for name in sorted({name_of(path) for path in paths} - here):
            yield Attempt(
                self.process, "load", name, True, self.process.started, family=family_of_file(self.profiles, name),
                stage="loaded", answer="was there", source="memory", sampled=False,
                api=self.profiles.api_of_soname(name) or "",
            )  # fmt: skip


def missing_of(refusal: LoaderRefused) -> str:
    """The file that the loader did not find."""
    return classify(f"{refusal.object}: {refusal.text}", "")[1] or refusal.object


def _absence(failure: FailedLoad, kind: str) -> str:
    """What is said of what a load needed: a file, a name, a name at a version."""
    if kind == "load":
        return "not found"
    if failure.symbol and failure.version:
        return f"not defined at version {failure.version}"
    return "not exported"


def _words(failure: FailedLoad | None, lookup: LookedUp) -> str:
    if lookup.found is None:
        return "did not return"
    if failure is None:
        return "found"
    return failure.words or "dlopen returned NULL, its error text was not seen"
