"""Which file provides the API, is it the one that was meant, and is it still the one on disk?"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of
from inspector.model.refusals import is_table
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.model.usage import Provider, Use
from inspector.stream.libraries import CandidateFound, LibraryMapped

from .context import Case, Context
from .environment import missing_file
from .found_elsewhere import found_elsewhere
from .rule import UNEXPLAINED, Cause, Hit, Pattern

_NOT_INITIALIZED = ("NOTINITIALIZED", "UNINITIALIZED")
"""Ends of result names, see `Profiles.is_called`."""


class StaleArtefact(Pattern):
    id = "stale-artefact"
    answers = UNEXPLAINED | {"given-nothing", "found-not-used"}
    place = "mapped"
    notice = True
    meaning = (
        "The file that the process runs is no longer the file on disk: replaced, deleted or changed after the start."
    )
    proof = "Inode and times of the mapped file and of the file on disk differ."
    cure = (
        "Restart the process; a file that was deleted has to be put back before. Replace libraries by renaming, never "
        "by copying over them."
    )

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            if process.ended:
                continue
            for library in process.libraries.values():
                if library.state in ("replaced", "deleted", "modified") and self._concerns(context, library):
                    yield stale(process, library)

    def _concerns(self, context: Context, library: LibraryMapped) -> bool:
        apis = context.state.apis.get(library.file)
        return library.route == "preload" or (apis is not None and bool(apis.provides or apis.consumes))


def stale(process: Process, library: LibraryMapped) -> Hit:
    """What is to be said of a mapped file that is not the one on disk."""
    detail = f": {library.state_detail}" if library.state_detail else ""
    gone = library.state == "deleted"
    by_hand = (commands_by_hand.maps(process.pid, name_of(library.path)) if gone
               else commands_by_hand.identity(process, library.path))  # fmt: skip
    return Hit(
        title=f"{short(process)} still runs the old {name_of(library.path)}; the file on disk was "
        f"{library.state}{detail}",
        cause=_until_restart(library),
        next_step=_bring_up_to_date(process, library),
        command=by_hand,
        process=process,
        confidence="proven",
        evidence=[
            evidence.of_library(
                process, library, f"{library.path}: mapped file {library.file}, {library.state}{detail}",
                by_hand=by_hand,
            )
        ],
        subject=library.path,
    )  # fmt: skip


def _until_restart(library: LibraryMapped) -> str:
    if library.state != "deleted":
        return "A fix in the new file has no effect until the process restarts."
    ignored = ": the loader ignores an entry whose file is gone" if library.route == "preload" else ""
    return f"The process keeps the file that had that name; the next start does not find it{ignored}."


def _bring_up_to_date(process: Process, library: LibraryMapped) -> str:
    if library.state == "deleted":
        return f"put {name_of(library.path)} back, then restart {short(process)}"
    copied = "; replace libraries by renaming, never by copying over them" if library.state == "modified" else ""
    return f"restart {short(process)}{copied}"


class StaleProvider(Cause):
    id = "stale-artefact"
    place = "mapped"
    meaning = StaleArtefact.meaning
    proof = StaleArtefact.proof
    cure = StaleArtefact.cure

    def explain(self, case: Case) -> Hit | None:
        """The library that refused is not the one on disk any more."""
        call = case.call
        if call is None or case.process.ended:
            return None
        for library in case.process.libraries.values():
            if library.path == call.provider and library.state in ("replaced", "deleted", "modified"):
                hit = stale(case.process, library)
                return replace(hit, evidence=[*hit.evidence, *case.rows()], root=hit.title)
        return None


def _candidates(context: Context, process: Process, api: str) -> Iterator[CandidateFound]:
    """Files near the process that provide the API and are not mapped in it."""
    mapped = {library.file for library in libraries(process).values()}
    for candidate in process.candidates.values():
        apis = context.state.apis.get(candidate.file)
        if candidate.kind == "provider" and candidate.file not in mapped and apis is not None and api in apis.provides:
            yield candidate


class StubLibrary(Cause):
    id = "stub-library"
    place = "mapped"
    meaning = "The toolkit's stub of the driver, made for linking only, was loaded in place of the driver."
    proof = "A call returned the result that only the stub has, or the file lies in a directory of stubs."
    cure = "Take the directory of stubs out of the search path; the driver's own library belongs there."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        answered = leaf.kind == "call" or (leaf.kind == "lookup" and is_table(leaf))
        if not answered or not case.context.profiles.is_called(leaf.api, leaf.code, "STUBLIBRARY"):
            return None
        path = _behind(case)
        place, other = place_of(case, path), found_elsewhere(case, path, "provider", "library")
        behind = [one for one in other.paths if one != path]
        second = f"; another copy lies in {behind[0]}{place_of(case, behind[0])}" if behind else ""
        return Hit(
            title=f"{path or 'the library that answered'}{place} is the link-time stub of the toolkit: {leaf.what} = "
            f"{leaf.answer}{second}",
            cause="The stub only provides the driver's names to the linker and returns this error from every call.",
            next_step=f"take {path.rpartition('/')[0] or 'the directory of the stub'} out of this program's search path"
            + (f", or put {behind[0].rpartition('/')[0]} before it" if behind else ""),
            command=case.rerun(_before_stub(case, path, behind[0])) if behind else case.again(),
            process=leaf.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=leaf.at,
            subject=path,
            root=f"{path} is a stub{second}",
        )


def _before_stub(case: Case, stub: str, other: str) -> str:
    """The search path with the folder of the other file first and without that of the stub."""
    now = (case.context.environment(case.process) or {}).get("LD_LIBRARY_PATH", "").split(":")
    first, without = other.rpartition("/")[0], ("", stub.rpartition("/")[0])
    return f"LD_LIBRARY_PATH={':'.join([first, *(one for one in now if one not in (*without, first))])}"


def _behind(case: Case) -> str:
    """Who really answered: the library that the answering one had loaded itself (a runtime passes the driver's answer
    on), else the answering one, else any that was loaded."""
    leaf = case.leaf
    rows = case.context.analysis.attempts[leaf.process]
    loaded = [one for one in rows if one.kind == "load" and one.ok and one.family == leaf.family and one.provider]
    if leaf.kind == "lookup":  # who asked may be all that is told with it
        return next((one.provider for one in loaded if one.api == leaf.api), "")
    asked = next((one.provider for one in loaded if one.asker == leaf.provider != one.provider), "")
    return asked or leaf.provider or next((one.provider for one in loaded), "")


class OtherLibraryFirst(Cause):
    id = "other-library-first"
    place = "mapped"
    meaning = "The search order of this process finds another library of that name before the one that was meant."
    proof = "The mapped file refused, and another file of the same name lies in the search path behind it."
    cure = "Put the directory of the file that was meant first, or remove the other file."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind != "call":
            return None
        for use in case.family_uses:
            winner = next((p for p in use.providers if p.library.route != "preload"), None)
            if winner is None:
                continue
            name = winner.library.asked or name_of(winner.path)
            for other in _candidates(case.context, case.process, use.api):
                if name_of(other.path) == name_of(name) and not _same_content(case.context, winner, other):
                    hit = self._hit(case.context, case.process, winner, other, name_of(name))
                    return replace(hit, evidence=[*hit.evidence, *case.rows()], root=hit.title, at=case.leaf.at)
        return None

    def _hit(self, context: Context, process: Process, winner: Provider, other: CandidateFound, name: str) -> Hit:
        folders = (context.environment(process) or {}).get("LD_LIBRARY_PATH", "").split(":")
        places = [_position(folders, path) for path in (winner.path, other.path)]
        behind = "comes after it" if places[1] else "is another one, which it did not get"
        return Hit(
            title=f"{name} came from {winner.path}{places[0]}; {other.path}{places[1]} {behind}",
            cause="The first file of that name on the search path is used; the others are never looked at.",
            next_step=f"put {other.directory} first in LD_LIBRARY_PATH of this process, or remove the other file",
            command=commands_by_hand.identity(process, winner.path),
            process=process,
            evidence=[
                evidence.of_library(process, winner.library, f"mapped: {winner.path}"),
                evidence.of_file(process, other.path, f"not mapped: {other.path}"),
                evidence.of_environment(process, "LD_LIBRARY_PATH", f"LD_LIBRARY_PATH={':'.join(folders)}"),
            ],
            doubt="If the first file is the intended one, check what it returns.",
            subject=winner.path,
        )


def place_of(case: Case, path: str) -> str:
    """` (place 1 of LD_LIBRARY_PATH)`; empty where it came from elsewhere."""
    return (
        _position((case.context.environment(case.process) or {}).get("LD_LIBRARY_PATH", "").split(":"), path)
        if path
        else ""
    )


def _position(folders: list[str], path: str) -> str:
    folder = path.rsplit("/", 1)[0]
    for index, one in enumerate(folders):
        if one.rstrip("/") == folder:
            return f" (place {index + 1} of LD_LIBRARY_PATH)"
    return ""


def _same_content(context: Context, winner: Provider, other: CandidateFound) -> bool:
    image = context.state.images.get(other.file)
    mine = winner.image
    return image is not None and mine is not None and bool(image.sha256) and image.sha256 == mine.sha256


class LinkChainBypass(Cause):
    id = "link-chain-bypass"
    place = "mapped"
    meaning = (
        "The name that is asked for is a link to the vendor's versioned file; the shim was put under another name."
    )
    proof = "The chain of links from the asked name ends in another file than the shim that lies beside it."
    cure = "Let the link of the asked name end in the shim."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind != "call":
            return None
        for use in case.family_uses:
            for provider in use.providers:
                asked = name_of(provider.library.asked or "")
                if len(provider.library.links) < 1 or not asked or asked == name_of(provider.path):
                    continue
                other = next(
                    (c for c in _candidates(case.context, case.process, use.api) if name_of(c.path) != asked), None
                )
                if other is not None:
                    hit = self._hit(case.process, provider, asked, other)
                    return replace(hit, evidence=[*hit.evidence, *case.rows()], root=hit.title, at=case.leaf.at)
        return None

    def _hit(self, process: Process, provider: Provider, asked: str, other: CandidateFound) -> Hit:
        links = list(dict.fromkeys([*provider.library.links, provider.path]))
        chain = " -> ".join(links)
        return Hit(
            title=f"{asked} is a link to {name_of(provider.path)}, not to {name_of(other.path)}",
            cause=f"{short(process)} asks for {asked}; the chain {chain} ends in the vendor's file, and {other.path} "
            "is never asked for by its name.",
            next_step=f"make {links[0]} a link to {other.path}",
            command=commands_by_hand.listing(process, links[0], other.path),
            process=process,
            evidence=[
                evidence.of_library(
                    process, provider.library, chain, by_hand=commands_by_hand.identity(process, provider.path)
                ),
                evidence.of_file(process, other.path, f"never asked for: {other.path}"),
            ],
            doubt="If the vendor's file is the intended one, this is fine.",
            subject=provider.path,
        )


class NameMismatch(Cause):
    id = "name-mismatch"
    place = "mapped"
    meaning = (
        "A library that provides the API is mapped, but has no SONAME, or another than the consumer asks for: it "
        "answers to no other name, and the loader looks for the asked one elsewhere."
    )
    proof = "The mapped file's dynamic section, and the name that was asked for in vain or found elsewhere."
    cure = "Link the shim with the SONAME that is asked for, or place it under that name in the search path."

    def explain(self, case: Case) -> Hit | None:
        asked = name_of(missing_file(case))
        for use in case.family_uses:
            for shim in use.providers:
                if shim.image is None or shim.gone or _answers_by_name(case.context, shim, use.api):
                    continue
                if _called_by_consumers(use, shim):
                    continue
                words = ""
                if asked and case.context.profiles.api_of_soname(asked) == use.api:
                    words = f"{asked} not found"
                elif not asked and case.leaf.kind == "call":
                    words = next((f"{name_of(other.library.asked or other.path)} is {other.path}"
                                  for other in use.providers if other is not shim
                                  and _answers_by_name(case.context, other, use.api)
                                  and _taken(case.context, use, other)), "")  # fmt: skip
                if words:
                    return self._hit(case, use, shim, words)
        return None

    def _hit(self, case: Case, use: Use, shim: Provider, words: str) -> Hit:
        assert shim.image is not None
        soname = f"SONAME {shim.image.soname}" if shim.image.soname else "no SONAME"
        names = listed(case.context.profiles.apis[use.api].sonames[:1])
        title = f"{name_of(shim.path)} is mapped with {soname}; requests for {names} won't find it"
        return Hit(
            title=f"{title}: {words}",
            cause="The loader matches the requested name against SONAMEs; a preload's file name does not count.",
            next_step=f"link the shim with -Wl,-soname,{names}, or put it as {names} in a directory on LD_LIBRARY_PATH",
            command=commands_by_hand.dynamic(case.process, shim.path),
            process=case.process,
            confidence=case.sure,
            evidence=[
                evidence.of_library(
                    case.process, shim.library, f"{shim.path}: {soname}",
                    by_hand=commands_by_hand.dynamic(case.process, shim.path),
                ),
                *case.rows(),
            ],
            at=case.leaf.at,
            subject=shim.path,
            root=title,
        )  # fmt: skip


def _answers_by_name(context: Context, provider: Provider, api: str) -> bool:
    image = provider.image
    return image is not None and bool(image.soname) and context.profiles.api_of_soname(image.soname or "") == api


def _taken(context: Context, use: Use, provider: Provider) -> bool:
    """Consumers call it, or got it when they asked for the API's library by name."""
    asked = (lookup for lookup in use.lookups if context.profiles.api_of_soname(lookup.name) == use.api)
    return _called_by_consumers(use, provider) or any(lookup.answer == provider.path for lookup in asked)


def _called_by_consumers(use: Use, provider: Provider) -> bool:
    return any(calls.by_consumer and calls.function.file == provider.library.file for calls in use.calls.values())


class TwoCopies(Cause):
    id = "two-copies"
    place = "mapped"
    meaning = "Two instances of a library live in one process; what one was told, the other does not know."
    proof = "One file's initialisation succeeded, and another file of the same API said that it is not initialised."
    cure = "Make one a symbolic link to the other."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "call" or not case.context.profiles.is_called(leaf.api, leaf.code, *_NOT_INITIALIZED):
            return None
        use = case.context.uses(case.process).get(leaf.api)
        started = [c for c in use.with_role("init") if c.results.get(0)] if use is not None else []
        first = next((c for c in started if c.function.library != leaf.provider), None)
        if first is None or any(c.function.library == leaf.provider for c in started):
            return None
        title = f"{first.name} ran in {first.function.library}, {leaf.what} in {leaf.provider}"
        return Hit(
            title=f"{title}: {leaf.answer}",
            cause="Two copies are two instances with separate state, even with equal bytes; the second was "
            "never initialised.",
            next_step="make one a symbolic link to the other",
            command=commands_by_hand.inodes(case.process, first.function.library, leaf.provider),
            process=case.process,
            confidence=case.sure,
            evidence=[
                evidence.of_calls(case.process, first, f"{first.name} of {first.function.library} answered 0"),
                *case.rows(),
            ],
            at=leaf.at,
            subject=leaf.provider,
            root=title,
        )


CAUSES: tuple[Cause, ...] = (
    NameMismatch(), StubLibrary(), TwoCopies(), LinkChainBypass(), OtherLibraryFirst(), StaleProvider(),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = (StaleArtefact(),)
