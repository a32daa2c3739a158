"""What became of the device in the end: dropped, found and not used, used for show, in use."""

from collections.abc import Iterable

from msgspec.structs import replace

from inspector.model import commands_by_hand, evidence
from inspector.model.crashes import crashed
from inspector.model.evidence import short
from inspector.model.folding.processes import end_words
from inspector.model.formatting import duration, listed, plural
from inspector.model.gpu_work import GpuWork, of_tree, stub_signs, words
from inspector.model.log_meanings import says
from inspector.model.start_again import waited_for
from inspector.model.state import Process, Reading
from inspector.model.verdict import Evidence

from .context import Case, Context
from .rule import UNEXPLAINED, Cause, Hit, Pattern

_PLACING = "num_gpu|n_gpu_layers|n-gpu-layers|offload|memory"
"""What logs say of how much of a model goes to a device, and why."""


def _found_before(context: Context) -> list[tuple[Process, Evidence]]:
    """Processes whose consumers counted a device."""
    rows = []
    for process in context.state.processes:
        for use in context.computing(process):
            for calls in use.with_role("count"):
                if any(isinstance(c, int) and c > 0 for c in (s.values.get("count") for s in calls.samples)):
                    rows.append(
                        (
                            process,
                            evidence.of_calls(process, calls, f"{calls.name} counted a device in {short(process)}"),
                        )
                    )
    return rows


class DeviceDropped(Pattern):
    id = "device-dropped"
    answers = UNEXPLAINED | {"found-not-used"}
    place = "used"
    meaning = "The device was found by one look and dropped by a later one."
    proof = "A device was counted; a later child ended over it, or the program says that it does not take it."
    cure = "See in the next start what the second check calls and says last."

    def find(self, context: Context) -> Iterable[Hit]:
        lines = list(context.start.of("device-dropped"))
        found = _found_before(context)
        dead = self._second_pass(context, [process for process, _ in found])
        if context.decision.verdict != "cpu" or (not lines and not (found and dead)):
            return
        first = found[0][0] if found else None
        yield Hit(
            title=self._title(first, dead, lines),
            cause=self._cause(context, dead, lines),
            next_step="watch the next start: what the second check calls and logs last",
            command=waited_for(checked) if (checked := dead or first) is not None else "",
            process=dead or first,
            confidence="proven" if lines else "likely",
            evidence=[
                *[row for _, row in found[:3]],
                *(
                    [evidence.of_process(dead, end_words(dead.end), at=dead.ended)]
                    if dead is not None and dead.end
                    else []
                ),
                *[evidence.of_reading(context.state, reading) for reading in lines[:3]],
            ],
            at=context.state.now,  # after all that was answered: it is what became of it
            subject="dropped",
        )

    def _second_pass(self, context: Context, finders: list[Process]) -> Process | None:
        """A crashed process that began after another one had found the device."""
        for process in context.state.processes:
            later = any(finder is not process and finder.started <= process.started for finder in finders)
            if later and crashed(process) and process.parent is not None:
                return process
        return None

    def _title(self, first: Process | None, dead: Process | None, lines: list[Reading]) -> str:
        finder = f"the device was found by {short(first)}" if first is not None else "a device was found"
        if dead is not None and dead.end is not None:
            ended = end_words(dead.end)
            was = "was " if ended.startswith("killed") else ""
            after = duration(dead.ended - dead.started)
            return f"{finder}; {short(dead)} checked it again and {was}{ended} after {after}, so it was dropped"
        return f"{finder} and dropped: {says(lines[0].rule, lines[0].groups)}" if lines else finder

    def _cause(self, context: Context, dead: Process | None, lines: list[Reading]) -> str:
        abort = context.start.last("crash")
        told = says(lines[0].rule, lines[0].groups) if lines else ""
        cause = f"The program's log: {told}. " if told else ""
        cause += "A second child process checks each device with the compiled-in code and must survive that."
        return f"{cause} It said: {abort.text.strip()[:160]}" if abort is not None and dead is not None else cause


class DroppedByDeath(Cause):
    id = "device-dropped"
    place = "used"
    meaning = DeviceDropped.meaning
    proof = DeviceDropped.proof
    cure = DeviceDropped.cure

    def explain(self, case: Case) -> Hit | None:
        """The death of a second look, after another process had found the device."""
        if case.leaf.kind != "signal":
            return None
        hit = next(iter(DeviceDropped().find(case.context)), None)
        if hit is None or hit.process is not case.process:
            return None
        return replace(hit, evidence=[*hit.evidence, *case.rows()], root=hit.title)


class NotOffloaded(Pattern):
    id = "not-offloaded"
    answers = UNEXPLAINED | {"given-nothing", "found-not-used"}
    place = "used"
    meaning = "The device was found and kept, and the work was placed on the CPU all the same."
    proof = "The program's own line about its layers, and what discovery found before."
    cure = "Check the request's options (num_gpu, -ngl) and the device's free memory."

    def find(self, context: Context) -> Iterable[Hit]:
        line = context.start.last("offload")
        if line is None or line.groups.get("layers") != "0" or context.in_use or context.decision.chain:
            return  # after a refusal the placing follows from it: it was no decision of its own
        kept = [
            reading
            for reading in context.start.of("mode")
            if reading.rule.modes.get(reading.groups.get("library", "").lower()) not in (None, "cpu")
        ]
        found = _found_before(context)
        if not kept and not found:
            return
        loader = next((process for process, _ in reversed(found)), None)
        yield Hit(
            title=f"0/{line.groups.get('total', '?')} layers were placed on the GPU, though a device was found",
            cause="The device list was fine; the decision was made later: an option such as num_gpu=0, too little "
            "memory, or an empty list handed to the scheduler.",
            next_step="check the request's options (num_gpu) and the device's free memory",
            command=self._told(context, line),
            process=loader,
            confidence="proven",
            evidence=[
                evidence.of_reading(context.state, line),
                *[evidence.of_reading(context.state, reading) for reading in kept[:2]],
                *[row for _, row in found[:2]],
            ],
            at=line.at,
            subject="offload",
        )

    def _told(self, context: Context, line: Reading) -> str:
        """What the log says of the options and the memory that decided."""
        source = context.state.logs.get(line.source)
        return commands_by_hand.log_lines(source.found.name, _PLACING) if source is not None else ""


class SuccessWithoutWork(Pattern):
    id = "success-without-work"
    place = "used"
    notice = True
    meaning = "Allocations and launches return success, and there are signs that nothing is done behind them."
    proof = (
        "Never: no device and no other way out was open since the birth of the process, addresses are small numbers, "
        "launches are quick. Each alone is normal; all of them are likely to mean it."
    )
    cure = "Check a result: copy a known array to the device and back."

    def find(self, context: Context) -> Iterable[Hit]:
        for work in of_tree(context.state, context.profiles):
            signs = stub_signs(context.state, work, context.profiles) if work.launches else None
            if signs is not None:
                yield self._hit(work, signs.rows, together=signs.together)
        stubs = list(context.start.of("stub"))
        if stubs:
            yield self._of_lines(context, stubs)

    def _hit(self, work: GpuWork, rows: list[Evidence], *, together: bool) -> Hit:
        return Hit(
            title=f"{words(work)}, but nothing shows that anything was done",
            cause="The library may return success by itself: no device is opened, and the addresses or times of its "
            "results are not those of a real device. If so, what the program computes is wrong, whatever its log says.",
            next_step="check a result: copy a known array to the device and back, or compare an answer with a run on "
            "the CPU",
            command=self._code(work),
            process=work.process,
            severity="warning",
            confidence="likely" if together else "guess",
            evidence=rows,
            doubt="A shim that hands out handles and computes elsewhere, over memory that it shares, looks the same.",
            at=work.launched[0].first if work.launched else 0,
            subject=work.api,
            despite_use=together,
        )

    def _code(self, work: GpuWork) -> str:
        launch = work.launched[0].function if work.launched else None
        return commands_by_hand.code(work.process, launch.library, launch.name) if launch is not None else ""

    def _of_lines(self, context: Context, stubs: list[Reading]) -> Hit:
        names = listed((reading.groups.get("function") or reading.groups.get("state", "?") for reading in stubs), 4)
        return Hit(
            title=f"the shim's own log names {plural(len(stubs), 'call')} of stubs: {names}",
            cause="A stub returns success and does nothing; what is computed from it is wrong.",
            next_step="implement these functions, or make them return an error",
            severity="warning",
            confidence="likely",
            evidence=[evidence.of_reading(context.state, reading) for reading in stubs[:5]],
            at=stubs[0].at,
            subject="stub-lines",
        )


CAUSES: tuple[Cause, ...] = (DroppedByDeath(),)
PATTERNS: tuple[Pattern, ...] = (DeviceDropped(), NotOffloaded(), SuccessWithoutWork())
