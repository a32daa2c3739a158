"""Was it called, and by whom?"""

from collections import Counter
from collections.abc import Iterable

from inspector.model import commands_by_hand, evidence
from inspector.model.coverage import Coverage, born_here, of_lookups, of_use
from inspector.model.crashes import crashed, tells_how
from inspector.model.evidence import short
from inspector.model.formatting import listed, name_of, plural
from inspector.model.state import Process, Reading
from inspector.model.usage import Use, caller_names, looks_up_freely
from inspector.model.verdict import Confidence

from .consumers import lifetime, settled
from .context import Context
from .rule import Hit, Pattern


class CalledOnlyByItself(Pattern):
    id = "called-only-by-itself"
    place = "called"
    meaning = (
        "All calls come from inside the library itself, say its constructor: its log looks active, nothing uses it."
    )
    proof = "The callers of all counted calls are the library itself."
    cure = "Find the process that loads a consumer; make the shim initialise on its first call."

    def find(self, context: Context) -> Iterable[Hit]:
        for process, use in context.all_uses():
            told = self._told_by_log(context, process, use)
            if told is not None:
                yield told
            own = [calls for calls in use.calls.values() if calls.by_itself]
            if not own or use.consumer_calls or any(calls.by_unknown for calls in use.calls.values()):
                continue
            coverage = of_use(context.state, use)
            if use.consumers and not coverage.complete:
                continue
            names = listed((calls.name for calls in own), 3)
            library = name_of(own[0].function.library)
            yield Hit(
                title=f"{plural(use.own_calls, 'call')} ({names}) in {short(process)}, all from inside {library}; 0 "
                "from a consumer",
                cause="The library calls its own functions when it is loaded. Lines of its log prove that it was "
                "loaded, not that anything uses it.",
                next_step="find the process that loads a consumer; make the shim initialise on its first call instead",
                command=commands_by_hand.consumers(),
                process=process,
                severity="error" if context.matters(process) else "info",
                confidence="proven" if _proven(coverage, process) else "likely",
                evidence=[
                    evidence.of_calls(
                        process, calls, f"{calls.name}: {calls.by_itself}, called by {caller_names(calls)}"
                    )
                    for calls in own[:10]
                ],
                doubt="" if coverage.complete else coverage.words,
                at=own[0].first,
                subject=f"{own[0].function.library}:{use.api}",
            )

    def _told_by_log(self, context: Context, process: Process, use: Use) -> Hit | None:
        """Calls that only the shim's own log tells, in a process where nobody but itself could have made them."""
        lines = lines_of_shim(context, process, use)
        if not lines:
            return None
        functions = [reading.groups.get("function", "") for reading in lines]
        library = name_of(use.providers[0].path)
        return Hit(
            title=f"the log of {library} tells of {plural(_told_calls(lines), 'call')} ({listed(functions, 3)}) in "
            f"{short(process)}, where only the library itself could make them",
            cause="No file of that process imports, needs or names the functions: the library's constructor calls "
            "them. Such lines prove that it was loaded, not that anything uses it.",
            next_step="find the process that loads a consumer; make the shim initialise on its first call",
            command=commands_by_hand.consumers(),
            process=process,
            severity="error" if context.matters(process) else "info",
            confidence="likely",
            evidence=[evidence.of_reading(context.state, reading) for reading in lines[:8]],
            doubt="The calls themselves were not counted.",
            at=lines[0].at,
            subject=f"{library}:log",
        )


def _told_calls(lines: list[Reading]) -> int:
    """A call may have one line when it begins and one when it succeeds."""
    kinds = Counter((one.groups.get("function", ""), one.rule.id) for one in lines)
    most: dict[str, int] = {}
    for (function, _), count in kinds.items():
        most[function] = max(count, most.get(function, 0))
    return sum(most.values())


def lines_of_shim(context: Context, process: Process, use: Use) -> list[Reading]:
    """Lines in which a shim tells of calls that were not counted, in a process that surely has no consumer."""
    if not use.providers or use.consumers or use.total_calls or looks_up_freely(context.state, process):
        return []
    if any(
        library.file not in context.state.images for library in process.libraries.values() if library.route != "vdso"
    ):
        return []
    return [reading for reading in tells_of(context, process, use.api) if reading.rule.means == "call"]


def tells_of(context: Context, process: Process, api: str) -> list[Reading]:
    """Lines that tell of calls of an API in this process."""
    return [
        reading
        for reading in context.start.of("call", "error")
        if reading.pid == process.pid and context.profiles.api_of_function(reading.groups.get("function", "")) == api
    ]


class NotCalled(Pattern):
    id = "not-called"
    place = "called"
    meaning = "A consumer is there, everything is found, and no function was called, counted from the first moment on."
    proof = "All its functions were counted from the first moment on, and none was entered."
    cure = "Check the program's settings, and its log up to where it would look for devices."

    def find(self, context: Context) -> Iterable[Hit]:
        for process in context.state.processes:
            if not process.execs or not context.matters(process) or crashed(process) or context.refused(process):
                continue
            uses = [use for use in context.computing(process) if use.providers and use.consumers]
            quiet = [use for use in uses if not use.total_calls and self._watched(context, use)]
            spoken = any(tells_of(context, process, use.api) for use in uses)
            if (
                quiet
                and len(quiet) == len(uses)
                and settled(context, process)
                and not self._refused(uses)
                and not spoken
            ):
                yield self._hit(context, process, quiet[0])

    def _watched(self, context: Context, use: Use) -> bool:
        """Counted from the first moment on, or at least for the greater part of its life."""
        coverage = of_use(context.state, use)
        late = (
            coverage.watched > 0
            and born_here(use.process)
            and not use.process.ended
            and context.decision.verdict == "cpu"
        )
        return coverage.complete or late

    def _refused(self, uses: list[Use]) -> bool:
        return any(lookup.found is False for use in uses for lookup in use.lookups)

    def _hit(self, context: Context, process: Process, use: Use) -> Hit:
        coverage = of_use(context.state, use)
        looked = of_lookups(context.state, process).complete
        linked = context.profiles.is_loader(use.api)  # what many programs have with them for the case that it is needed
        counted = coverage.complete and (not process.ended or tells_how(process.end))
        sure: Confidence = "guess" if not coverage.complete else "likely"
        if _proven(coverage, process) and looked:
            sure = "proven"
        consumers = listed((name_of(consumer.path) for consumer in use.consumers), 3)
        could = f"{short(process)} could call {use.api} (through {consumers}) but did not: 0 calls"
        title = f"{could} in the {lifetime(context, process)} of its life"
        if sure == "guess":
            title = f"no call of {use.api} was seen in {short(process)}, which could call it (through {consumers})"
        return Hit(
            title=title,
            cause=f"{_in_order(looked, use)}The program chose not to use the GPU, or has not reached that point yet.",
            next_step="check the program's settings, and its log up to where it would look for devices",
            command="" if process.ended else commands_by_hand.environment(process.pid),
            process=process,
            severity="error" if counted and not coverage.passive and looked and not linked else "warning",
            confidence=sure,
            evidence=[
                evidence.of_process(process, f"0 calls of {coverage.watched} counted functions: {coverage.words}"),
                *[
                    evidence.of_file(process, c.path, f"{name_of(c.path)} {c.how.words if c.how else ''}")
                    for c in use.consumers[:5]
                ],
            ],
            doubt=_doubt(coverage, process),
            subject=f"{use.api}:{consumers}",
        )


def _in_order(looked: bool, use: Use) -> str:
    """Only what was seen is said to be in order."""
    if not looked:
        return "Its look-ups were not seen. "
    return f"Library{', names and look-ups' if use.lookups else ' and names'} are in order. "


def _proven(coverage: Coverage, process: Process) -> bool:
    """Whether every call from its first instruction to its end would have been counted; of an end that was not told
    nobody knows whether it came before the program was to call anything."""
    return coverage.complete and coverage.gapless and not coverage.passive and tells_how(process.end)


def _doubt(coverage: Coverage, process: Process) -> str:
    """What "0 calls" leaves open."""
    if not coverage.complete:
        return f"It may have called before: {coverage.words}."
    before = "" if coverage.gapless else "A call between the look and the first probe was not seen."
    later = "" if process.ended else "It may still call; a server often waits for its first request."
    return " ".join(filter(None, (before, later)))


PATTERNS: tuple[Pattern, ...] = (NotCalled(), CalledOnlyByItself())
