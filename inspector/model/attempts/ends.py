"""Signals, exit codes and preload entries that were ignored."""

from collections.abc import Iterator

from inspector.model.crashes import FAULTS, fault, jumped_to_null
from inspector.model.folding.processes import end_words, location
from inspector.model.formatting import signal_name
from inspector.model.state import Process
from inspector.stream.processes import SignalDelivered

from .row import Attempt


def ends(process: Process) -> Iterator[Attempt]:
    """The fault that a process died of, and an end that is not in order."""
    deadly = fault(process)
    if deadly is not None:
        yield Attempt(
            process, "signal", signal_name(deadly.signal), False, deadly.at, tid=deadly.tid, answer=_where(deadly),
            code=deadly.signal, provider=deadly.library or "", signal=deadly,
        )  # fmt: skip
    end = process.end
    if deadly is None and end is not None and end.signal in FAULTS:
        yield Attempt(
            process, "signal", signal_name(end.signal), False, process.ended, answer="a place that was not seen",
            code=end.signal, end=end,
        )  # fmt: skip
    if end is not None and (end.code or end.signal):
        yield Attempt(
            process, "end", "its end", False, process.ended, answer=end_words(end), code=end.code or 0, end=end
        )


def _where(deadly: SignalDelivered) -> str:
    """Its place; of a jump through a NULL pointer there is only the address."""
    return f"a jump to address {location(deadly)}" if jumped_to_null(deadly) else location(deadly)


def ignored_preloads(process: Process) -> Iterator[Attempt]:
    """Entries of LD_PRELOAD and its like that the loader cannot use."""
    for entry in process.preloads:
        if entry.usable is False:
            yield Attempt(
                process, "preload", entry.entry, False, entry.at, answer=entry.problem or entry.words, source="file",
                preload=entry,
            )  # fmt: skip
