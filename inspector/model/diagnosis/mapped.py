"""Which file provides the API, is it the one that was meant, and is it still the one on disk?"""

from collections.abc import Iterable, Iterator
from shlex import quote

from inspector.model import evidence, recipes
from inspector.model.evidence import short
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.model.usage import Provider, Use, faults
from inspector.model.verdict import Evidence
from inspector.model.wording import listed, name_of
from inspector.stream.libraries import CandidateFound, LibraryMapped

from .environment import hidden_by_namespace
from .rule import Hit, Rule, Scene

_NOT_INITIALIZED = ("NOTINITIALIZED", "UNINITIALIZED")
"""Ends of result names, see `Profiles.is_called`."""


class HiddenByNamespace(Rule):
    id = "hidden-by-namespace"
    place = "mapped"
    meaning = (
        "The file is there for you, but not in the file tree that the process sees (container, snap, private mounts)."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            runs = scene.program(process)
            for entry in scene.preloads(process):
                if entry.usable is not False or runs is None or not hidden_by_namespace(scene, process, entry):
                    continue
                yield Hit(
                    title=f"{entry.entry} does not exist in the file tree that {short(process)} sees",
                    cause=f"The process has a mount namespace of its own ({runs.container or runs.root}); a path "
                          "means there what it means there, not what it means in your shell.",
                    next_step=f"ls -l /proc/{process.pid}/root{quote(entry.entry)}   # bring the file into that tree",
                    process=process,
                    confidence="proven",
                    evidence=[
                        evidence.of_environment(process, entry.source, f"{short(process)}: "
                                                                       f"{entry.source}={entry.entry}"),
                        evidence.of_process(
                            process, f"mount namespace {runs.mount_namespace}, root {runs.root}",
                            by_hand=f"readlink /proc/{process.pid}/ns/mnt /proc/self/ns/mnt",
                        ),
                    ],
                    subject=entry.entry,
                )  # fmt: skip


class StaleArtefact(Rule):
    id = "stale-artefact"
    place = "mapped"
    notice = True
    meaning = (
        "The file that the process runs is not the file on disk any more: replaced, deleted or changed after the start."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            if process.ended:
                continue
            for library in process.libraries.values():
                if library.state in ("replaced", "deleted", "modified") and self._concerns(scene, library):
                    yield self._hit(process, library)

    def _concerns(self, scene: Scene, library: LibraryMapped) -> bool:
        apis = scene.state.apis.get(library.file)
        return library.route == "preload" or (apis is not None and bool(apis.provides or apis.consumes))

    def _hit(self, process: Process, library: LibraryMapped) -> Hit:
        detail = f": {library.state_detail}" if library.state_detail else ""
        return Hit(
            title=f"{short(process)} still runs the old {name_of(library.path)}; on disk it is {library.state}{detail}",
            cause="A fix in the new file has no effect in a process that mapped the old one before.",
            next_step=f"restart {short(process)}; replace libraries by renaming, never by copying over them",
            process=process,
            confidence="proven",
            evidence=[
                evidence.of_library(
                    process, library, f"{library.path}: mapped file {library.file}, {library.state}{detail}",
                    by_hand=recipes.identity(process, library.path),
                )
            ],
            subject=library.path,
        )  # fmt: skip


def _candidates(scene: Scene, process: Process, api: str) -> Iterator[CandidateFound]:
    """Files near the process that provide the API and are not mapped in it."""
    mapped = {library.file for library in libraries(process).values()}
    for candidate in process.candidates.values():
        apis = scene.state.apis.get(candidate.file)
        if candidate.kind == "provider" and candidate.file not in mapped and apis is not None and api in apis.provides:
            yield candidate


def _unlucky(scene: Scene, use: Use) -> bool:
    """The provider that won did not lead to the GPU: an error, or no call at all."""
    return bool(faults(use, scene.profiles)) or not use.consumer_calls


class OtherLibraryFirst(Rule):
    id = "other-library-first"
    place = "mapped"
    meaning = "The search order of this process finds another library of that name before the one that was meant."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            winner = next((p for p in use.providers if p.library.route != "preload"), None)
            if winner is None or not _unlucky(scene, use):
                continue
            name = winner.library.asked or name_of(winner.path)
            for other in _candidates(scene, process, use.api):
                if name_of(other.path) == name_of(name) and not _same_content(scene, winner, other):
                    yield self._hit(scene, process, winner, other, name_of(name))
                    break

    def _hit(self, scene: Scene, process: Process, winner: Provider, other: CandidateFound, name: str) -> Hit:
        folders = (scene.environment(process) or {}).get("LD_LIBRARY_PATH", "").split(":")
        places = [_place(folders, path) for path in (winner.path, other.path)]
        return Hit(
            title=f"{name} came from {winner.path}{places[0]}; {other.path}{places[1]} stands behind it",
            cause="The first file of that name in the search order is taken; the others are never looked at.",
            next_step=f"put {other.directory} first in LD_LIBRARY_PATH of this process, or take the other file away",
            process=process,
            evidence=[
                evidence.of_library(process, winner.library, f"mapped: {winner.path}"),
                evidence.of_file(process, other.path, f"not mapped: {other.path}"),
                evidence.of_environment(process, "LD_LIBRARY_PATH", f"LD_LIBRARY_PATH={':'.join(folders)}"),
            ],
            doubt="If the first file is the one that was meant, look at what it answers.",
            subject=winner.path,
        )


def _place(folders: list[str], path: str) -> str:
    folder = path.rsplit("/", 1)[0]
    for index, one in enumerate(folders):
        if one.rstrip("/") == folder:
            return f" (place {index + 1} of LD_LIBRARY_PATH)"
    return ""


def _same_content(scene: Scene, winner: Provider, other: CandidateFound) -> bool:
    image = scene.state.images.get(other.file)
    mine = winner.image
    return image is not None and mine is not None and bool(image.sha256) and image.sha256 == mine.sha256


class LinkChainBypass(Rule):
    id = "link-chain-bypass"
    place = "mapped"
    meaning = (
        "The name that is asked for is a link to the vendor's versioned file; the shim was put under another name."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            for provider in use.providers:
                asked = name_of(provider.library.asked or "")
                if len(provider.library.links) < 1 or not asked or asked == name_of(provider.path):
                    continue
                other = next((c for c in _candidates(scene, process, use.api) if name_of(c.path) != asked), None)
                if other is not None and _tree_unlucky(scene, process):
                    yield self._hit(process, provider, asked, other)

    def _hit(self, process: Process, provider: Provider, asked: str, other: CandidateFound) -> Hit:
        chain = " -> ".join([*provider.library.links, provider.path]) if provider.library.links else provider.path
        return Hit(
            title=f"{asked} is a link to {name_of(provider.path)}, not to {name_of(other.path)}",
            cause=f"{short(process)} asks for {asked}; the chain {chain} ends in the vendor's file, and {other.path} "
            "is never asked for by its name.",
            next_step=f"ls -l {quote(provider.path.rsplit('/', 1)[0])}/   # replace the end of the chain, not a link "
            "beside it",
            process=process,
            evidence=[
                evidence.of_library(process, provider.library, chain, by_hand=recipes.identity(process, provider.path)),
                evidence.of_file(process, other.path, f"never asked for: {other.path}"),
            ],
            doubt="If the vendor's file is the one that was meant, this is no fault.",
            subject=provider.path,
        )


def _tree_unlucky(scene: Scene, process: Process) -> bool:
    return any(_unlucky(scene, use) for use in scene.computing(process))


class NameMismatch(Rule):
    id = "name-mismatch"
    place = "mapped"
    meaning = (
        "A library that provides the API is mapped, but has no SONAME, or another than the consumer asks for: it "
        "answers to no other name, and the loader looks for the asked one elsewhere."
    )

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            for shim in use.providers:
                if shim.image is None or _answers_by_name(scene, shim, use.api):
                    continue
                proof = self._proof(scene, process, use, shim)
                if proof is not None:
                    yield self._hit(scene, process, use, shim, *proof)

    def _proof(self, scene: Scene, process: Process, use: Use, shim: Provider) -> tuple[str, Evidence] | None:
        """What was asked for in vain or found elsewhere; None when nothing shows that the name matters."""
        if _called_by_consumers(use, shim):
            return None
        for failure in scene.failures(process):
            asked = failure.missing or (name_of(failure.name) if failure.cause == "absent" else "")
            if asked and scene.profiles.api_of_soname(asked) == use.api:
                text = f"{asked} is not found: {failure.words}"
                if failure.lookup is not None:
                    return f"{asked} is not found", evidence.of_lookup(scene.state, process, failure.lookup, text)
                return f"{asked} is not found", evidence.of_file(process, failure.name, text)
        for other in use.providers:
            if other is not shim and _answers_by_name(scene, other, use.api) and _taken(scene, use, other):
                text = f"{name_of(other.library.asked or other.path)} is {other.path}"
                return text, evidence.of_library(process, other.library, text)
        return None

    def _hit(self, scene: Scene, process: Process, use: Use, shim: Provider, words: str, row: Evidence) -> Hit:
        assert shim.image is not None
        soname = f"SONAME {shim.image.soname}" if shim.image.soname else "no SONAME"
        names = listed(scene.profiles.apis[use.api].sonames[:1])
        return Hit(
            title=f"{name_of(shim.path)} is mapped with {soname}; who asks for {names} does not get it: {words}",
            cause="The loader compares the asked name with the SONAME of what is mapped; the file name of a preload "
            "does not count.",
            next_step=f"link the shim with -Wl,-soname,{names}, or place it as {names} in a folder of LD_LIBRARY_PATH",
            process=process,
            confidence="proven",
            evidence=[
                evidence.of_library(
                    process, shim.library, f"{shim.path}: {soname}", by_hand=recipes.dynamic(process, shim.path)
                ),
                row,
            ],
            subject=shim.path,
        )


def _answers_by_name(scene: Scene, provider: Provider, api: str) -> bool:
    image = provider.image
    return image is not None and bool(image.soname) and scene.profiles.api_of_soname(image.soname or "") == api


def _taken(scene: Scene, use: Use, provider: Provider) -> bool:
    """Consumers call it, or got it when they asked for the API's library by name."""
    asked = (lookup for lookup in use.lookups if scene.profiles.api_of_soname(lookup.name) == use.api)
    return _called_by_consumers(use, provider) or any(lookup.answer == provider.path for lookup in asked)


def _called_by_consumers(use: Use, provider: Provider) -> bool:
    return any(calls.by_consumer and calls.function.file == provider.library.file for calls in use.calls.values())


class TwoCopies(Rule):
    id = "two-copies"
    place = "mapped"
    meaning = "Two instances of a library live in one process; what one was told, the other does not know."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process, use in scene.all_uses():
            yield from self._split(scene, process, use)

    def _split(self, scene: Scene, process: Process, use: Use) -> Iterator[Hit]:
        started = [c for c in use.with_role("init") if c.results.get(0)]
        for calls, result, _ in faults(use, scene.profiles):
            first = next((c for c in started if c.function.file != calls.function.file), None)
            if first is None or not scene.profiles.is_called(use.api, result, *_NOT_INITIALIZED):
                continue
            if any(c.function.file == calls.function.file for c in started):
                continue
            answer = scene.profiles.result(use.api, result)
            yield Hit(
                title=f"{first.name} ran in {first.function.library}, {calls.name} in {calls.function.library}: "
                f"{answer}",
                cause="Two copies are two instances with a state of their own, equal bytes or not; the second was "
                "never initialised.",
                next_step=f"make one a link to the other: stat {quote(first.function.library)} "
                f"{quote(calls.function.library)}",
                process=process,
                confidence="proven",
                evidence=[
                    evidence.of_calls(process, first, f"{first.name} of {first.function.library} answered 0"),
                    evidence.of_calls(process, calls, f"{calls.name} of {calls.function.library} answered {answer}"),
                ],
                at=calls.first,
                subject=calls.function.library,
            )
            return


RULES: tuple[Rule, ...] = (
    HiddenByNamespace(), StaleArtefact(), TwoCopies(), LinkChainBypass(), OtherLibraryFirst(), NameMismatch(),
)  # fmt: skip
