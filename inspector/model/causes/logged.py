"""Where output goes, which logs cannot be written or read, which lines are of an earlier run."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from shlex import quote

from inspector.model import commands_by_hand, evidence
from inspector.model.evidence import short
from inspector.model.formatting import errno_name, listed, name_of, plural, upper_first
from inspector.model.start_again import rerun
from inspector.model.state import Process
from inspector.stream.calls import FileOpened
from inspector.stream.logs import ENDED_BEFORE
from inspector.stream.processes import Descriptor

from .context import Context
from .rule import Hit, Pattern

_LOG_ENDINGS = (".log", ".out", ".err", "log.txt")
_TELLING = (
    "mode",
    "device",
    "device-dropped",
    "no-device",
    "offload",
    "devices-counted",
    "init-failed",
    "call",
    "error",
)


class OutputDiscarded(Pattern):
    id = "output-discarded"
    place = "logged"
    notice = True
    meaning = "Standard error of the process goes nowhere: that a shim is silent there says nothing."
    proof = "Descriptor 2 of the process is the null device or closed."
    cure = "Make the shim log to a file named by PID."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            error = process.descriptors.get(2)
            if error is None or not _goes_nowhere(process, error) or context.rank(process) > 2:
                continue
            written = process.writes.get(2)
            lost = f"; {plural(written.writes, 'write')} went there" if written is not None and written.writes else ""
            target = error.target if error.kind == "null" else "closed"
            known = self._setting(context, process)
            yield Hit(
                title=f"standard error of {short(process)} is {target}{lost}",
                cause="What a shim prints there is lost: an empty log does not prove that nothing was called.",
                next_step=f"set {known}, or make the shim log to a file named by PID"
                if known
                else "make the shim log to a file named by PID",
                command=rerun(process, known) if known else "",
                process=process,
                severity="info" if context.in_use else "warning",
                confidence="proven",
                evidence=[
                    evidence.of_process(
                        process, f"fd 2 is {target}{lost}", by_hand=commands_by_hand.descriptors(process.pid)
                    ),
                    *[
                        evidence.of_process(process, f"lost: {line}")
                        for line in (written.sample[:5] if written else [])
                    ],
                ],
                subject=f"{target}",
            )

    def _setting(self, context: Context, process: Process) -> str:
        names = {p.discards_child_output for profile in context.profiles.profiles for p in profile.programs}
        keys = set(context.environment(process) or {})
        return next(
            (one for one in sorted(names) if one and any(k.split("_")[0] == one.split("_")[0] for k in keys)), ""
        )


def _goes_nowhere(process: Process, error: Descriptor) -> bool:
    """The null device, or closed while it lives (at its end every descriptor closes)."""
    return error.kind == "null" or (error.kind == "closed" and not process.ended)


class LogNotWritable(Pattern):
    id = "log-not-writable"
    place = "logged"
    notice = True
    meaning = "The process could not open its log file for writing."
    proof = "The open for writing failed, with its errno."
    cure = "Give the process the right to write there."

    def find(self, context: Context) -> Iterable[Hit]:
        globs = [glob.replace("{pid}", "*") for profile in context.profiles.profiles for glob in profile.log_files]
        for process in context.state.processes:
            for opened in process.opens:
                if opened.errno and opened.writable and _is_log(opened.path, globs):
                    yield self._hit(context, process, opened)

    def _hit(self, context: Context, process: Process, opened: FileOpened) -> Hit:
        runs = context.program(process)
        who = f" as uid {runs.uid}" if runs is not None and runs.uid >= 0 else ""
        tree = (
            f" In its own file tree: /proc/{process.pid}/root{opened.path}."
            if runs is not None and runs.own_root
            else ""
        )
        folder = opened.path.rsplit("/", 1)[0]
        return Hit(
            title=f"{short(process)} could not write {opened.path}: {errno_name(opened.errno)}{who}",
            cause=f"Its log stays empty or old; that says nothing about what was called.{tree}",
            next_step="give the process the right to write there, or let it log elsewhere",
            command=commands_by_hand.paths(process, [folder, opened.path]),
            process=process,
            severity="warning",
            confidence="proven",
            evidence=[
                evidence.of_open(context.state, process, opened, f"open({opened.path}) = {errno_name(opened.errno)}")
            ],
            at=opened.at,
            subject=opened.path.replace(str(process.pid), "PID"),
        )


def _is_log(path: str, globs: list[str]) -> bool:
    if path.startswith(("/dev/", "/proc/", "/sys/")):
        return False
    return path.endswith(_LOG_ENDINGS) or "/log/" in path or any(fnmatchcase(path, glob) for glob in globs)


class LogUnreadable(Pattern):
    id = "log-unreadable"
    place = "logged"
    notice = True
    meaning = "A log cannot be read, or holds bytes that make plain tools print nothing."
    proof = "The log was read and holds such bytes, or could not be opened."
    cure = "Use grep -a, or let the writers append."

    def find(self, context: Context) -> Iterable[Hit]:
        for number, source in context.state.logs.items():
            name = source.found.name
            told = source.found.problem == ENDED_BEFORE or "binary" in source.found.problem
            if not source.found.readable and source.found.kind == "file" and not told:
                yield Hit(
                    title=f"{name} cannot be read: {source.found.problem or 'no permission'}",
                    cause="What the program says there is unknown.",
                    next_step="make it readable for you, or run as root",
                    command=f"ls -l {quote(name)}",
                    severity="warning",
                    confidence="proven",
                    evidence=[evidence.of_file_on_disk(name, f"{name}: {source.found.problem}")],
                    subject=name,
                )
            has_lines = source.lines_total and not any(change.what == "binary" for change in source.changes)
            for change in source.changes:
                if change.what == "unreadable" or (change.what == "nul-bytes" and has_lines):
                    kind = "NUL bytes" if change.what == "nul-bytes" else "unreadable parts"
                    yield Hit(
                        title=f"{name_of(name)} holds {kind}: grep says `binary file matches` and prints nothing",
                        cause=f"{upper_first(change.detail) or 'Lines were written with wrong lengths'}; a line that "
                              "grep does not show may be there.",
                        next_step="search it as text (grep -a)",
                        command=f"grep -a -i -E 'cuda|gpu' {quote(name)}",
                        severity="warning",
                        confidence="proven",
                        evidence=[evidence.of_file_on_disk(name, f"log {number}: {change.what} {change.detail}",
                                                           by_hand=f"grep -c -a -P '\\x00' {quote(name)}")],
                        at=change.at,
                        subject=f"{name}:{change.what}",
                    )  # fmt: skip


class LogOfEarlierRun(Pattern):
    id = "log-of-earlier-run"
    place = "logged"
    notice = True
    meaning = "Lines of earlier runs stand in the log; they are kept out of the verdict about this start."
    proof = "Times in the lines and starts of the program in the log."
    cure = "Read the log from the last start on."

    def find(self, context: Context) -> Iterable[Hit]:
        old = [reading for reading in context.start.earlier if reading.rule.means in _TELLING]
        if not old:
            return
        names = {context.state.logs[reading.source].found.name for reading in old}
        last = old[-1]
        yield Hit(
            title=f"{plural(len(old), 'relevant line')} of earlier runs in "
            f"{listed(name_of(name) for name in sorted(names))}: not of this start",
            cause=f"The newest of them: {last.text.strip()[:160]}",
            next_step="read the log from the last start on; in the Logs pane only this start is shown",
            severity="info",
            confidence="proven" if not context.start.doubtful else "likely",
            evidence=[evidence.of_reading(context.state, reading) for reading in old[-5:]],
            at=last.at,
            subject="earlier",
        )


PATTERNS: tuple[Pattern, ...] = (OutputDiscarded(), LogNotWritable(), LogUnreadable(), LogOfEarlierRun())
