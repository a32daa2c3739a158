"""How processes end: by a fault, inside a call that never comes back, or by the limit of who waits for them."""

from collections.abc import Iterable, Iterator

from inspector.model import evidence, recipes
from inspector.model.coverage import capability
from inspector.model.crashes import FAULTS, fault, killed, raised
from inspector.model.evidence import short
from inspector.model.folding.processes import end_words, place
from inspector.model.state import Process
from inspector.model.tree import title
from inspector.model.usage import FunctionCalls
from inspector.model.verdict import Evidence
from inspector.model.wording import command, duration, listed, name_of, signal_name
from inspector.stream.calls import LookedUp, OpenCall
from inspector.stream.processes import SignalDelivered

from .rule import Hit, Rule, Scene

_BLOCKED = 1_000_000_000
"""ns in a call after which it is worth telling; discovery calls take up to 200 ms on real drivers."""
_SURELY = 10_000_000_000
_START_FAILED = (126, 127)
"""Status of a program whose start or whose first call of a missing function failed (ld.so, shells)."""
_NULL_PAGE = 4096


class ChildCrashed(Rule):
    id = "child-crashed"
    place = "end"
    notice = True
    meaning = "A process died by a fault of its own: a signal, also one that a handler turned into a plain exit status."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            signal = fault(process)
            end = process.end
            if signal is not None or (end is not None and end.signal in FAULTS):
                yield self._of_fault(scene, process, signal)
            elif end is not None and end.code in _START_FAILED and self._concerned(scene, process):
                yield self._of_status(scene, process, end.code or 0)

    def _of_fault(self, scene: Scene, process: Process, signal: SignalDelivered | None) -> Hit:
        number = signal.signal if signal is not None else (process.end.signal or 0 if process.end else 0)
        where = _where(signal)
        lived = duration(process.ended - process.started)
        null = _null_answer(process, signal)
        last = _last_call(scene, process)
        plain = f"; its status says only: {end_words(process.end)}" if process.end and not process.end.signal else ""
        cause = f"{title(process)} lived {lived}{plain}."
        if null is not None:
            cause += f" Before, {null.via} answered success with a NULL pointer for {null.name}: to call it is fatal."
        if last is not None:
            cause += f" Last call: {last}."
        if signal is not None and raised(signal):
            cause += " A handler of the program raised it: where the fault was is not known."
        cause += _abort_words(scene, process)
        return Hit(
            title=f"{title(process)} died by {signal_name(number)}{where}"
            + (f" after {null.name} was answered with NULL" if null is not None else ""),
            cause=cause,
            next_step=f"coredumpctl gdb {process.pid}   # or run it again with a core limit"
            + ("; the place above is proven" if where else ""),
            process=process,
            severity="error" if scene.rank(process) <= 3 or not scene.in_use else "warning",
            confidence="proven",
            evidence=self._rows(scene, process, signal, null),
            at=signal.at if signal is not None else process.ended,
            subject=f"{number}:{where}",
        )

    def _rows(
        self, scene: Scene, process: Process, signal: SignalDelivered | None, null: LookedUp | None
    ) -> list[Evidence]:
        rows = []
        if signal is not None:
            text = f"{signal_name(signal.signal)} at {place(signal)}"
            rows.append(evidence.of_moment(scene.state, process, signal.at, text, by_hand="coredumpctl info"))
        if null is not None:
            rows.append(evidence.of_lookup(scene.state, process, null, f"{null.via}({null.name}) = 0, pointer NULL"))
        if process.end is not None:
            rows.append(evidence.of_process(process, end_words(process.end), at=process.ended))
        rows += [evidence.of_reading(scene.state, reading) for reading in scene.start.of("crash")][:3]
        return rows

    def _concerned(self, scene: Scene, process: Process) -> bool:
        """Shells end so as well when a command is not there: the loader must have had a word in it."""
        if scene.rank(process) <= 2 or process.refusals or _overriding(scene, process):
            return True
        looks = capability(scene.state, "lookups")
        return scene.rank(process) == 3 and (looks is None or looks.state != "yes")

    def _of_status(self, scene: Scene, process: Process, code: int) -> Hit:
        suspects = _overriding(scene, process)
        why = f" Its preload {listed(suspects)} answers libc names." if suspects else ""
        return Hit(
            title=f"{title(process)} ended with {code}, {duration(process.ended - process.started)} after its birth",
            cause="127: the loader refused the program, or the first call of a missing function ended it; 126: it "
            f"could not be executed.{why}",
            next_step="run it by hand: "
            f"{command((scene.program(process) or process.execs[-1]).argv) if process.execs else 'PROGRAM'}",
            process=process,
            confidence="likely",
            evidence=self._rows(scene, process, None, None),
            doubt="A shell gives the same status for a command that it does not find.",
            at=process.ended,
            subject=str(code),
        )


def _where(signal: SignalDelivered | None) -> str:
    if signal is None or raised(signal):
        return ""
    return f" in {place(signal)}" if signal.library else f" at address {place(signal)}"


def _null_answer(process: Process, signal: SignalDelivered | None) -> LookedUp | None:
    """The last look-up that succeeded with NULL, if the process then jumped near address 0."""
    if signal is None or signal.library is not None or signal.ip > _NULL_PAGE:
        return None
    found = [lookup for lookup in process.lookups if lookup.found is False and lookup.via.startswith("cu")]
    return next((lookup for lookup in reversed(found) if lookup.result == 0 and lookup.at <= signal.at), None)


def _last_call(scene: Scene, process: Process) -> str | None:
    """What was entered last and never returned, else what returned last."""
    if process.open_calls:
        newest = max(process.open_calls, key=lambda call: call.entered)
        function = scene.state.functions.get(newest.function)
        if function is not None:
            return f"{function.name} of {name_of(function.library)}, entered and not returned"
    calls = [calls for use in scene.uses(process).values() for calls in use.calls.values()]
    unfinished = [one for one in calls if one.unreturned]
    latest = max(unfinished or calls, key=lambda one: one.last, default=None)
    if latest is None:
        return None
    return f"{latest.name}{', entered and not returned' if latest.unreturned else ''}"


def _abort_words(scene: Scene, process: Process) -> str:
    lines = [reading.text.strip() for reading in scene.start.of("crash") if reading.pid in (0, process.pid)]
    return f" The log says: {lines[-1][:160]}" if lines else ""


def _overriding(scene: Scene, process: Process) -> list[str]:
    images = [
        scene.state.images.get(library.file) for library in process.libraries.values() if library.route == "preload"
    ]
    return [name_of(image.path) for image in images if image is not None and image.overrides]


class CallBlocked(Rule):
    id = "call-blocked"
    place = "end"
    notice = True
    meaning = "A call was entered and does not come back."

    def find(self, scene: Scene) -> Iterable[Hit]:
        for process in scene.state.processes:
            if process.ended:
                continue
            blocked = _innermost(scene, process)
            if blocked is not None and scene.state.now - blocked[1].entered > _BLOCKED:
                yield self._hit(scene, process, *blocked)

    def _hit(self, scene: Scene, process: Process, calls: FunctionCalls, call: OpenCall) -> Hit:
        age = scene.state.now - call.entered
        waits = process.waits.get(call.tid)
        how = (
            f", waiting in {waits.syscall or waits.wchan}"
            if waits is not None and (waits.syscall or waits.wchan)
            else ""
        )
        limit = _limit(scene, process)
        ends = f" Whoever waits for this process gives up after {limit:.0f} s." if limit else ""
        rows = [
            evidence.of_calls(
                process, calls, f"{calls.name} entered {duration(age)} ago, not returned", at=call.entered
            )
        ]
        if how:
            rows.append(evidence.of_process(process, f"thread {call.tid}{how}", by_hand=recipes.waits(process.pid)))
        return Hit(
            title=f"{calls.name} in {short(process)} was entered {duration(age)} ago and has not come back{how}",
            cause=f"{name_of(calls.function.library)} waits for something: the far side, a device, a lock.{ends}",
            next_step=f"{recipes.waits(process.pid)}; gdb only if you may stop the process",
            process=process,
            confidence="proven" if age > _SURELY else "likely",
            evidence=rows,
            doubt="" if age > _SURELY else "It may only be slow.",
            at=call.entered,
            subject=calls.name,
        )


def _innermost(scene: Scene, process: Process) -> tuple[FunctionCalls, OpenCall] | None:
    """Of the thread that has waited longest the call entered last; a synchronisation may rightly take long."""
    threads: dict[int, tuple[FunctionCalls, OpenCall]] = {}
    for use in scene.uses(process).values():
        for calls in use.calls.values():
            for call in calls.inside:
                if call.tid not in threads or threads[call.tid][1].entered <= call.entered:
                    threads[call.tid] = (calls, call)
    waiting = [one for one in threads.values() if one[0].role != "sync"]
    return min(waiting, key=lambda one: one[1].entered, default=None)


def _limit(scene: Scene, process: Process) -> float:
    """Seconds that the parent waits for a discovery child, as its profile says."""
    runs = scene.program(process)
    known = scene.profiles.program(name_of(runs.argv[0])) if runs is not None and runs.argv else None
    if known is None or runs is None or not any(word in runs.argv[1:] for word in known.discovery):
        return 0.0
    return known.discovery_limit


class DiscoveryTimeout(Rule):
    id = "discovery-timeout"
    place = "end"
    meaning = "Who waited for the discovery child gave up and ended it."

    def find(self, scene: Scene) -> Iterable[Hit]:
        lines = list(scene.start.of("timeout"))
        ended = list(self._ended_inside(scene))
        for process, calls in ended:
            lived = duration(process.ended - process.started)
            yield Hit(
                title=f"{short(process)} was ended from outside after {lived}, inside {calls.name}",
                cause=f"{calls.name} did not come back, and who waited for the child gave up.",
                next_step=f"give {name_of(calls.function.library)} a limit of its own below that of the program",
                process=process,
                confidence="proven" if lines else "likely",
                evidence=[
                    evidence.of_calls(process, calls, f"{calls.name} entered, never returned", at=calls.last),
                    evidence.of_process(process, end_words(process.end) if process.end else "", at=process.ended),
                    *[evidence.of_reading(scene.state, reading) for reading in lines[:3]],
                ],
                at=process.ended,
                subject=calls.name,
            )
        if lines and not ended:
            yield self._of_lines(scene)

    def _ended_inside(self, scene: Scene) -> Iterator[tuple[Process, FunctionCalls]]:
        for process in scene.state.processes:
            if not killed(process):
                continue
            calls = [calls for use in scene.uses(process).values() for calls in use.calls.values()]
            stuck = [c for c in calls if c.role != "sync" and (c.inside or c.unreturned or _only_entered(c))]
            if stuck:
                yield process, max(stuck, key=lambda c: c.last)  # the innermost was entered last

    def _of_lines(self, scene: Scene) -> Hit:
        reading = next(iter(scene.start.of("timeout")))
        dead = [p for p in scene.state.processes if p.end is not None and p.end.code not in (0, None)]
        early = f" {short(dead[0])} was dead long before: {end_words(dead[0].end)}." if dead and dead[0].end else ""
        return Hit(
            title="discovery gave up after its time limit",
            cause=f"The log says so; no child was seen inside a call.{early}",
            next_step="observe the next start from its first instruction: inspector --wait",
            confidence="likely",
            evidence=[evidence.of_reading(scene.state, reading)],
            at=reading.at,
            subject="log",
        )


def _only_entered(calls: FunctionCalls) -> bool:
    """Entries were counted and not one return, where returns are watched."""
    return calls.function.returns and calls.total > 0 and not calls.callers


RULES: tuple[Rule, ...] = (DiscoveryTimeout(), ChildCrashed(), CallBlocked())
