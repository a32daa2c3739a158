"""The exit code of `inspector report`: the answer as a number."""

from inspector.model.causes.registry import WITHOUT_CAUSE
from inspector.model.state import State

from .schema import Report

GPU, CPU_NAMED, CPU_UNKNOWN, UNDECIDED, USAGE, NO_TARGET, NOT_PERMITTED = 0, 10, 11, 12, 2, 3, 4


def exit_code(state: State, report: Report, *, cut_short: bool = False) -> int:
    """0 GPU in use; 10 CPU, cause named; 11 CPU, cause unknown; 12 undecided; 3 no such target; 4 not permitted.

    Where the collector ended before the watching did (`cut_short`), what is not proven by then is undecided.
    """
    if state.missing is not None and not state.processes:
        return NOT_PERMITTED if state.missing.kind == "not-permitted" else NO_TARGET
    if report.mode.verdict == "undecided" or (cut_short and report.mode.confidence != "proven"):
        return UNDECIDED
    if report.mode.verdict != "cpu":
        return GPU
    named = bool(report.findings) and report.findings[0].rule not in WITHOUT_CAUSE
    return CPU_NAMED if named else CPU_UNKNOWN
