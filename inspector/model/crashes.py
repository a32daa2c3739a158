"""How a process came to its end, and whether a fault of its own lies behind a plain exit status."""

from inspector.stream.calls import FileOpened
from inspector.stream.processes import ProcessEnded, SignalDelivered

from .memo import once_of
from .state import Process

FAULTS = frozenset((4, 5, 6, 7, 8, 11, 31))
"""Signals that a program brings on itself: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS (signal(7))."""
_SI_TKILL = -6
"""si_code of raise(3) and abort(3), see sigaction(2)."""
_SIGABRT = 6
NULL_PAGE = 4096
"""Bytes from address 0 in which nothing ever lies: a pointer that was NULL leads there."""
_STILL = 1_000_000
"""ns after a signal in which what was under way may still be told."""
_BEHIND = 500_000_000
"""ns between a handled fault and the plain exit that it causes (Go prints its stacks in between): who lives on for
longer was not ended by it."""


def fault(process: Process) -> SignalDelivered | None:
    """The fault that ended the process, also where a handler turned it into a plain exit status.

    A handler may raise the signal once more to die by it, and the other threads die of it too: then the fault itself,
    before, is the one.
    """
    return once_of("fault", process, lambda: _fault(process)) if process.ended else None


def _fault(process: Process) -> SignalDelivered | None:
    deadly = []
    for event in reversed(process.signals):
        near = abs(process.ended - event.at) <= _BEHIND
        failed = process.end is not None and process.end.code != 0 and not _ended_by_another(process)
        exited = near and failed and not _was_sent(process, event) and not _went_on(process, event)
        if event.signal in FAULTS and (event.fatal or exited):
            deadly.append(event)
    return max(deadly, key=lambda event: (event.si_code > 0, not raised(event), _sent(event)), default=None)


def _sent(event: SignalDelivered) -> bool:
    """It came from the processor or from somebody; a thread that dies because another one did has it from nobody."""
    return event.si_code != 0 or event.sender != 0


def _was_sent(process: Process, event: SignalDelivered) -> bool:
    """By kill(2), to a handler that waits for it: no fault of the processor, and no abort(3) either."""
    return bool(event.sender) and event.si_code <= 0 and (event.signal != _SIGABRT or event.sender != process.pid)


def _ended_by_another(process: Process) -> bool:
    """Another process ended it: what it handled shortly before is not why."""
    last = process.end.signal if process.end is not None else None
    return any(
        event.fatal and event.signal == last and event.sender not in (0, process.pid) for event in process.signals
    )


def _went_on(process: Process, event: SignalDelivered) -> bool:
    """The program asked for something after a signal that it handles: it did not die of it.

    A managed runtime provokes SIGSEGV on purpose and handles it. An exec, a look-up, a call or a file that was read
    after it is proof of life, but not what a handler does that prints a stack (libgcc_s, /proc). Mappings prove
    nothing: they may be told late.
    """
    after = event.at + _STILL
    return (
        any(one.at > after and one.found and "libgcc_s" not in f"{one.name}{one.answer}" for one in process.lookups)
        or any(one.entered > after for one in process.calls)
        or any(one.at > after for one in process.execs)
        or any(one.at > after and _plainly_read(one) for one in process.opens)
    )


def _plainly_read(opened: FileOpened) -> bool:
    handler = opened.path.startswith(("/proc/", "/sys/")) or "libgcc_s" in opened.path or "ld.so" in opened.path
    return not opened.errno and not opened.writable and not handler


def raised(event: SignalDelivered) -> bool:
    """Sent by a thread of the program, not by the processor: where it arrived is no place of a fault."""
    return event.si_code == _SI_TKILL and event.signal != _SIGABRT


def jumped_to_null(event: SignalDelivered | None) -> bool:
    """The processor itself was to execute at an address of the first page: nothing ever lies there."""
    return event is not None and event.si_code > 0 and event.library is None and event.ip < NULL_PAGE


def crashed(process: Process) -> bool:
    """It ended by a fault of its own."""
    end = process.end
    return fault(process) is not None or (end is not None and end.signal in FAULTS)


def killed(process: Process) -> bool:
    """Somebody else ended it (SIGKILL, SIGTERM and the like)."""
    end = process.end
    return end is not None and bool(end.signal) and end.signal not in FAULTS


def tells_how(end: ProcessEnded | None) -> bool:
    """Whether it is known how a process ended: the kernel does not tell it of everyone."""
    return end is not None and (end.code is not None or end.signal is not None)


def may_have_failed(end: ProcessEnded | None) -> bool:
    """It ended, and not in order as far as is known."""
    return end is not None and (bool(end.code or end.signal) or not tells_how(end))
