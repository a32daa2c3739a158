"""Why a variable had no effect: it did not reach the process, came too late, or its loader does not honour it."""

import re
from collections.abc import Iterable, Iterator
from posixpath import normpath
from shlex import quote

from inspector.model import commands_by_hand, evidence
from inspector.model.copies import where_is
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, plural
from inspector.model.state import Process
from inspector.model.tree import ancestors, program
from inspector.model.verdict import Evidence
from inspector.stream.libraries import Copy, PreloadChecked

from .context import LOADER_KEYS, Case, Context
from .found_elsewhere import found_elsewhere
from .rule import Cause, Hit, Pattern

_SEEN_BY = re.compile(r"^(.*) \(as pid (\d+) sees it\)$")
_LOADERS = ("ld-linux", "ld.so", "ld-musl", "ld64")


def missing_file(case: Case) -> str:
    """The file that was not found; empty where the leaf is something else."""
    leaf, failure = case.leaf, case.failure
    if leaf.kind not in ("load", "prediction") or failure is None:
        return ""
    if failure.missing:
        return failure.missing
    return leaf.what if failure.cause in ("absent", "dependency") else ""


def folders(value: str) -> list[str]:
    """Entries of a search path or of a preload list."""
    return [entry for entry in value.replace(" ", ":").split(":") if entry]


class LoaderIgnoresEnvironment(Cause):
    id = "loader-ignores-environment"
    place = "environment"
    meaning = (
        "The kernel marked the program as secure (set-user-id, file capabilities, a security module): its loader "
        "ignores LD_PRELOAD with slashes, LD_LIBRARY_PATH and LD_AUDIT."
    )
    proof = "AT_SECURE in the program's auxiliary vector is 1, the variable is set, and a load was refused."
    cure = "Run the program without the extra privileges, or set the directory by DT_RUNPATH or ld.so.conf."

    def explain(self, case: Case) -> Hit | None:
        process = case.process
        runs = program(process)
        if runs is None or not runs.secure or not missing_file(case):
            return None
        carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
        if not carried:
            return None
        why = f"the file has {runs.capabilities_added}" if runs.capabilities_added else "AT_SECURE is set"
        place = found_elsewhere(case, missing_file(case), "library").words
        return Hit(
            title=f"the loader of {short(process)} ignores {listed(carried)}: {why}",
            cause="For a program that runs with more privileges than its caller the loader ignores these variables"
            f": {name_of(missing_file(case))} not found{f', {place}' if place else ''}.",
            next_step="start it without the extra privileges; then the variables work",
            command=f"getcap {quote(runs.exe)}; ls -l {quote(runs.exe)}",
            process=process,
            confidence=case.sure,
            evidence=[
                evidence.of_process(
                    process, f"AT_SECURE of {short(process)} is 1", by_hand=commands_by_hand.secure(process.pid)
                ),
                *[evidence.of_environment(process, key, f"{key}={runs.environment[key]}") for key in carried],
                *case.rows(),
            ],
            subject=runs.exe,
            root=f"the loader ignores {listed(carried)}: {why}",
        )


class IgnoredEnvironment(Pattern):
    """The same where no load was seen to be refused: the program may have asked before we came."""

    id = "loader-ignores-environment"
    place = "environment"
    meaning = LoaderIgnoresEnvironment.meaning
    proof = LoaderIgnoresEnvironment.proof
    cure = LoaderIgnoresEnvironment.cure

    def find(self, context: Context) -> Iterable[Hit]:
        if context.decision.chain or context.decision.reason not in ("told", "unknown", "foretold"):
            return
        for process in context.state.processes:
            runs = program(process)
            carried = [key for key in LOADER_KEYS if runs is not None and runs.environment.get(key)]
            if runs is None or not runs.secure or not process.execs or not carried:
                continue
            why = f"the file has {runs.capabilities_added}" if runs.capabilities_added else "AT_SECURE is set"
            yield Hit(
                title=f"the loader of {short(process)} ignores {listed(carried)}: {why}",
                cause="For a program that runs with more privileges than its caller the loader ignores these "
                "variables.",
                next_step="start it without the extra privileges; then the variables work",
                command=f"getcap {quote(runs.exe)}; ls -l {quote(runs.exe)}",
                process=process,
                severity="error" if context.rank(process) <= 3 else "warning",
                confidence="likely",
                evidence=[
                    evidence.of_process(
                        process, f"AT_SECURE of {short(process)} is 1", by_hand=commands_by_hand.secure(process.pid)
                    ),
                    *[evidence.of_environment(process, key, f"{key}={runs.environment[key]}") for key in carried],
                ],
                doubt="It was not seen that something was missing because of that.",
                subject=runs.exe,
            )


class StaticBinary(Pattern):
    id = "static-binary"
    place = "environment"
    meaning = "The program is linked statically: no dynamic loader runs at its start, so nothing is preloaded."
    proof = "The executable has no interpreter (PT_INTERP), and no load of a library was seen in it."
    cure = "Use a dynamically linked build of the program."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            runs = program(process)
            if runs is None or not runs.static or not process.execs or _dynamic_relative(context, process):
                continue
            carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
            if not carried or process.lookups:
                continue
            yield Hit(
                title=f"{short(process)} is statically linked: {listed(carried)} has no effect",
                cause=f"{runs.exe} has no interpreter (PT_INTERP): no dynamic loader reads the variable.",
                next_step="use a dynamically linked build of the program",
                command=commands_by_hand.header(process, runs.exe),
                process=process,
                confidence="proven",
                evidence=[
                    evidence.of_process(
                        process, f"{runs.exe} is static", by_hand=commands_by_hand.header(process, runs.exe)
                    ),
                    *[evidence.of_environment(process, key, f"{key}={runs.environment[key]}") for key in carried],
                ],
                subject=runs.exe,
            )


def _dynamic_relative(context: Context, process: Process) -> bool:
    """A static helper or launcher beside a process that matters more is no fault."""
    return any(context.rank(one) <= 2 for one in context.state.processes if one is not process)


class LibraryPathReplaced(Cause):
    id = "library-path-replaced"
    place = "environment"
    meaning = "The program was started by the loader itself with --library-path, which replaces LD_LIBRARY_PATH."
    proof = "The program's arguments name the loader and --library-path; the variable's directory was not looked at."
    cure = "Put the directory into --library-path, or start the program without the loader."

    def explain(self, case: Case) -> Hit | None:
        runs = program(case.process)
        name = missing_file(case)
        if runs is None or not name or "--library-path" not in runs.argv:
            return None
        if not runs.argv or not name_of(runs.argv[0]).startswith(_LOADERS):
            return None
        given = runs.argv[runs.argv.index("--library-path") + 1 :][:1]
        variable = runs.environment.get("LD_LIBRARY_PATH", "")
        where = found_elsewhere(case, name, "library")
        replaced = f", which replaces LD_LIBRARY_PATH={variable}" if variable else ""
        return Hit(
            title=f"{name_of(name)} not found in {short(case.process)}: it was started with --library-path "
            f"{listed(given)}{replaced}",
            cause=f"The loader uses the option instead of the variable{f'; {where.words}' if where.words else ''}.",
            next_step="add the directory to --library-path, or start the program directly",
            command=case.rerun(),
            process=case.process,
            confidence=case.sure,
            evidence=case.rows(),
            at=case.leaf.at,
            subject=name_of(name),
            root=f"--library-path {listed(given)} replaces LD_LIBRARY_PATH",
        )


class SetTooLate(Cause):
    id = "set-too-late"
    place = "environment"
    meaning = "A loader variable was set inside the program after its start; the loader read it before."
    proof = "The environment in the C library's memory differs from that at the exec, and the load was refused."
    cure = "Set the variable where the program is started, or load the library by its whole path."

    def explain(self, case: Case) -> Hit | None:
        name = missing_file(case)
        now = case.process.environments[-1] if case.process.environments else None
        if not name or now is None or "LD_LIBRARY_PATH" not in now.changed:
            return None
        value = now.environment.get("LD_LIBRARY_PATH", "")
        before = (case.context.environment(case.process) or {}).get("LD_LIBRARY_PATH", "")
        added = [folder for folder in folders(value) if folder not in folders(before)]
        found = where_is(case.state, case.process, name, "library")
        if not added or (found is not None and found.complete and not _holds(added, found.copies)):
            return None
        row = evidence.of_environment(case.process, "LD_LIBRARY_PATH", f"in its memory: LD_LIBRARY_PATH={value}")
        return Hit(
            title=f"LD_LIBRARY_PATH={value} was set inside {short(case.process)} after its start: "
            f"{name_of(name)} not found",
            cause="The loader reads the variable once, when the program starts; what setenv or os.environ set "
            "later only reaches child processes.",
            next_step=f"set LD_LIBRARY_PATH={value} where the program is started",
            command=case.rerun(f"LD_LIBRARY_PATH={value}"),
            process=case.process,
            confidence=case.sure,
            evidence=[row, *case.rows()],
            at=case.leaf.at,
            subject=f"LD_LIBRARY_PATH={value}",
            root=f"LD_LIBRARY_PATH={value} was set after the loader had read it",
        )


def _holds(searched: list[str], copies: list[Copy]) -> bool:
    """Whether a copy lies in one of these folders."""
    return any(normpath(folder) == copy.path.rpartition("/")[0] for folder in searched for copy in copies)


class EnvironmentLost(Cause):
    id = "environment-lost"
    place = "environment"
    meaning = "A loader variable that an ancestor has did not reach the process that needed it."
    proof = "Both environments, read at the exec; what the process asked for stands in what it did not get."
    cure = "Set the variable where the process is started: something between the two removed it."

    def explain(self, case: Case) -> Hit | None:
        name = missing_file(case)
        own = case.context.environment(case.process)
        if own is None or not name:
            return None
        for key in ("LD_LIBRARY_PATH", "LD_PRELOAD"):
            hit = self._of_key(case, name, key, own.get(key, ""))
            if hit is not None:
                return hit
        return None

    def _of_key(self, case: Case, name: str, key: str, has: str) -> Hit | None:
        process = case.process
        owner, value = _owner(process, key)
        if owner is None:
            return None
        lost = [entry for entry in folders(value) if entry not in folders(has)]
        where = found_elsewhere(case, name, "library")
        if not lost or not self._would_have(case, key, lost, has, where.paths):
            return None
        how = "is not in" if not has else f"is {has} in"
        return Hit(
            title=f"{key} of {_former(owner, process)} did not reach {short(process)}",
            cause=f"{key}={value} there, but it {how} {short(process)}: {name_of(name)} not found.",
            next_step=f"set {key}={value} where {short(process)} is started",
            command=commands_by_hand.difference(process.pid, owner.pid)
            if owner is not process and not process.ended
            else case.rerun(f"{key}={value}"),
            process=process,
            confidence=case.sure if _source(process) == "exec" or process.origin == "run" else "likely",
            evidence=[
                evidence.of_environment(owner, key, f"{short(owner)}: {key}={value}"),
                evidence.of_environment(process, key, f"{short(process)}: {f'{key}={has}' if has else f'no {key}'}"),
                *case.rows(),
            ],
            doubt="Go copies its whole environment to children; something between the two removed it.",
            at=case.leaf.at,
            subject=f"{key}:{value}",
            root=f"{key}={value} did not reach {short(process)}",
        )

    def _would_have(self, case: Case, key: str, lost: list[str], has: str, paths: tuple[str, ...]) -> bool:
        """What was lost holds what was asked for, as far as is known."""
        if key == "LD_PRELOAD":
            mapped = {library.path for one in case.state.processes for library in one.libraries.values()}
            return bool(mapped.intersection(lost))
        if paths:
            return any(path.rsplit("/", 1)[0] == folder.rstrip("/") for path in paths for folder in lost)
        return not has


def _former(owner: Process, process: Process) -> str:
    """The ancestor, or the program that the same process executed before."""
    if owner is not process:
        return short(owner)
    before = next((one for one in reversed(process.execs[:-1]) if one.environment), process.execs[0])
    return f"{name_of(before.exe or (before.argv[0] if before.argv else ''))}, which PID {process.pid} ran earlier,"


def _source(process: Process) -> str:
    return process.execs[-1].environment_source if process.execs else "unknown"


def _owner(process: Process, key: str) -> tuple[Process | None, str]:
    """The nearest ancestor (or earlier program of this process) that has the variable, with its value."""
    for earlier in reversed(process.execs[:-1]):
        if earlier.environment_known and earlier.environment.get(key):
            return process, earlier.environment[key]
    for ancestor in ancestors(process):
        runs = program(ancestor)
        if runs is not None and runs.environment_known and runs.environment.get(key):
            return ancestor, runs.environment[key]
    return None, ""


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
        next_step="put the file there, or remove the entry",
        command=f"file -L {quote(entry.entry)}; ls -lL {quote(entry.entry)}",
        process=process,
        confidence="proven",
        evidence=rows,
        subject=f"{entry.source}:{entry.entry}",
    )


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
                next_step="put the file there, or remove the entry",
                command=f"file -L {quote(object_)}; ls -lL {quote(object_)}",
                severity="warning",
                confidence="proven",
                evidence=[evidence.of_reading(context.state, reading)],
                subject=f"log:{object_}",
            )


def hidden_by_namespace(context: Context, process: Process, entry: PreloadChecked) -> bool:
    """The entry is absent in a file tree that is not ours: it may well be there outside."""
    runs = context.program(process)
    return entry.path is None and entry.entry.startswith("/") and runs is not None and runs.own_root


class HiddenByNamespace(Cause):
    id = "hidden-by-namespace"
    place = "mapped"
    meaning = (
        "The file is there for you, but not in the file tree that the process sees (container, snap, private mounts)."
    )
    proof = "The process has a mount namespace or root of its own, and the path does not exist in it."
    cure = "Bring the file into that tree: a bind mount, the container's image, the snap's interface."

    def explain(self, case: Case) -> Hit | None:
        process = case.process
        runs = program(process)
        if runs is None or not missing_file(case):
            return None
        for entry in case.context.preloads(process):
            if entry.usable is False and hidden_by_namespace(case.context, process, entry):
                row = evidence.of_environment(process, entry.source, f"{short(process)}: {entry.source}={entry.entry}")
                return self._hit(case, entry.entry, [row])
        found = case.state.copies.get(("library", name_of(missing_file(case))))
        outside = [copy for copy in found.copies if copy.outside] if found is not None else []
        if runs.own_root and outside and all(copy.outside for copy in (found.copies if found else [])):
            return self._hit(case, outside[0].path, [])
        return None

    def _hit(self, case: Case, path: str, rows: list[Evidence]) -> Hit:
        process = case.process
        runs = program(process)
        assert runs is not None
        return Hit(
            title=f"{path} does not exist in the file system that {short(process)} sees",
            cause=f"The process has a mount namespace of its own ({runs.container or runs.root}); paths resolve "
            "there, not as in your shell.",
            next_step="make the file available there (bind mount or image)",
            command=f"ls -l /proc/{process.pid}/root{quote(path)}" if not process.ended else f"ls -l {quote(path)}",
            process=process,
            confidence=case.sure,
            evidence=[
                *rows,
                evidence.of_process(
                    process, f"mount namespace {runs.mount_namespace}, root {runs.root}",
                    by_hand=f"readlink /proc/{process.pid}/ns/mnt /proc/self/ns/mnt",
                ),
                *case.rows(),
            ],
            subject=path,
            root=f"{path} is not in the file tree of this process",
        )  # fmt: skip


class HiddenPreloads(Pattern):
    """The same of a preload entry, where nothing was asked for in vain."""

    id = "hidden-by-namespace"
    place = "mapped"
    meaning = HiddenByNamespace.meaning
    proof = HiddenByNamespace.proof
    cure = HiddenByNamespace.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            runs = program(process)
            for entry in context.preloads(process):
                if entry.usable is not False or runs is None or not hidden_by_namespace(context, process, entry):
                    continue
                text = f"{short(process)}: {entry.source}={entry.entry}"
                yield Hit(
                    title=f"{entry.entry} does not exist in the file system that {short(process)} sees",
                    cause=f"The process has a mount namespace of its own ({runs.container or runs.root}); paths "
                    "resolve there, not as in your shell.",
                    next_step="make the file available there (bind mount or image)",
                    command=f"ls -l /proc/{process.pid}/root{quote(entry.entry)}",
                    process=process,
                    confidence="proven",
                    evidence=[
                        evidence.of_environment(process, entry.source, text),
                        evidence.of_process(
                            process, f"mount namespace {runs.mount_namespace}, root {runs.root}",
                            by_hand=f"readlink /proc/{process.pid}/ns/mnt /proc/self/ns/mnt",
                        ),
                    ],
                    subject=entry.entry,
                )  # fmt: skip


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
            carries = "carries" if file.carriers == 1 else "carry"
            carriers = f"; {plural(file.carriers, 'process')} {carries} it now" if file.carriers else ""
            names = f" ({listed(file.carrier_names)})" if file.carrier_names else ""
            yield Hit(
                title=f"{file.path} loads {listed(name_of(e) for e in entries)} into every new "
                f"process{carriers}{names}",
                cause="A bug in that file breaks every program on the machine, including remote login.",
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


def _from_here(path: str) -> str:
    """Where a file lies for us that is told as `PATH (as pid N sees it)`."""
    return _SEEN_BY.sub(r"/proc/\2/root\1", path)


class SettingWithoutEffect(Pattern):
    id = "setting-without-effect"
    place = "environment"
    notice = True
    meaning = "A variable is set that the program does not read."
    proof = "The variable stands in the environment, and the program's source does not know it."
    cure = "Remove it, so that nobody relies on it."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            for key in context.environment(process) or {}:
                known = context.profiles.environment_key(key)
                if known is None or known.kind != "ignored" or not process.execs:
                    continue
                yield Hit(
                    title=f"{key} is set but has no effect",
                    cause=f"{known.truth or known.effect}.",
                    next_step=f"remove {key}, so that nobody relies on it",
                    process=process,
                    severity="info",
                    confidence="proven",
                    evidence=[evidence.of_environment(process, key, f"{short(process)}: {key}")],
                    subject=key,
                )


CAUSES: tuple[Cause, ...] = (
    LoaderIgnoresEnvironment(), LibraryPathReplaced(), SetTooLate(), HiddenByNamespace(), EnvironmentLost(),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = (
    IgnoredEnvironment(), StaticBinary(), HiddenPreloads(), IgnoredPreloads(), GlobalPreload(), SettingWithoutEffect(),
)  # fmt: skip
