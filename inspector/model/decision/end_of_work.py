"""Work on a device that ended by a refusal: what came after it was computed without the device."""

from inspector.model import evidence
from inspector.model.analysis import Analysis
from inspector.model.attempts.wording import row_of
from inspector.model.chain import Stop
from inspector.model.crashes import crashed
from inspector.model.families import family_of_api
from inspector.model.formatting import duration
from inspector.model.gpu_work import of_tree, words
from inspector.model.stages import reaches
from inspector.model.state import Process
from inspector.model.usage import uses
from inspector.model.verdict import Confidence
from inspector.model.worker import is_tool

from .finds import calls_seen
from .reason import UNUSED_FOR, Decision
from .ways import Ways

BEFORE = "before it: "
"""In front of the work that was done until then."""


def by_end_of_work(ways: Ways) -> Decision | None:
    """It computed on a device until it was refused something, and only the CPU was used from then on."""
    until = max((one.launched_until for one in ways.compute), default=0)
    ended = [one for one in ways.analysis.stops.values() if _ends_work(ways, one, until)]
    if not ended:
        return None
    stop = min(ended, key=lambda one: one.attempt.at)
    at, process = stop.attempt.at, stop.progress.process
    busy = max(
        (one for one in ways.state.processes if not is_tool(one)), key=lambda one: one.cpu_after(at, ways.state.now)
    )
    if crashed(process) and busy is process:
        return None
    spent = busy.cpu_after(at, ways.state.now)
    told = ways.says_cpu and ways.word is not None and ways.word.at > at
    counted = calls_seen(ways, busy) and all(_launches_counted(ways.analysis, one.process) for one in ways.compute)
    if not told and not (counted and spent > UNUSED_FOR):
        return None
    over = told or all(one.ended for one in ways.state.processes)
    sure: Confidence = "proven" if over and counted and ways.complete() else "likely"
    chain = ways.analysis.chain_of_stop(stop)
    rows = [*(ways.word_rows() if told else []), *(row_of(ways.state, one) for one in chain)]
    if spent > UNUSED_FOR:
        rows.append(evidence.of_process(busy, f"{duration(spent)} of CPU time after it, and nothing was launched"))
    before = [
        evidence.of_calls(one.process, one.launched[0], f"{BEFORE}{words(one)}")
        for one in of_tree(ways.state, ways.analysis.profiles) if one.proven
    ]  # fmt: skip
    return Decision("cpu", sure, "stopped", process, stop.progress, stop, chain, ways.word if told else None,
                    evidence=rows, contradictions=before)  # fmt: skip


def _ends_work(ways: Ways, stop: Stop, until: int) -> bool:
    """A call past discovery was refused, and nobody launched anything after it."""
    asked = stop.attempt
    past = asked.kind == "call" and asked.came_back and reaches(asked.stage, "context")
    return past and stop.after_work and asked.at > until and stop.progress in ways.compute


def _launches_counted(analysis: Analysis, process: Process) -> bool:
    """Functions that launch, or that nobody knows the use of, are counted to the end: those of this process."""
    state, profiles = analysis.state, analysis.profiles
    own = [use for use in uses(state, process, profiles).values() if family_of_api(profiles, use.api)]
    return not any(calls.stopped for use in own for calls in use.calls.values() if calls.role in ("launch", "other"))
