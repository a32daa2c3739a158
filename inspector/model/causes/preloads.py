"""Entries of LD_PRELOAD and of /etc/ld.so.preload: ignored by the loader, or loaded into everything."""

import re
from collections.abc import Iterable, Iterator
from shlex import quote

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, plural
from inspector.model.state import Process
from inspector.model.tree import libraries, program
from inspector.stream.libraries import PreloadChecked

from .context import Case, Context
from .environment import folders, missing_file
from .namespaces import hidden_by_namespace
from .rule import Cause, Hit, Pattern

_SEEN_BY = re.compile(r"^(.*) \(as (?:PID|pid) (\d+) sees it\)$")


class PreloadEntryUnusable(Cause):
    id = "preload-entry-unusable"
    place = "environment"
    meaning = (
        "An entry of LD_PRELOAD, LD_AUDIT or /etc/ld.so.preload cannot be loaded; the loader ignores it and goes on."
    )
    proof = "The entry was checked as the process sees the file system, with the loader's own tests."
    cure = "Put a usable file there, or remove the entry."

    def explain(self, case: Case) -> Hit | None:
        """The API that the entry was to bring was looked for in vain."""
        if not missing_file(case):
            return None
        for entry in case.context.preloads(case.process):
            if entry.usable is False and not hidden_by_namespace(case.context, case.process, entry):
                hit = ignored_entry(case.context, case.process, entry)
                hit.evidence += case.rows()
                hit.confidence = case.sure
                hit.root = f"entry {entry.entry} of {entry.source} is ignored: {entry.problem or entry.words}"
                return hit
        return None


def ignored_entry(context: Context, process: Process, entry: PreloadChecked) -> Hit:
    """What is to be said of an entry that the loader ignores."""
    entries = folders((context.environment(process) or {}).get(entry.source, ""))
    place = f"entry {entries.index(entry.entry) + 1} of {entry.source}" if entry.entry in entries else entry.source
    rows = [evidence.of_environment(process, entry.source, f"{short(process)}: {entry.source} names {entry.entry}")]
    if entry.words:
        rows.append(evidence.of_file(process, entry.entry, entry.words))
    return Hit(
        title=f"{place}, {entry.entry}, is ignored by the loader: {entry.problem or 'cannot be loaded'}",
        cause=entry.words or f"{entry.entry}: {entry.problem}",
        next_step=_step(entry.problem),
        command=commands_by_hand.kind(process, entry.entry),
        process=process,
        confidence="proven",
        evidence=rows,
        subject=f"{entry.source}:{entry.entry}",
    )


def _step(problem: str) -> str:
    """What to do: a file that is there is no help as long as it is the wrong one."""
    if problem.startswith("its user may not read "):
        return "let its user read the file and pass through the folders above it, or remove the entry"
    missing = not problem or "no such file" in problem.lower() or "cannot open" in problem.lower()
    do = "put the file there" if missing else "replace it with a library that this program can load"
    return f"{do}, or remove the entry"


class IgnoredPreloads(Pattern):
    """The same, told beside the answer where it explains none."""

    id = "preload-entry-unusable"
    place = "environment"
    notice = True
    meaning = PreloadEntryUnusable.meaning
    proof = PreloadEntryUnusable.proof
    cure = PreloadEntryUnusable.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            runs = context.program(process)
            if runs is not None and runs.static:
                continue  # there is no loader that could ignore it
            for entry in context.preloads(process):
                if entry.usable is False and not hidden_by_namespace(context, process, entry):
                    hit = ignored_entry(context, process, entry)
                    works = any(
                        p.library.route == "preload" for use in context.computing(process) for p in use.providers
                    )
                    hit.severity = "warning" if works else "error"
                    yield hit
        yield from self._from_logs(context)

    def _from_logs(self, context: Context) -> Iterator[Hit]:
        checked = {name_of(entry.entry) for process in context.state.processes for entry in process.preloads}
        for reading in context.start.of("preload-refused"):
            object_, why = reading.groups.get("object", "?"), reading.groups.get("why", "?")
            if name_of(object_) in checked:
                continue
            yield Hit(
                title=f"{object_} of {reading.groups.get('source', '?')} was ignored by a loader: {why}",
                cause="The loader said so itself.",
                next_step=_step(why),
                command=f"file -L {quote(object_)}; ls -lL {quote(object_)}",
                severity="warning",
                confidence="proven",
                evidence=[evidence.of_reading(context.state, reading)],
                subject=f"log:{object_}",
            )


class GlobalPreload(Pattern):
    id = "global-preload"
    place = "environment"
    notice = True
    meaning = "/etc/ld.so.preload is not empty: its files are loaded into every new process, shells and sshd included."
    proof = "The file was read as the process sees it, and its entries can be loaded."
    cure = "Remove the lines and set LD_PRELOAD or LD_LIBRARY_PATH for one service only."

    def find(self, context: Context) -> Iterable[Hit]:
        contained = [process for process in context.state.processes if (runs := program(process)) and runs.container]
        ignored = {
            entry.entry for process in context.state.processes for entry in process.preloads if entry.usable is False
        }
        for file in context.state.preload_files.values():
            entries = [entry for entry in file.entries if entry not in ignored]
            if not entries:
                continue
            count = max(file.carriers, _carrying(context, entries))
            carries = "carries" if count == 1 else "carry"
            carriers = f"; {plural(count, 'process')} {carries} it now" if count else ""
            inside = _SEEN_BY.match(file.path)
            whom = f"that starts in the mount namespace of PID {inside[2]}" if inside else "on the machine"
            names = f" ({listed(file.carrier_names)})" if file.carrier_names else ""
            yield Hit(
                title=f"{file.path} loads {listed(name_of(e) for e in entries)} into every new "
                f"process{carriers}{names}",
                cause=f"A bug in that file breaks every program {whom}{'' if inside else ', including remote login'}.",
                next_step=f"remove the lines from {file.path} and set LD_PRELOAD or LD_LIBRARY_PATH for one service "
                "only",
                command=f"cat {quote(_from_here(file.path))}",
                process=context.state.processes[0] if context.state.processes else None,
                severity="warning",
                confidence="proven",
                evidence=[
                    evidence.of_file_on_disk(
                        file.path, f"{file.path}: {listed(entries)}", by_hand=f"cat {quote(_from_here(file.path))}"
                    )
                ],
                subject=file.path,
                despite_use=not contained,
            )


def _carrying(context: Context, entries: list[str]) -> int:
    """How many living processes of the tree have one of these files mapped."""
    alive = (process for process in context.state.processes if not process.ended)
    return sum(any(library.path in entries for library in libraries(one).values()) for one in alive)


def _from_here(path: str) -> str:
    """Where a file lies for us that is told as `PATH (as PID N sees it)`."""
    return _SEEN_BY.sub(r"/proc/\2/root\1", path)


CAUSES: tuple[Cause, ...] = (PreloadEntryUnusable(),)
PATTERNS: tuple[Pattern, ...] = (IgnoredPreloads(), GlobalPreload())
