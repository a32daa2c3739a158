"""How a process ended, in a cell; and which variables the loader itself reads."""

import signal

from inspector.model.formatting import name_of, signal_name
from inspector.model.state import Process
from inspector.model.verdict import Answer

from .row import Cell

ENDINGS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals by which one program ends another."""
FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
"""Signals that a program brings on itself: the place where it was tells something."""
LOADER_KEYS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


def end_of(process: Process, told: bool = False) -> Cell:
    """How it ended, with a glyph: `✗ SIGSEGV in libx.so`, `○ SIGKILL by its parent`, `○ exit 0`, `● running`.

    That another program ended it is an error only where the answer tells of it (`told`): servers end their helpers so.
    """
    if not process.ended:
        return (("● ", "yes"), ("running", "plain"))
    end = process.end
    if end is not None and end.signal is not None:
        deadly = next((one for one in reversed(process.signals) if one.fatal and one.signal == end.signal), None)
        if end.signal in ENDINGS and not told:
            by = " by its parent" if deadly is not None and 0 < deadly.sender == process.ppid else ""
            return (("○ ", "quiet"), (signal_name(end.signal) + by, "quiet"))
        library = deadly.library if deadly is not None and end.signal in FAULTS else None
        place = f" in {name_of(library)}" if library else ""
        return (("✗ ", "no"), (signal_name(end.signal) + place, "no"))
    if end is None or end.code is None:
        return (("? ", "unknown"), ("ended, exit status unknown", "quiet"))
    return (("✗ ", "no"), (f"exit {end.code}", "no")) if end.code else (("○ ", "quiet"), ("exit 0", "quiet"))


def ends_told(answer: Answer | None) -> set[int]:
    """Processes whose end is a link on the way to what is wrong."""
    findings = answer.findings if answer is not None else []
    return {
        link.pid for one in findings if one.severity != "info" for link in one.chain
        if link.pid is not None and link.kind in ("end", "signal")
    }  # fmt: skip
