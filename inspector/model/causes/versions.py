"""Versions of names: a node that no file defines, a library without any."""

from collections.abc import Iterable

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.copies import where_is
from inspector.model.evidence import short
from inspector.model.failed_loads import FailedLoad
from inspector.model.formatting import name_of
from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.stream.libraries import ImageRead

from .context import Case, Context
from .files import place_of
from .found_elsewhere import found_elsewhere
from .names import import_faults_of, name_rows
from .rule import Cause, Hit, Pattern


class VersionNodeMissing(Cause):
    id = "version-node-missing"
    place = "exported"
    meaning = "The name is defined, but not at the version node that the consumer was linked against."
    proof = "The loader refused the load and named the version; the tables of both files show it."
    cure = "Let the copy come first that defines the node, or build the library with that node."

    def explain(self, case: Case) -> Hit | None:
        failure = case.failure
        if failure is None or failure.cause != "version":
            return None
        node = f"{failure.symbol}@{failure.version}" if failure.symbol else failure.version
        lacks, other = _lacking(failure), _other_copy(case, failure)
        whose = _required_by(failure)
        offered = failure.offered or _offered(case.context, failure)
        came = place_of(case, lacks)
        why = offered or (f"{lacks}{came} came first and does not define it" if lacks else failure.words)
        step = f"build {name_of(lacks) or 'the library'} with a version script that has the node {failure.version}"
        if node.startswith("GLIBC_"):
            step = f"use a build of {name_of(whose)} for this system's C library, or a newer system"
        command = commands_by_hand.versions(case.process, lacks or failure.name)
        if other:
            why += f"; {other} defines it"
            folder = other.rsplit("/", 1)[0]
            path = (case.context.environment(case.process) or {}).get("LD_LIBRARY_PATH", "")
            setting = f"LD_LIBRARY_PATH={folder}{':' + path if path else ''}"
            step, command = f"put {folder} first in LD_LIBRARY_PATH of this program", case.rerun(setting) or command
        needs = f"{node} of {name_of(lacks)}" if lacks and not failure.symbol else node
        return Hit(
            title=f"{name_of(whose)} needs {needs}; {why}",
            cause=f"With version tables on both sides the loader takes a name only at the node that was asked for: "
            f"{failure.words or node}.",
            next_step=step,
            command=command,
            process=case.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=failure.at,
            subject=f"{name_of(failure.name)}:{node}",
            root=why,
        )


def _required_by(failure: FailedLoad) -> str:
    """The file that needs the version, as the loader names it: the asked one, or one that it needs."""
    named = failure.words.partition("(required by ")[2].partition(")")[0]
    return named or failure.name


def _lacking(failure: FailedLoad) -> str:
    """The file whose version is missing: the loader names it first, `/old/libx.so: version 'V2' not found`."""
    path, colon, _ = failure.words.partition(": version")
    return path if colon and path.startswith("/") else ""


def _other_copy(case: Case, failure: FailedLoad) -> str:
    """Another file of that name that defines the node."""
    lacks = _lacking(failure)
    if not lacks:
        return ""
    where = found_elsewhere(case, lacks, "version")
    found = where_is(case.state, case.process, lacks, "version")
    if found is not None:
        return next((path for path in where.paths if path != lacks), "")
    images = case.state.images.values()
    return next(
        (image.path for image in images if name_of(image.path) == name_of(lacks) and image.path != lacks
         and failure.version in image.version_nodes), "",
    )  # fmt: skip


class VersionsNotOffered(Pattern):
    """Versions that imports need and nothing offers, where no load was refused."""

    id = "version-node-missing"
    place = "exported"
    meaning = VersionNodeMissing.meaning
    proof = VersionNodeMissing.proof
    cure = VersionNodeMissing.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process, use in context.all_uses():
            faults = [want for want in import_faults_of(context, process, use) if want.fault == "version"]
            if faults:
                want = faults[0]
                yield Hit(
                    title=f"{name_of(want.consumer)} needs {want.full_name}; {want.why}",
                    cause="With version tables on both sides the loader takes a name only at the node asked for.",
                    next_step="build the library with a version script that has the node "
                    f"{want.full_name.rpartition('@')[2]}",
                    command=commands_by_hand.versions(process, want.provider or want.consumer),
                    process=process,
                    confidence="likely",
                    evidence=name_rows(process, faults),
                    subject=f"{name_of(want.consumer)}:{want.full_name}",
                )


def _offered(context: Context, failure: FailedLoad) -> str:
    """Which file has the name, and at which node."""
    for image in context.state.images.values():
        for export in image.exports:
            if export.name == failure.symbol and export.visible and export.version != failure.version:
                return f"{name_of(image.path)} defines it at {export.version or 'no version'}"
    return ""


class NoVersionTable(Pattern):
    id = "no-version-table"
    place = "exported"
    meaning = (
        "A library under a SONAME from which versions are needed has no version table of any kind: glibc ends the "
        "program with an internal assertion (status 127), before any constructor."
    )
    proof = "The provider has no version section at all, and the consumer needs versions of its SONAME."
    cure = "Link the provider with a version script; any node cures it."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            files = [library.file for library in libraries(process).values()]
            files += [candidate.file for candidate in process.candidates.values()]
            images = [image for file in dict.fromkeys(files) if (image := context.state.images.get(file)) is not None]
            bare = {image.soname: image for image in images if image.soname and _bare(image)}
            for consumer in images if bare else ():
                for soname in sorted(bare.keys() & consumer.version_needs.keys()):
                    yield self._hit(process, consumer, bare[soname])

    def _hit(self, process: Process, consumer: ImageRead, provider: ImageRead) -> Hit:
        died = process.end is not None and process.end.code == 127
        rows = [
            evidence.of_file(
                process, provider.path, f"{provider.path} has no version table",
                by_hand=commands_by_hand.versions(process, provider.path),
            ),
            evidence.of_file(
                process, consumer.path, f"{consumer.path} needs versions of {provider.soname}",
                by_hand=commands_by_hand.versions(process, consumer.path),
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
            command=commands_by_hand.versions(process, provider.path),
            process=process,
            severity="error" if died or not process.ended else "warning",
            confidence="proven" if died else "likely",
            evidence=rows,
            subject=provider.path,
        )


class UnversionedProvider(Cause):
    id = "no-version-table"
    place = "exported"
    meaning = NoVersionTable.meaning
    proof = NoVersionTable.proof
    cure = NoVersionTable.cure

    def explain(self, case: Case) -> Hit | None:
        """The loader ended the program with its internal assertion."""
        if case.leaf.kind != "end" or case.leaf.code != 127:
            return None
        hit = next((one for one in NoVersionTable().find(case.context) if one.process is case.process), None)
        return replace(hit, root=hit.title) if hit is not None else None


def _bare(image: ImageRead) -> bool:
    """No version section at all: not even the one that needs of other libraries bring (dl-lookup.c, check_match)."""
    return not image.has_version_table and not image.version_needs and image.kind in ("shared", "pie")


CAUSES: tuple[Cause, ...] = (VersionNodeMissing(), UnversionedProvider())
PATTERNS: tuple[Pattern, ...] = (NoVersionTable(), VersionsNotOffered())
