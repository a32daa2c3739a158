"""How a process ended, in a cell; and which variables the loader itself reads."""

import signal

from inspector.model.formatting import name_of, signal_name
from inspector.model.state import Process

from .row import Cell
from .told import Told, failed

ENDINGS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals by which one program ends another."""
FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
"""Signals that a program brings on itself: the place where it was tells something."""
NOTHING = Told(wrong=False)
LOADER_KEYS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


def end_of(process: Process, told: Told = NOTHING) -> Cell:
    """How it ended, with a glyph: `✗ SIGSEGV in libx.so`, `○ SIGKILL by parent`, `○ exit 0`, `● running`.

    It is an error only where the answer tells of it, else `!` or, where another program ended it, `○`.
    """
    if not process.ended:
        return (("● ", "unknown"), ("stopped", "plain")) if process.stopped else (("● ", "yes"), ("running", "plain"))
    end = process.end
    if end is not None and end.signal is not None:
        deadly = next((one for one in reversed(process.signals) if one.fatal and one.signal == end.signal), None)
        if end.signal in ENDINGS and process.pid not in told.ends:
            by = " by parent" if deadly is not None and 0 < deadly.sender == process.ppid else ""
            return (("○ ", "quiet"), (signal_name(end.signal) + by, "quiet"))
        library = deadly.library if deadly is not None and end.signal in FAULTS else None
        place = f" in {name_of(library)}" if library else ""
        return failed(signal_name(end.signal) + place, process.pid in told.pids)
    if end is None or end.code is None:
        return (("? ", "unknown"), ("ended, exit status unknown", "quiet"))
    if end.code:
        return failed(f"exit {end.code}", process.pid in told.pids)
    return (("○ ", "quiet"), ("exit 0", "quiet"))
