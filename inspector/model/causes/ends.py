"""How processes end: by a fault inside a call, in one that never returns, by a limit of who waits, by an error."""

from collections.abc import Iterable
from errno import EACCES, EPERM
from shlex import quote
from signal import SIGABRT

from inspector.model import commands_by_hand, core_dumps, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.crashes import NULL_PAGE, jumped_to_null, raised
from inspector.model.first_lines import last_line_of
from inspector.model.folding.processes import end_words, location
from inspector.model.formatting import duration, errno_name, listed, name_of
from inspector.model.log_claims import DEATHS_TOLD
from inspector.model.start_again import by_hand, observed_again
from inspector.model.state import Process
from inspector.model.tree import preload_source, program, title
from inspector.model.verdict import Evidence
from inspector.model.worker import is_tool
from inspector.stream.calls import LookedUp
from inspector.stream.processes import SignalDelivered
from inspector.stream.syscalls import SystemCallRefused

from .context import Case, Context
from .copied_probes import WITHOUT_PROBES, copied_probe, without_probes
from .crash_places import (
    aborted_at,
    cut_short,
    function_of_an_api,
    last_words,
    only_software,
    refused_drivers,
    refused_program,
    refused_start,
    tables_with_gaps,
    words_of,
)
from .rule import Cause, Hit, Pattern

_START_FAILED = (126, 127)
"""Status of a program whose start or whose first call of a missing function failed (ld.so, shells)."""
_SIGBUS, _BUS_ADRERR = 7, 2
"""A page that is mapped and cannot be had: sigaction(2), mmap(2)."""
_BEYOND_ITS_FILE = (
    " It touched a page of a mapped file that lies behind the file's end, or for which there is no room: the file was "
    "cut short or replaced in place, or the file system of its shared memory (/dev/shm) is full."
)
_JUST_BEFORE = 2_000_000_000


class ChildCrashed(Cause):
    id = "child-crashed"
    place = "end"
    meaning = "A process crashed: by a signal, also one that a handler turned into an exit status."
    proof = "The signal was reported by the kernel, with the call or load that was open on the thread."
    cure = "Look at the function that is named; the core or a debugger shows the line."

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "signal":
            return None
        return crashed_hit(case.context, leaf, case.chain[-2] if len(case.chain) > 1 else None, case)


def crashed_hit(context: Context, death: Attempt, around: Attempt | None, case: Case | None = None) -> Hit:
    """What is to be said of a death: where it was, who asked for what it was in, and what came before."""
    process, signal, name = death.process, death.signal, death.what
    null, at = _null_answer(process, signal), aborted_at(death)
    where = f" in {at}" if at else _where(signal)
    inside = _inside(around) or function_of_an_api(context, death)
    said, (cut, short_by) = last_words(context, death), _cut_short(context, process, signal)
    jumped = jumped_to_null(signal)
    after = f" after {null.name} returned NULL" if null is not None else ""
    spot = ""
    if signal is not None and where:
        spot = where if jumped else f", at {at or location(signal)}"
    died = "crashed with" if process.end is not None and not process.end.signal else "was killed by"
    telling = f"{title(process)} {died} {name}{where}{after}"
    if inside:
        telling = f"{name}{inside} in {title(process)}{spot}{after}"
    root = f"{name}{inside or where}{f', at {at}' if at and inside else ''}"
    if jumped and signal is not None:
        root = f"{name}: jumped to address {signal.ip:#x}{inside}: a function pointer was NULL"
        root += f",{after}" if after else ""
    step, command = core_dumps.look_at(process)
    step += "; the location above is proven" if where and not jumped else ""
    if cut:
        telling, root = f"{telling}: {name_of(cut)} is cut short", f"{cut} is cut short: {short_by}"
        step, command = f"put a whole {name_of(cut)} there", commands_by_hand.header(process, cut)
    elif said is not None and not inside:
        gave_up = f"{title(process)} gave up with {name}: {words_of(said)}"
        telling = gave_up if death.code == SIGABRT else f"{telling} after it said: {words_of(said)}"
        root = words_of(said)
        step, command = "fix what its own words name", observed_again(process)
    software = only_software(context, process, said)
    if software and not inside:
        step = "install the device's driver with its ICD file: see what its own words name"
    ours = copied_probe(context.state, process, signal)
    if ours:
        step, command = WITHOUT_PROBES, without_probes(process)
    return Hit(
        title=f"{telling}{_sender(process, signal)}",
        cause=ours or f"{_why(context, death, inside, null)}{software}",
        next_step=step,
        command=command,
        process=process,
        severity="error",
        confidence=case.sure if case is not None and not ours else "likely",
        evidence=_rows(context, process, death, null) + (case.rows()[1:] if case is not None else []),
        at=death.at,
        subject=f"{death.code}:{inside or where}",
        root=root,
    )


def _why(context: Context, death: Attempt, inside: str, null: LookedUp | None) -> str:
    """What is known of the life of the process and of what came just before its death."""
    process, signal = death.process, death.signal
    plain = f"; its exit status only says: {end_words(process.end)}" if process.end and not process.end.signal else ""
    cause = f"{title(process)} lived {duration(process.ended - process.started)}{plain}."
    if null is not None:
        cause += f" Before, {null.via} returned success with a NULL pointer for {null.name}: calling it crashes."
    elif signal is not None and signal.signal == _SIGBUS and signal.si_code == _BUS_ADRERR:
        cut, short_by = _cut_short(context, process, signal)
        cause += f" {cut} is cut short: {short_by}." if cut else _BEYOND_ITS_FILE
    elif jumped_to_null(signal):
        cause += f" A call through a function pointer that is NULL ends there{tables_with_gaps(process)}."
        cause += refused_drivers(context, death)
    if not inside:
        cause += _before(context, death)
    cause += _preloaded(process, signal)
    if is_tool(process) and not any(one.parent is process for one in context.state.processes):
        cause += " It had not started any other program yet."
    if signal is not None and raised(signal):
        cause += " A signal handler of the program raised it: the location of the fault is unknown."
    return cause + (_abort_words(context, process) or _wrote_last(context, death))


def _cut_short(context: Context, process: Process, signal: SignalDelivered | None) -> tuple[str, str]:
    beyond = signal is not None and signal.signal == _SIGBUS and signal.si_code == _BUS_ADRERR
    return cut_short(context.state, process) if beyond else ("", "")


def _preloaded(process: Process, signal: SignalDelivered | None) -> str:
    """That the library in which it fell is there by a preload, which the program did not ask for."""
    if signal is None or not signal.library or raised(signal):
        return ""
    if not any(one.path == signal.library and one.route == "preload" for one in process.libraries.values()):
        return ""
    return f" {name_of(signal.library)} is in this process by {preload_source(process, signal.library)}."


def _sender(process: Process, signal: SignalDelivered | None) -> str:
    if signal is None or signal.sender in (0, process.pid):
        return ""
    return f", sent by PID {signal.sender} {signal.sender_name}".rstrip()


def _inside(around: Attempt | None) -> str:
    """` inside cuInit of libcuda.so.1, asked by libggml-cuda.so`."""
    if around is None:
        return ""
    if around.kind == "load":
        return f" while {name_of(around.what)} was being loaded"
    asked = f", called by {name_of(around.asker)}" if around.asker and around.asker != around.provider else ""
    return f" inside {around.what} of {name_of(around.provider)}{asked}" if around.kind == "call" else ""


def _before(context: Context, death: Attempt) -> str:
    """What its thread did last, where no open call tells where it was."""
    before = [
        one for one in context.analysis.attempts[death.process]
        if one.kind in ("lookup", "load", "call") and one.ok and one.tid in (0, death.tid)
        and 0 <= death.at - one.at < _JUST_BEFORE
    ]  # fmt: skip
    if not before:
        return ""
    last = before[-1]
    verb = {"lookup": "looked up", "load": "loaded"}.get(last.kind, "called")
    where = f" of {name_of(last.provider)}" if last.provider and last.kind != "load" else ""
    return f" Last, it {verb} {name_of(last.what)}{where}, {duration(death.at - last.at)} before."


def _rows(context: Context, process: Process, death: Attempt, null: LookedUp | None) -> list[Evidence]:
    text = f"{death.what} at {death.answer}"
    rows = [evidence.of_moment(context.state, process, death.at, text, by_hand=core_dumps.look_at(process)[1])]
    if null is not None:
        rows.append(evidence.of_lookup(context.state, process, null, f"{null.via}({null.name}) = 0, pointer NULL"))
    if process.end is not None:
        rows.append(evidence.of_process(process, end_words(process.end), at=process.ended))
    return rows + [evidence.of_reading(context.state, reading) for reading in context.start.of("crash")][:3]


def _where(signal: SignalDelivered | None) -> str:
    if signal is None or raised(signal):
        return ""
    return f" in {location(signal)}" if signal.library else f" at address {location(signal)}"


def _null_answer(process: Process, signal: SignalDelivered | None) -> LookedUp | None:
    """The last look-up that succeeded with NULL, if the process then jumped near address 0."""
    if signal is None or signal.library is not None or signal.ip > NULL_PAGE:
        return None
    found = [lookup for lookup in process.lookups if lookup.found is False and lookup.via.startswith("cu")]
    return next((lookup for lookup in reversed(found) if lookup.result == 0 and lookup.at <= signal.at), None)


def _abort_words(context: Context, process: Process) -> str:
    lines = [reading.text.strip() for reading in context.start.of("crash") if reading.pid in (0, process.pid)]
    return f" The log says: {lines[-1][:160]}" if lines else ""


def _wrote_last(context: Context, death: Attempt) -> str:
    """The last line that it wrote, where no words of its own are told as the reason."""
    line = last_line_of(context.state, death.process)
    if not line or any(line.startswith(words) for words in DEATHS_TOLD) or last_words(context, death) is not None:
        return ""
    return f" Its last line: {line[:200].rstrip('.')}."


class StartFailed(Cause):
    id = "child-crashed"
    place = "end"
    meaning = ChildCrashed.meaning
    proof = ChildCrashed.proof
    cure = ChildCrashed.cure

    def explain(self, case: Case) -> Hit | None:
        leaf = case.leaf
        if leaf.kind != "end" or leaf.code not in _START_FAILED or not _concerned(case.context, leaf.process):
            return None
        return start_failed(case.context, leaf)


def _concerned(context: Context, process: Process) -> bool:
    """Shells end so as well when a command is not there: the loader must have had a word in it.

    A fork that never executed anything found no tool to execute: that is no start that failed.
    """
    if not process.execs:
        return False
    if context.rank(process) <= 2 or refused_program(process) is not None:
        return True
    return bool(process.refusals) or bool(_overriding(context, process))


def _overriding(context: Context, process: Process) -> list[str]:
    images = [
        context.state.images.get(library.file) for library in process.libraries.values() if library.route == "preload"
    ]
    return [name_of(image.path) for image in images if image is not None and image.overrides]


def _not_executed(context: Context, end: Attempt, refused: SystemCallRefused) -> Hit:
    """The kernel would not execute what the process was to become."""
    process, why = end.process, errno_name(refused.errno)
    closed = refused.errno in (EACCES, EPERM)
    step = f"let the user of this process execute {refused.subject}, and enter the directories above it" if closed \
        else f"put a program of this machine's kind at {refused.subject}"  # fmt: skip
    said = f"execve({refused.subject}) = {why}"
    return Hit(
        title=f"{title(process)} ended with code {end.code}: the kernel would not execute {refused.subject} ({why})",
        cause="It ended because it could not become that program; none of its code has run.",
        next_step=step,
        command=f"namei -l {quote(refused.subject)}" if closed
        else commands_by_hand.kind(process, refused.subject),
        process=process,
        confidence="likely",
        evidence=[evidence.of_moment(context.state, process, refused.at, said),
                  evidence.of_process(process, end_words(process.end) if process.end else "", at=process.ended)],
        at=process.ended,
        subject=str(end.code),
        root=said,
    )  # fmt: skip


def start_failed(context: Context, end: Attempt) -> Hit:
    """A program that ended with the status of a failed start."""
    process = end.process
    if (refused := refused_program(process)) is not None:
        return _not_executed(context, end, refused)
    suspects = _overriding(context, process)
    why = f" Its preload {listed(suspects)} overrides libc functions." if suspects else ""
    runs, (said, limit) = program(process), refused_start(process)
    after = f"{duration(process.ended - process.started)} after it started"
    return Hit(
        title=f"{title(process)} ended with code {end.code}, {after}{f': {said}' if said else ''}",
        cause="127: the loader rejected the program, or it called a missing function; 126: it could not be "
        f"executed.{why}",
        next_step="raise the limit (ulimit -n)" if limit else "run it by hand and read the loader's messages",
        root=limit or said,
        command=by_hand(runs) if runs is not None else "",
        process=process,
        confidence="likely",
        evidence=[evidence.of_process(process, end_words(process.end) if process.end else "", at=process.ended)],
        doubt="A shell returns the same status for a command it cannot find.",
        at=process.ended,
        subject=str(end.code),
    )


class Deaths(Pattern):
    """Deaths that did not decide: told beside the answer."""

    id = "child-crashed"
    place = "end"
    notice = True
    meaning = ChildCrashed.meaning
    proof = ChildCrashed.proof
    cure = ChildCrashed.cure

    def find(self, context: Context) -> Iterable[Hit]:
        for process, rows in context.analysis.attempts.items():
            for one in rows:
                if one.kind == "signal" and one not in context.analysis.excused:
                    yield crashed_hit(context, one, _around(rows))
                elif one.kind == "end" and one.code in _START_FAILED and _concerned(context, process):
                    yield start_failed(context, one)


def _around(rows: list[Attempt]) -> Attempt | None:
    """The innermost call that did not return."""
    stuck = [one for one in rows if not one.came_back and one.kind == "call"]
    return max(stuck, key=lambda one: one.begin, default=None)


CAUSES: tuple[Cause, ...] = (ChildCrashed(), StartFailed())
PATTERNS: tuple[Pattern, ...] = (Deaths(),)
