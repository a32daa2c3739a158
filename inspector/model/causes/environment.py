"""Why a variable had no effect: it did not reach the process, came too late, or its loader does not honour it."""

from collections.abc import Iterable
from posixpath import normpath

from inspector.model import commands_by_hand, evidence
from inspector.model.copies import where_is
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of
from inspector.model.start_again import LOADER_KEYS, rerun, starter, waited_for
from inspector.model.state import Process
from inspector.model.tree import ancestors, program
from inspector.stream.libraries import Copy

from .context import Case, Context
from .found_elsewhere import found_elsewhere
from .rule import Cause, Hit, Pattern

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
            command=commands_by_hand.raised(process, runs.exe),
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
    """The same where no load was seen to be refused: the program may have asked before we attached."""

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
                command=commands_by_hand.raised(process, runs.exe),
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
            loads = any(library.route == "dlopen" for library in process.libraries.values())
            carried = [key for key in LOADER_KEYS if runs.environment.get(key)]
            if loads:
                carried = [key for key in carried if key != "LD_LIBRARY_PATH"]  # its own dlopen reads that
            if not carried or process.lookups:
                continue
            verb = "has" if len(carried) == 1 else "have"
            yield Hit(
                title=f"{short(process)} is statically linked: {' and '.join(carried)} {verb} no effect",
                cause=f"{runs.exe} has no interpreter (PT_INTERP): no dynamic loader "
                f"{'preloads anything at its start' if loads else 'reads the variable'}.",
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
            command=where.command if where.paths else case.rerun(),
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
        if not added or found is None or not _holds(added, found.copies):
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
            if owner is not process and not process.ended and not owner.ended
            else _set_again(process, f"{key}={value}"),
            process=process,
            confidence=case.sure
            if (where.paths or key == "LD_PRELOAD") and (_source(process) == "exec" or process.origin == "run")
            else "likely",
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
        found = where_is(case.state, case.process, missing_file(case), "library")
        return not has and not (found is not None and found.complete)


def _set_again(process: Process, setting: str) -> str:
    """The process started with what it lost; what its starter does to a child shows only in the next start."""
    return rerun(process, setting) if starter(process) is process else waited_for(process)


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


class SettingWithoutEffect(Pattern):
    id = "setting-without-effect"
    place = "environment"
    notice = True
    meaning = "A variable is set that the program does not read."
    proof = "The variable stands in the environment, and the program's source does not know it."
    cure = "Remove it, so that nothing relies on it."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            for key in context.environment(process) or {}:
                known = context.profiles.environment_key(key)
                if known is None or known.kind != "ignored" or not process.execs:
                    continue
                yield Hit(
                    title=f"{key} is set but has no effect",
                    cause=f"{known.truth or known.effect}.",
                    next_step=f"remove {key}, so that nothing relies on it",
                    process=process,
                    severity="info",
                    confidence="proven",
                    evidence=[evidence.of_environment(process, key, f"{short(process)}: {key}")],
                    subject=key,
                )


CAUSES: tuple[Cause, ...] = (LoaderIgnoresEnvironment(), LibraryPathReplaced(), SetTooLate(), EnvironmentLost())
PATTERNS: tuple[Pattern, ...] = (IgnoredEnvironment(), StaticBinary(), SettingWithoutEffect())
