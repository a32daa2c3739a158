"""Why a look-up by name was refused: private tables, functions that are not there, placeholders."""

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, upper_first
from inspector.model.log_claims import writer
from inspector.model.refusals import is_table
from inspector.model.tree import libraries
from inspector.model.usage import Use
from inspector.stream.calls import LookedUp

from .context import Case
from .failed_loads import LibraryNotFound
from .found_elsewhere import found_elsewhere
from .rule import Cause, Hit

_MORE_THAN_ALIASES = 8
"""Names of one address: one function may have two or three names, not this many."""


class ExportTableRefused(Cause):
    id = "export-table-refused"
    place = "returned"
    meaning = "The runtime asks the driver for a private table by its id; without it it gives up, whatever else works."
    proof = "The driver's cuGetExportTable returned an error, and nothing was called in it after that."
    cure = "Pass cuGetExportTable through to a real driver, implement the table, or replace the runtime instead."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        table = leaf if leaf.kind == "lookup" and is_table(leaf) else None
        if table is None and leaf.kind == "call":
            table = self._before(case, leaf)
        if table is None or case.context.profiles.is_called(table.api, table.code, "STUBLIBRARY"):
            return None  # a stub refuses everything alike
        name = case.context.profiles.table_name(table.api, table.what)
        called = f" ({name})" if name else ""
        answer = case.context.profiles.result(table.api, table.code) if table.code else "0 with a NULL table"
        counted = any(calls.by_consumer for use in case.family_uses for calls in use.with_role("count"))
        after = "" if counted else "; no device was counted after it"
        needed = case.context.profiles.table_needed(table.api, table.what)
        inner = case if table is leaf else replace(case, chain=[*case.chain, table])
        return Hit(
            title=f"the export table {table.what.upper()}{called} was refused with {answer} in "
            f"{short(table.process)}{after}",
            cause="The runtime talks to the driver through this private table. It hands the same error on and asks "
            "for nothing else; this is no fault of loading or of a public function.",
            next_step="pass cuGetExportTable through to a real driver, implement the table, or replace the runtime",
            command=case.again(),
            process=table.process,
            confidence=case.sure if needed else "likely",
            evidence=inner.rows(),
            doubt="" if needed else "The refusal was its last question; that it is the cause is concluded.",
            at=table.at,
            subject=table.what,
            root=f"the export table {table.what.upper()}{called} was refused with {answer}",
        )

    def _before(self, case: Case, call: Attempt) -> Attempt | None:
        """A table that the runtime cannot do without, refused while the failing call ran."""
        for one in case.context.analysis.attempts[call.process]:
            if one.kind != "lookup" or one.ok is not False or not is_table(one):
                continue
            within = call.begin <= one.at <= call.at or one.at <= call.at
            if within and case.context.profiles.table_needed(one.api, one.what):
                return one
        return None


class NameNotFound(Cause):
    id = "lookup-failed"
    place = "resolved"
    meaning = LibraryNotFound.meaning
    proof = LibraryNotFound.proof
    cure = LibraryNotFound.cure

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "lookup" or leaf.failure is not None or not leaf.came_back:
            return None
        said = ", says its own log" if leaf.source == "program" else ""
        process = leaf.process
        where = leaf.provider or _asked_file(leaf) or listed(
            (provider.path for use in case.family_uses for provider in use.providers), 2) or "the library"  # fmt: skip
        place = found_elsewhere(case, leaf.what, "symbol")
        title = (
            f"{where} in {short(process)} does not export {leaf.what}, without which nothing can start"
            if leaf.source == "file"
            else f"{name_of(leaf.asker) or 'a consumer'} asked for {leaf.what} in {short(process)}; {where} does not "
            f"have it{said}"
        )
        asked = where if where.startswith("/") else leaf.asker
        return Hit(
            title=title,
            cause=f"{leaf.answer}; no step of {leaf.api or leaf.family} that needs it was seen to succeed after it."
            f"{f' {upper_first(place.words)}.' if place.paths else ''}",
            next_step=place.step
            if place.paths
            else f"export {leaf.what} from {name_of(where)}, or use a release of it that does",
            command=commands_by_hand.exported(process, asked, leaf.what) if asked else case.rerun(),
            process=process,
            severity="error" if _computes(case) or _all_that_is_left(case) else "warning",
            confidence=case.sure if _decides(case) else "likely",
            evidence=case.rows(),
            doubt="The consumer may have another way to go on without the name.",
            at=leaf.at,
            subject=f"{where}:{leaf.what}",
            place="exported" if _undefined_in(case, where, leaf.what) else None,
        )


def _undefined_in(case: Case, path: str, name: str) -> bool:
    """The table of the file that was asked does not have the name."""
    library = next((one for one in libraries(case.process).values() if one.path == path), None)
    image = case.state.images.get(library.file) if library is not None else None
    return image is not None and not image.error and all(one.name != name for one in image.exports if one.visible)


def _computes(case: Case) -> bool:
    known = case.context.profiles.apis.get(case.leaf.api)
    return known is None or known.mode is not None


def _all_that_is_left(case: Case) -> bool:
    """The program's words are the only witness: the library that they name is not mapped any more."""
    path = case.leaf.provider
    return case.leaf.source == "program" and all(one.path != path for one in libraries(case.process).values())


def _decides(case: Case) -> bool:
    """A name without which nobody can begin, or that the program itself names as what it lacks."""
    named = any(word.name == case.leaf.what and word.refusal in ("load", "lookup")
                and writer(case.state, word) is case.process for word in case.context.analysis.words)  # fmt: skip
    role = case.context.profiles.role(case.leaf.api, case.leaf.what)
    return named or role in ("init", "count", "version", "lookup", "table")


def _asked_file(leaf: Attempt) -> str:
    """The loader names the file that lacks a symbol: `/opt/libcuda.so.1: undefined symbol: cuInit`."""
    path, colon, _ = leaf.answer.partition(": undefined symbol")
    return path if colon and path.startswith("/") else ""


class PlaceholderAnswered(Cause):
    id = "placeholder-answered"
    place = "resolved"
    meaning = "For names that it does not have, a library returned one common function; a program that calls it fails."
    proof = "Many names got one address that has no name of its own, and the program ended after it."
    cure = "Answer names that are not there with an error, or make the placeholder log its name."

    def explain(self, case: Case) -> Hit | None:
        if case.leaf.kind not in ("end", "call", "signal"):
            return None
        process = case.process
        for use in case.context.uses(process).values():
            names = _placeholder_names(use)
            lines = [
                one for one in case.context.start.of("error") if one.groups.get("answer") and one.pid == process.pid
            ]
            failed = process.end is not None and process.end.code not in (0, None)
            if names and failed and (lines or case.leaf.kind == "end"):
                return self._hit(case, use, names)
        return None

    def _hit(self, case: Case, use: Use, names: list[LookedUp]) -> Hit:
        process = case.process
        lines = [one for one in case.context.start.of("error") if one.groups.get("answer") and one.pid == process.pid]
        where = name_of(names[0].answer or "")
        rows = [evidence.of_reading(case.state, line) for line in lines[:3]]
        rows += [
            evidence.of_lookup(case.state, process, one, f"{one.via}({one.name}) = {one.address:#x} of {where}")
            for one in names[:10]
        ]
        first = names[0].name + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        ended = f", and {short(process)} ended with code {process.end.code}" if process.end else ""
        called = f"; it was called{ended}" if lines and ended else ""
        title = f"{where} answered {len(names)} names with one placeholder ({first}) in {short(process)}"
        return Hit(
            title=f"{title}{called}",
            cause="A look-up that always succeeds hides what is missing: the refusal comes with the call, and which of "
            f"the names it was is not known: {listed((one.name for one in names), 5)}.",
            next_step="answer names that are not there with CUDA_ERROR_NOT_FOUND, or make the placeholder log its name",
            command=case.again(),
            process=process,
            severity="error" if lines else "warning",
            confidence="likely" if lines else "guess",
            evidence=rows,
            doubt="" if lines else "That one of them was called was not seen.",
            at=process.ended,
            subject=f"placeholder of {where}",
            root=title,
        )


def _placeholder_names(use: Use) -> list[LookedUp]:
    """Names that share one address with more names than aliases explain."""
    shared: dict[int, dict[str, LookedUp]] = {}
    for lookup in use.lookups:
        if lookup.found and lookup.name and lookup.address and not lookup.symbol:
            shared.setdefault(lookup.address, {})[lookup.name] = lookup
    most = max(shared.values(), key=len, default={})
    return list(most.values()) if len(most) >= _MORE_THAN_ALIASES else []


CAUSES: tuple[Cause, ...] = (ExportTableRefused(), PlaceholderAnswered(), NameNotFound())
