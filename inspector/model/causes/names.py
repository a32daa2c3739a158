"""Names: is what was asked for there, and visible? Which names should not be there?"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.copies import where_is
from inspector.model.coverage import born_here
from inspector.model.evidence import short
from inspector.model.failed_loads import FailedLoad
from inspector.model.formatting import listed, name_of, upper_first
from inspector.model.memo import once
from inspector.model.requirements import NeededName, import_faults, missing_names, required
from inspector.model.state import Process
from inspector.model.symbol_near_misses import NearMiss, near_miss, near_miss_row
from inspector.model.tree import libraries
from inspector.model.usage import Use
from inspector.model.verdict import Confidence, Evidence
from inspector.stream.libraries import ImageRead, LibraryMapped

from .context import Case, Context
from .failed_loads import verb
from .found_elsewhere import found_elsewhere
from .rule import Cause, Hit, Pattern

_MEMORY_NAMES = frozenset((
    "malloc", "free", "calloc", "realloc", "posix_memalign", "memalign", "aligned_alloc", "valloc", "pvalloc",
    "malloc_usable_size", "reallocarray", "cfree",
))  # fmt: skip
"""What allocators replace on purpose."""


def import_faults_of(context: Context, process: Process, use: Use) -> list[NeededName]:
    """Imports of mapped consumers that no mapped file offers; nothing where no provider is mapped at all."""
    if not any(not provider.gone for provider in use.providers):
        return []
    return import_faults(context.state, process, use, context.profiles)


_NONE = "no loaded library"


def _provider_words(context: Context, process: Process, name: str, tried: Iterable[str] = ()) -> str:
    """The file that should have offered a name: mapped, or opened by the load that was refused."""
    api = context.profiles.api_of_function(name)
    use = context.uses(process).get(api) if api is not None else None
    providers = [provider.path for provider in use.providers] if use is not None else []
    providers = providers or [path for path in sorted(tried) if api and context.profiles.api_of_soname(path) == api]
    return listed(providers, 2) if providers else _NONE


def _opened_in_load(case: Case, failure: FailedLoad) -> frozenset[str]:
    """Files that the loader found and opened in the load that was refused."""
    found = {one.path for one in failure.lookup.tried if not one.errno} if failure.lookup is not None else set[str]()
    found |= {one.path for one in failure.process.opens if not one.errno}
    return frozenset(found & case.load.tried) if case.load is not None else frozenset()


def _refused_file(failure: FailedLoad) -> str:
    """The file that was refused, by its path where the loader names it."""
    named = failure.words.partition(":")[0]
    return named if "/" not in failure.name and named.startswith("/") and name_of(named) == failure.name \
        else failure.name  # fmt: skip


def _let_it_export(provider: str, consumer: str, name: str) -> str:
    if "/" in provider:
        return f"export it from {name_of(provider)}, even if it only returns that it is not supported"
    return f"load a library that defines {name}, or use a build of {name_of(consumer)} that does not need it"


class SymbolMissing(Cause):
    id = "symbol-missing"
    place = "exported"
    meaning = (
        "A consumer needs a name that no loaded library defines: the load fails, or the first call ends the program."
    )
    proof = "The loader refused the load and named the symbol; or no mapped file exports what a consumer imports."
    cure = "Let the library export the name, or use one of the release that the consumer was built for."

    def explain(self, case: Case) -> Hit | None:
        failure = case.failure
        if failure is None or failure.cause != "symbol":
            return None
        process, name = failure.process, failure.symbol
        more = _others_missing(failure)
        provider = _provider_words(case.context, process, name, _opened_in_load(case, failure))
        place = found_elsewhere(case, name, "symbol")
        known = where_is(case.state, process, name, "symbol") is not None
        file = provider if "/" in provider else _refused_file(failure)
        lacks = f"{provider} defines" if provider == _NONE else f"{provider} does not export"
        there = f" {upper_first(place.words)}." if known and place.words else ""
        return Hit(
            title=f"{name_of(failure.name)} {verb(failure)} in {short(process)}: it needs {listed([name, *more], 3)}, "
            f"which {lacks}",
            cause=f"The loader says: {failure.words}.{there}",
            next_step=place.step if place.paths else _let_it_export(provider, failure.name, name),
            command=(commands_by_hand.exported if file == provider else commands_by_hand.wanted)(process, file, name),
            process=process,
            confidence=case.sure,
            evidence=case.rows(),
            at=failure.at,
            subject=f"{name_of(failure.name)}:{name}",
            root=f"{lacks} {name}",
        )


class NamesNotOffered(Pattern):
    """Imports that nothing offers: a fault only where nothing else was refused, for nobody may ever call them."""

    id = "symbol-missing"
    place = "exported"
    meaning = SymbolMissing.meaning
    proof = SymbolMissing.proof
    cure = SymbolMissing.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process, use in context.all_uses():
            missing = [want for want in import_faults_of(context, process, use) if want.fault == "missing"]
            if missing:
                yield self._of_imports(process, use, missing)
            if not use.lookups and not use.consumer_calls and use.providers:
                yield from self._of_requirements(context, process, use)

    def _of_imports(self, process: Process, use: Use, missing: list[NeededName]) -> Hit:
        first = missing[0]
        providers = listed((provider.path for provider in use.providers), 2)
        met_running = not process.ended and not born_here(process)  # it came so far, by whichever calls
        ran = "" if use.consumer_calls or met_running else "Bound at load, the load fails; "
        return Hit(
            title=f"{name_of(first.consumer)} needs {listed((want.name for want in missing), 3)}; {providers} does "
            f"not export {'it' if len(missing) == 1 else 'them'}",
            cause=f"{ran}bound at the first call, that call ends the program with status 127.".capitalize(),
            next_step=f"export it from {name_of(use.providers[0].path)}",
            command=commands_by_hand.exported(process, use.providers[0].path, first.name),
            process=process,
            severity="warning" if use.consumer_calls or met_running else "error",
            confidence="likely",
            evidence=name_rows(process, missing),
            doubt="The name may belong to a path that this program never takes.",
            subject=f"{name_of(first.consumer)}:{first.name}",
        )

    def _of_requirements(self, context: Context, process: Process, use: Use) -> Iterator[Hit]:
        missing = missing_names(context.state, process, required(context.state, use, context.profiles))
        if missing and missing[0].fault == "missing":
            want = missing[0]
            yield Hit(
                title=f"{name_of(want.consumer)} will ask {use.providers[0].path} for {want.name}, which it does not "
                "export",
                cause=f"{want.why}; without it the runtime gives up as if there were no driver.",
                next_step=f"export {want.name} from {name_of(use.providers[0].path)}",
                command=commands_by_hand.exported(process, use.providers[0].path, want.name),
                process=process,
                confidence="likely",
                evidence=name_rows(process, missing),
                subject=f"{name_of(want.consumer)}:{want.name}",
            )


def _others_missing(failure: FailedLoad) -> list[str]:
    if failure.prediction is None:
        return []
    return [need.name for need in failure.prediction.undefined if need.name != failure.symbol]


def name_rows(process: Process, missing: list[NeededName]) -> list[Evidence]:
    return [
        evidence.of_symbol(
            process, want.file, want.name, f"{name_of(want.consumer)} needs {want.full_name}: {want.why}",
            by_hand=commands_by_hand.undefined(process, want.consumer, want.name),
        )
        for want in missing[:20]
    ]  # fmt: skip


class _NearMissRule(Cause):
    """The needed name is in a file, but not as the consumer asks for it."""

    place = "exported"
    kind: str

    def explain(self, case: Case) -> Hit | None:
        name = _wanted_name(case)
        found = near_miss(case.state, case.process, name) if name else None
        if found is None or found.kind != self.kind or not _asked_there(case, found):
            return None
        consumer = name_of((case.load or case.leaf).what) if case.failure else name_of(case.leaf.asker) or "a consumer"
        return _of_near_miss(case.process, found, consumer, case.sure, case.rows())


def _wanted_name(case: Case) -> str:
    if case.failure is not None:
        return case.failure.symbol if case.failure.cause == "symbol" else ""
    return case.leaf.what if case.leaf.kind == "lookup" else ""


def _asked_there(case: Case, found: NearMiss) -> bool:
    """Not a file that nobody asked: a wrapper of that name in the consumer itself, perhaps."""
    if case.failure is not None:
        return True
    path, colon, _ = case.leaf.answer.partition(": undefined symbol")
    asked = {provider.path for use in case.family_uses for provider in use.providers}
    return found.path in asked | ({path} if colon else set())


def _of_near_miss(process: Process, found: NearMiss, consumer: str, sure: Confidence, rows: list[Evidence]) -> Hit:
    return Hit(
        title=f"{consumer} needs {found.name}; {name_of(found.path)} {found.words}",
        cause=found.cause,
        next_step=found.cure,
        command=commands_by_hand.offered(process, found.path, found.name),
        process=process,
        confidence=sure,
        evidence=[*rows, near_miss_row(process, found)],
        subject=f"{found.path}:{found.name}",
        root=f"{name_of(found.path)} {found.full_words}",
    )


class SymbolHidden(_NearMissRule):
    id = "symbol-hidden"
    kind = "hidden"
    meaning = (
        "The name is in the library, but hidden (visibility, `local: *` in a version script): others cannot bind to it."
    )
    proof = "The symbol table holds the name with local or hidden binding, and who asked for it was refused."
    cure = "Export it: default visibility, or `global:` in the version script."


class SymbolMangled(_NearMissRule):
    id = "symbol-mangled"
    kind = "mangled"
    meaning = 'The name is in the library, but as a C++ function (no extern "C"): others cannot bind to its C name.'
    proof = "The file exports the function under its C++ name alone, and who asked for the C name was refused."
    cure = 'Declare the API functions extern "C" and rebuild the library.'


class NearMissNames(Pattern):
    """Names that a library has in another form, where nobody was refused one yet."""

    id = "symbol-mangled"
    place = "exported"
    meaning = SymbolMangled.meaning
    proof = SymbolMangled.proof
    cure = SymbolMangled.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            for library in libraries(process).values():
                image = context.state.images.get(library.file)
                if image is not None and image.mangled and _meant(context, library, image):
                    yield from self._of_offer(context, process, image)

    def _of_offer(self, context: Context, process: Process, image: ImageRead) -> Iterator[Hit]:
        name, symbol = next(iter(image.mangled.items()))
        api = context.profiles.api_of_function(name)
        use = context.uses(process).get(api) if api is not None else None
        if use is not None and (use.consumer_calls or any(one.found is False for one in use.lookups)):
            return
        found = NearMiss(name, image.path, "mangled", symbol)
        hit = _of_near_miss(process, found, f"whoever uses {api}", "likely", [])
        yield replace(hit, doubt="Another library may define these names.")


class HiddenNames(Pattern):
    """Imports that a library has, but hidden."""

    id = "symbol-hidden"
    place = "exported"
    meaning = SymbolHidden.meaning
    proof = SymbolHidden.proof
    cure = SymbolHidden.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process, use in context.all_uses():
            for want in import_faults_of(context, process, use):
                found = near_miss(context.state, process, want.name) if want.fault in ("hidden", "mangled") else None
                if found is not None and found.kind == "hidden":
                    yield _of_near_miss(process, found, name_of(want.consumer), "likely", name_rows(process, [want]))


def _meant(context: Context, library: LibraryMapped, image: ImageRead) -> bool:
    """It is there to provide an API: by its SONAME, or because somebody preloaded it."""
    return library.route == "preload" or context.profiles.api_of_soname(image.soname or "") is not None


class OverridesLibc(Pattern):
    id = "overrides-libc"
    place = "exported"
    notice = True
    meaning = (
        "A library of the GPU side defines names of libc or of the loader and so overrides them for the whole process."
    )
    proof = "The file's symbol table defines the names, and it stands before libc in the look-up order."
    cure = "Keep such names out of a GPU library."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            found = once("overrides", context.state, process, context.profiles, lambda: _overriding(context, process))  # noqa: B023
            for library, names in found:
                yield self._hit(context, process, library, names)

    def _hit(self, context: Context, process: Process, library: LibraryMapped, names: list[str]) -> Hit:
        return Hit(
            title=f"{name_of(library.path)} overrides {listed(names, 6)} for the whole process",
            cause="Every caller of these names gets the library's own functions; a bug in them looks like a bug in "
            "something else: files that end early, loads that fail without a word, logs that stay empty.",
            next_step=f"do not export {listed(names, 6)} from {name_of(library.path)}",
            command=commands_by_hand.exported(process, library.path, names[0]),
            process=process,
            severity="info" if context.in_use else "warning",
            confidence="proven",
            evidence=[
                evidence.of_symbol(
                    process, library.file, name, f"{name_of(library.path)} defines {name}",
                    by_hand=commands_by_hand.exported(process, library.path, name),
                )
                for name in names[:10]
            ],
            subject=library.path,
        )  # fmt: skip


def _overriding(context: Context, process: Process) -> list[tuple[LibraryMapped, list[str]]]:
    """Shims and preloads with the libc names that they answer; allocators are left alone."""
    found = []
    for library in libraries(process).values():
        image = context.state.images.get(library.file)
        apis = context.state.apis.get(library.file)
        names = [name for name in image.overrides if name not in _MEMORY_NAMES] if image is not None else []
        if names and (library.route == "preload" or (apis is not None and apis.provides)):
            found.append((library, names))
    return found


CAUSES: tuple[Cause, ...] = (SymbolHidden(), SymbolMangled(), SymbolMissing())
PATTERNS: tuple[Pattern, ...] = (HiddenNames(), NearMissNames(), NamesNotOffered(), OverridesLibc())
