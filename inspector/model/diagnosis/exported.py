"""Are the needed names there: defined, visible, at the right version? And which names should not be there?"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from inspector.model import evidence, recipes
from inspector.model.disguise import Disguise, disguise_row, disguised
from inspector.model.evidence import short
from inspector.model.loads import FailedLoad, failure_row
from inspector.model.memo import once
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.model.usage import Use
from inspector.model.verdict import Confidence, Evidence
from inspector.model.wants import Want, import_faults, missing_names, required
from inspector.model.wording import listed, name_of
from inspector.stream.libraries import ImageRead, LibraryMapped

from .rule import Hit, Rule, Scene

_MEMORY_NAMES = frozenset((
    "malloc", "free", "calloc", "realloc", "posix_memalign", "memalign", "aligned_alloc", "valloc", "pvalloc",
    "malloc_usable_size", "reallocarray", "cfree",
))  # fmt: skip
"""What allocators replace on purpose."""


def _import_faults(scene: Scene, process: Process, use: Use) -> list[Want]:
    """Imports of mapped consumers that no mapped file offers; nothing where no provider is mapped at all."""
    if not any(not provider.gone for provider in use.providers):
        return []
    return import_faults(scene.state, process, use, scene.profiles)


def _provider_words(scene: Scene, process: Process, name: str) -> str:
    """The file that should have offered a name."""
    api = scene.profiles.api_of_function(name)
    use = scene.uses(process).get(api) if api is not None else None
    providers = [provider.path for provider in use.providers] if use is not None else []
    return listed(providers, 2) if providers else "no mapped file"


class SymbolMissing(Rule):
    id = "symbol-missing"
    place = "exported"
    meaning = (
        "A consumer needs a name that no mapped library offers: the load fails, or the first call ends the program."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for failure in scene.all_failures():
            if failure.cause == "symbol" and disguised(scene.state, failure.process, failure.symbol) is None:
                yield self._of_failure(scene, failure)
        for process, use in scene.all_uses():
            missing = [want for want in _import_faults(scene, process, use) if want.fault == "missing"]
            if missing:
                yield self._of_imports(process, use, missing)
            if not use.lookups and not use.consumer_calls and use.providers:
                yield from self._of_requirements(scene, process, use)

    def _of_failure(self, scene: Scene, failure: FailedLoad) -> Hit:
        process, name = failure.process, failure.symbol
        more = _others_missing(failure)
        provider = _provider_words(scene, process, name)
        verb = "could not be loaded" if failure.seen else "would not load"
        return Hit(
            title=f"{name_of(failure.name)} {verb} in {short(process)}: it needs {listed([name, *more], 3)}, which "
            f"{provider} {'does not offer' if provider != 'no mapped file' else 'offers'}",
            cause=f"In the loader's words: {failure.words}",
            next_step=f"{recipes.exported(process, provider if '/' in provider else failure.name, name)}   # export "
            "it, or refuse it cleanly inside",
            process=process,
            severity=scene.weight(failure),
            confidence=failure.sure,
            evidence=[failure_row(scene.state, failure)],
            at=failure.at,
            subject=f"{name_of(failure.name)}:{name}",
        )

    def _of_imports(self, process: Process, use: Use, missing: list[Want]) -> Hit:
        first = missing[0]
        providers = listed((provider.path for provider in use.providers), 2)
        return Hit(
            title=f"{name_of(first.consumer)} needs {listed((want.name for want in missing), 3)}; {providers} does "
            f"not offer {'it' if len(missing) == 1 else 'them'}",
            cause="Bound at load, the load fails; bound at the first call, that call ends the program with status 127.",
            next_step=recipes.exported(process, use.providers[0].path, first.name),
            process=process,
            confidence="likely",
            evidence=_rows(process, missing),
            doubt="The name may belong to a path that this program never takes.",
            subject=f"{name_of(first.consumer)}:{first.name}",
        )

    def _of_requirements(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        missing = missing_names(scene.state, process, required(scene.state, use, scene.profiles))
        if missing and missing[0].fault == "missing":
            want = missing[0]
            yield Hit(
                title=f"{name_of(want.consumer)} will ask {use.providers[0].path} for {want.name}, which it does not "
                "offer",
                cause=f"{want.why}; without it the runtime gives up as if there were no driver.",
                next_step=recipes.exported(process, use.providers[0].path, want.name),
                process=process,
                confidence="likely",
                evidence=_rows(process, missing),
                subject=f"{name_of(want.consumer)}:{want.name}",
            )


def _others_missing(failure: FailedLoad) -> list[str]:
    if failure.prediction is None:
        return []
    return [need.name for need in failure.prediction.undefined if need.name != failure.symbol]


def _rows(process: Process, missing: list[Want]) -> list[Evidence]:
    return [
        evidence.of_symbol(
            process, want.file, want.name, f"{name_of(want.consumer)} needs {want.full_name}: {want.why}",
            by_hand=recipes.undefined(process, want.consumer, want.name),
        )
        for want in missing[:20]
    ]  # fmt: skip


class _Disguised(Rule):
    """The needed name is in a file, but not as the consumer asks for it."""

    place = "exported"
    kind: str

    def find(self, scene: Scene) -> Iterable[Hit]:
        for failure in scene.all_failures():
            found = disguised(scene.state, failure.process, failure.symbol) if failure.cause == "symbol" else None
            if found is not None and found.kind == self.kind:
                row = failure_row(scene.state, failure)
                yield self._hit(failure.process, found, name_of(failure.name), failure.sure, [row])
        for process, use in scene.all_uses():
            for want in _import_faults(scene, process, use):
                found = disguised(scene.state, process, want.name) if want.fault == self.kind else None
                if found is not None and found.kind == self.kind:
                    yield self._hit(process, found, name_of(want.consumer), "likely", _rows(process, [want]))

    def _hit(self, process: Process, found: Disguise, consumer: str, sure: Confidence, rows: list[Evidence]) -> Hit:
        return Hit(
            title=f"{consumer} needs {found.name}; {name_of(found.path)} {found.words}",
            cause=found.cause,
            next_step=found.cure,
            process=process,
            confidence=sure,
            evidence=[*rows, disguise_row(process, found)],
            subject=f"{found.path}:{found.name}",
        )


class SymbolHidden(_Disguised):
    id = "symbol-hidden"
    kind = "hidden"
    meaning = (
        "The name is in the library, but hidden (visibility, `local: *` in a version script): nobody can bind to it."
    )


class SymbolMangled(_Disguised):
    id = "symbol-mangled"
    kind = "mangled"
    meaning = 'The name is in the library, but as a C++ function (no extern "C"): nobody can bind to it by its C name.'

    def find(self, scene: Scene) -> Iterable[Hit]:
        hits = list(super().find(scene))
        yield from hits
        told = {hit.subject.rpartition(":")[0] for hit in hits}
        for process in scene.state.processes:
            for library in libraries(process).values():
                image = scene.state.images.get(library.file)
                if image is not None and image.mangled and image.path not in told and _meant(scene, library, image):
                    yield from self._of_offer(scene, process, image)

    def _of_offer(self, scene: Scene, process: Process, image: ImageRead) -> Iterator[Hit]:
        """Nobody was refused a name yet: told as long as nobody calls the API by other ways."""
        name, symbol = next(iter(image.mangled.items()))
        api = scene.profiles.api_of_function(name)
        use = scene.uses(process).get(api) if api is not None else None
        if use is not None and (use.consumer_calls or any(one.found is False for one in use.lookups)):
            return
        found = Disguise(name, image.path, "mangled", symbol)
        hit = self._hit(process, found, f"whoever uses {api}", "likely", [])
        yield replace(hit, doubt="Another library may offer these names to whoever asks.")


def _meant(scene: Scene, library: LibraryMapped, image: ImageRead) -> bool:
    """It is there to provide an API: by its SONAME, or because somebody preloaded it."""
    return library.route == "preload" or scene.profiles.api_of_soname(image.soname or "") is not None


class VersionNodeMissing(Rule):
    id = "version-node-missing"
    place = "exported"
    meaning = "The name is offered, but not at the version node that the consumer was linked against."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for failure in scene.all_failures():
            if failure.cause == "version":
                yield self._of_failure(scene, failure)
        for process, use in scene.all_uses():
            faults = [want for want in _import_faults(scene, process, use) if want.fault == "version"]
            if faults:
                want = faults[0]
                yield self._hit(
                    process, name_of(want.consumer), want.full_name, want.why, "likely", _rows(process, faults)
                )

    def _of_failure(self, scene: Scene, failure: FailedLoad) -> Hit:
        wanted_name = f"{failure.symbol}@{failure.version}" if failure.symbol else f"version {failure.version}"
        offered = failure.offered or _offered(scene, failure)
        sure = failure.sure
        row = failure_row(scene.state, failure)
        return self._hit(failure.process, name_of(failure.name), wanted_name, offered or failure.words, sure, [row])

    def _hit(self, process: Process, consumer: str, name: str, why: str, sure: Confidence, rows: list[Evidence]) -> Hit:
        return Hit(
            title=f"{consumer} needs {name}; {why}",
            cause="With version tables on both sides the loader takes a name only at the node that was asked for.",
            next_step="build the library with a version script whose node is named like the one that is needed",
            process=process,
            confidence=sure,
            evidence=rows,
            subject=f"{consumer}:{name}",
        )


def _offered(scene: Scene, failure: FailedLoad) -> str:
    """Which file has the name, and at which node."""
    for image in scene.state.images.values():
        for export in image.exports:
            if export.name == failure.symbol and export.visible and export.version != failure.version:
                return f"{name_of(image.path)} offers it at {export.version or 'no version'}"
    return ""


class NoVersionTable(Rule):
    id = "no-version-table"
    place = "exported"
    meaning = (
        "A library under a SONAME from which versions are needed has no version table of any kind: glibc ends the "
        "program with an internal assertion (status 127), before any constructor."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            files = [library.file for library in libraries(process).values()]
            files += [candidate.file for candidate in process.candidates.values()]
            images = [image for file in dict.fromkeys(files) if (image := scene.state.images.get(file)) is not None]
            bare = {image.soname: image for image in images if image.soname and _bare(image)}
            for consumer in images if bare else ():
                for soname in sorted(bare.keys() & consumer.version_needs.keys()):
                    yield self._hit(process, consumer, bare[soname])

    def _hit(self, process: Process, consumer: ImageRead, provider: ImageRead) -> Hit:
        died = process.end is not None and process.end.code == 127
        rows = [
            evidence.of_file(
                process, provider.path, f"{provider.path} has no version table",
                by_hand=recipes.versions(process, provider.path),
            ),
            evidence.of_file(
                process, consumer.path, f"{consumer.path} needs versions of {provider.soname}",
                by_hand=recipes.versions(process, consumer.path),
            ),
        ]  # fmt: skip
        if died:
            rows.append(evidence.of_process(process, f"{short(process)} ended with status 127", at=process.ended))
        return Hit(
            title=f"{provider.soname} ({provider.path}) has no version table, and {name_of(consumer.path)} needs "
            "versions of it" + (f": {short(process)} ended with 127" if died else ""),
            cause="glibc aborts in such a look-up: `Inconsistency detected by ld.so`. Any version node in the file "
            "cures it.",
            next_step=f"link it with a version script: {provider.soname} {{ global: *; }};",
            process=process,
            severity="error" if died or not process.ended else "warning",
            confidence="proven" if died else "likely",
            evidence=rows,
            subject=provider.path,
        )


def _bare(image: ImageRead) -> bool:
    """No version section at all: not even the one that needs of other libraries bring (dl-lookup.c, check_match)."""
    return not image.has_version_table and not image.version_needs and image.kind in ("shared", "pie")


class OverridesLibc(Rule):
    id = "overrides-libc"
    place = "exported"
    notice = True
    meaning = (
        "A library of the GPU side defines names of libc or of the loader and so answers them for the whole process."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            found = once("overrides", scene.state, process, scene.profiles, lambda: _overriding(scene, process))  # noqa: B023
            for library, names in found:
                yield self._hit(scene, process, library, names)

    def _hit(self, scene: Scene, process: Process, library: LibraryMapped, names: list[str]) -> Hit:
        return Hit(
            title=f"{name_of(library.path)} answers {listed(names, 6)} for the whole process",
            cause="Whoever calls these names gets the library's own functions; a fault in them looks like a fault of "
            "something else: files that end early, loads that fail without a word, logs that stay empty.",
            next_step=f"keep them out of a GPU library: {recipes.exported(process, library.path, names[0])}",
            process=process,
            severity="info" if scene.in_use else "warning",
            confidence="proven",
            evidence=[
                evidence.of_symbol(
                    process, library.file, name, f"{name_of(library.path)} defines {name}",
                    by_hand=recipes.exported(process, library.path, name),
                )
                for name in names[:10]
            ],
            subject=library.path,
        )  # fmt: skip


def _overriding(scene: Scene, process: Process) -> list[tuple[LibraryMapped, list[str]]]:
    """Shims and preloads with the libc names that they answer; allocators are left alone."""
    found = []
    for library in libraries(process).values():
        image = scene.state.images.get(library.file)
        apis = scene.state.apis.get(library.file)
        names = [name for name in image.overrides if name not in _MEMORY_NAMES] if image is not None else []
        if names and (library.route == "preload" or (apis is not None and apis.provides)):
            found.append((library, names))
    return found


RULES: tuple[Rule, ...] = (
    NoVersionTable(), VersionNodeMissing(), SymbolHidden(), SymbolMangled(), SymbolMissing(), OverridesLibc(),
)  # fmt: skip
