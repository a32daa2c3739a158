"""How a process came to its end, and whether a fault of its own lies behind a plain exit status."""

from inspector.stream.processes import SignalDelivered

from .state import Process

FAULTS = frozenset((4, 5, 6, 7, 8, 11, 31))
"""Signals that a program brings on itself: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS (signal(7))."""
_BEHIND = 2_000_000_000
"""ns between a handled fault and the plain exit that it causes (Go prints its stacks in between)."""


def fault(process: Process) -> SignalDelivered | None:
    """The fault that ended the process, also where a handler turned it into a plain exit status."""
    if not process.ended:
        return None
    for event in reversed(process.signals):
        near = abs(process.ended - event.at) <= _BEHIND
        if event.signal in FAULTS and (event.fatal or (near and process.end is not None and process.end.code != 0)):
            return event
    return None


def crashed(process: Process) -> bool:
    """It ended by a fault of its own."""
    end = process.end
    return fault(process) is not None or (end is not None and end.signal in FAULTS)


def killed(process: Process) -> bool:
    """Somebody else ended it (SIGKILL, SIGTERM and the like)."""
    end = process.end
    return end is not None and bool(end.signal) and end.signal not in FAULTS
