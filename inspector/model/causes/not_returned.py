"""Calls and loads that were entered and did not return: they hang, who waits gave up, or the process ended in them."""

from collections.abc import Iterable

from inspector.model import commands_by_hand, core_dumps, evidence
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import doing
from inspector.model.coverage import born_here
from inspector.model.crashes import crashed, killed
from inspector.model.evidence import short
from inspector.model.first_lines import last_line
from inspector.model.folding.processes import end_words
from inspector.model.formatting import duration, name_of
from inspector.model.stacks import innermost_code
from inspector.model.start_again import waited_for
from inspector.model.state import Process
from inspector.stream.processes import ProcessEnded, ThreadWaits

from .context import Case, Context
from .rule import Cause, Hit, Pattern

_SURELY = 10_000_000_000
_SPINS = (
    "keeps a processor busy and does not leave the call: it polls for something that does not come, or runs in circles"
)
_WAITS = "is waiting for something: a remote side, a device, a lock"


class DiscoveryTimeout(Cause):
    id = "discovery-timeout"
    place = "end"
    meaning = "Discovery timed out: the parent gave up on its child process."
    proof = "The child was killed from outside while a call was open in it."
    cure = "Give the library a shorter timeout than the program's."

    def explain(self, case: Case) -> Hit | None:
        call = case.unanswered
        if call is None or not killed(call.process):
            return None
        process = call.process
        lived = duration(process.ended - process.started)
        lines = list(case.context.start.of("timeout"))
        inner = innermost_code(process, call.tid) if call.kind != "call" else ""
        return Hit(
            title=f"{short(process)} was killed after {lived}, still inside {doing(call)}",
            cause=f"It was in {_location(call, inner)}, which did not return, and who waited for it gave up.",
            next_step=f"give {name_of(call.provider or call.what)} a shorter timeout than the program's",
            command=case.again(),
            process=process,
            confidence=case.sure if lines else "likely",
            evidence=[*case.rows(), *[evidence.of_reading(case.state, reading) for reading in lines[:3]]],
            at=process.ended,
            subject=call.what,
            root=f"{_location(call, inner)} does not return",
        )


class CallBlocked(Cause):
    id = "call-blocked"
    place = "end"
    meaning = "A call, or the load of a library, was entered and does not return."
    proof = "The kernel counted its entry and no exit, and the thread still waits, or its stack is still inside."
    cure = "See where the thread waits: the far side, a device, a lock."

    def explain(self, case: Case) -> Hit | None:
        call = case.unanswered
        if call is None or call.process.ended:
            return None
        process = call.process
        age = case.state.now - call.begin if call.begin else 0
        unseen = "for some time" if born_here(process) else "since before we attached"
        since = f"for {duration(age)}" if call.begin else unseen
        waits = process.waits.get(call.tid)
        where = (waits.syscall or waits.wchan) if waits is not None else ""
        busy = not where and _busy(case, call, waits)
        how = f", waiting in {where}" if where else ", busy all the time" if busy else ""
        limit = _limit(case.context, process)
        ends = f" The program times out after {limit:.0f} s." if limit else ""
        rows = case.rows()
        if how:
            rows.append(
                evidence.of_process(process, f"thread {call.tid}{how}", by_hand=commands_by_hand.waits(process.pid))
            )
        verb = "called" if call.kind == "call" else "asked for"
        asked = f", {verb} by {name_of(call.asker)}" if call.asker and call.asker != call.provider else ""
        inner = innermost_code(process, call.tid) if call.kind != "call" else ""
        whose = inner or call.provider or "the library"
        return Hit(
            title=f"{doing(call)} in {short(process)} has been running {since} and has not returned{how}",
            cause=f"{whose} {_SPINS if busy else _WAITS}{asked}.{ends}",
            next_step="see in which function of it the time is spent"
            if busy
            else "see where its threads are waiting; use a debugger only if you may stop the process",
            command=f"perf top -p {process.pid}" if busy else commands_by_hand.waits(process.pid),
            process=process,
            confidence=case.sure if age > _SURELY else "likely",
            evidence=rows,
            doubt="" if age > _SURELY else "It may just be slow.",
            at=call.begin,
            subject=call.what,
            root=f"inside {_location(call, inner)}{how}",
        )


def _location(call: Attempt, inner: str) -> str:
    """`cuInit of libcuda.so.1`, `setup of libcuda.so.1, while it is being loaded`."""
    if call.kind == "call":
        return f"{call.what} of {name_of(call.provider)}"
    return f"{inner}, during {doing(call)}" if inner else doing(call)


def _busy(case: Case, call: Attempt, waits: ThreadWaits | None) -> bool:
    """The thread was seen on a processor all the time, or its process spent most of the call's time on one."""
    if waits is not None and waits.busy:
        return True
    age = case.state.now - call.begin
    return bool(call.begin) and call.process.cpu_after(call.begin, case.state.now) > age // 2


def _limit(context: Context, process: Process) -> float:
    """Seconds that the parent waits for a discovery child, as its profile says."""
    runs = context.program(process)
    known = context.profiles.program(name_of(runs.argv[0])) if runs is not None and runs.argv else None
    if known is None or runs is None or not any(word in runs.argv[1:] for word in known.discovery):
        return 0.0
    return known.discovery_limit


class EndedInside(Cause):
    id = "ended-inside"
    place = "end"
    meaning = "The process ended in the middle of a call, or of the load of a library, without a signal."
    proof = "The kernel reported the entry and then the end of the process, and no return between them."
    cure = "Read the library's own last words; a debugger that stops at exit shows who called it."

    def explain(self, case: Case) -> Hit | None:
        call = case.unanswered
        if call is None or call.process.end is None or call.process.end.signal or crashed(call.process):
            return None
        process, end = call.process, call.process.end
        whose = name_of(call.provider or call.what)
        verb = "called" if call.kind == "call" else "asked for"
        asked = f", {verb} by {name_of(call.asker)}" if call.asker and call.asker != call.provider else ""
        how = "inside" if call.kind == "call" else "during"
        place = _location(call, "")
        step, command = core_dumps.stop_at_exit(process)
        said = last_line(case.state)[:200]
        return Hit(
            title=f"{short(process)} ended {how} {place}{asked}, {_status(end)}",
            cause=f"It never came back from there: {whose} ended the process, or another thread did meanwhile."
            f"{f' The last line of its output: {said}' if said else ''}",
            next_step=f"read what {whose} said last; {step}",
            command=command,
            process=process,
            confidence=case.sure if call.kind == "call" and end.code is not None else "likely",
            evidence=[*case.rows(), evidence.of_process(process, end_words(end), at=process.ended)],
            doubt="It may have been killed there."
            if end.code is None
            else ""
            if call.kind == "call"
            else "Of a load only the usual way out is watched.",
            at=process.ended,
            subject=call.what,
            root=f"the process ends {how} {place}",
        )


def _status(end: ProcessEnded) -> str:
    """`with code 0`; how, where the kernel did not tell it."""
    return f"with code {end.code}" if end.code is not None else "its status was not seen"


class TimeoutsInLogs(Pattern):
    """Discovery gave up, and no child was seen inside a call."""

    id = "discovery-timeout"
    place = "end"
    meaning = DiscoveryTimeout.meaning
    proof = DiscoveryTimeout.proof
    cure = DiscoveryTimeout.cure

    def find(self, context: Context) -> Iterable[Hit]:
        reading = next(iter(context.start.of("timeout")), None)
        if reading is None:
            return
        dead = [p for p in context.state.processes if p.end is not None and p.end.code not in (0, None)]
        early = f" {short(dead[0])} had ended long before: {end_words(dead[0].end)}." if dead and dead[0].end else ""
        yield Hit(
            title="discovery timed out",
            cause=f"The log says so; no child process was seen inside a call.{early}",
            next_step="observe the next start from its first instruction",
            command=waited_for(dead[0] if dead else context.state.processes[0]) if context.state.processes else "",
            confidence="likely",
            evidence=[evidence.of_reading(context.state, reading)],
            at=reading.at,
            subject="log",
        )


CAUSES: tuple[Cause, ...] = (DiscoveryTimeout(), CallBlocked(), EndedInside())
PATTERNS: tuple[Pattern, ...] = (TimeoutsInLogs(),)
