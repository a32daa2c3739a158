"""The exit code of `inspector report`: the answer as a number."""

from inspector.model.causes.registry import NOT_SEEN
from inspector.model.state import State

from .schema import Report

GPU, CPU_NAMED, CPU_UNKNOWN, UNDECIDED, CUT_SHORT, USAGE, NO_TARGET, NOT_PERMITTED = 0, 10, 11, 12, 13, 2, 3, 4


def exit_code(state: State, report: Report, *, cut_short: bool = False) -> int:
    """0 GPU in use; 10 CPU, cause named; 11 CPU, cause unknown; 12 undecided; 3 no such target; 4 not permitted.

    13 when the collector ended before the watching did (`cut_short`): the answer is of what was seen until then.
    """
    if state.missing is not None and not state.processes:
        return NOT_PERMITTED if state.missing.kind == "not-permitted" else NO_TARGET
    if cut_short:
        return CUT_SHORT
    if report.mode.verdict == "undecided":
        return UNDECIDED
    if report.mode.verdict != "cpu":
        return GPU
    named = bool(report.findings) and report.findings[0].rule != NOT_SEEN
    return CPU_NAMED if named else CPU_UNKNOWN
