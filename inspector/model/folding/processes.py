"""Births, execs, ends, signals and what is known about living processes."""

from collections.abc import Hashable
from typing import TypeVar

from inspector.model.formatting import command, duration, name_of, signal_name
from inspector.model.state import EXECUTES, Process, State
from inspector.stream.base import Event
from inspector.stream.processes import (
    ConstraintsRead,
    DescriptorsRead,
    EnvironmentRead,
    ProcessEnded,
    ProcessExec,
    ProcessStarted,
    SameNameProcess,
    SignalDelivered,
    SocketsRead,
    ThreadWaits,
    Vitals,
)

from .eviction import forget_dead
from .timeline import keep, process_at, tell, touch

F = TypeVar("F", bound=Event)
K = TypeVar("K", bound=Hashable)
_MOST_EXECS = 1_000
_MOST_SIGNALS = 1_000
_MOST_OTHERS = 1_000
_MOST_ENVIRONMENTS = 100
_ENDINGS = frozenset((1, 2, 9, 15))
"""SIGHUP, SIGINT, SIGKILL, SIGTERM: by which one program ends another."""
_FAULTS = frozenset((4, 5, 6, 7, 8, 11, 31))
"""Signals that a program brings on itself: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS."""


def started(state: State, event: ProcessStarted) -> None:
    process = state.current.get(event.pid)
    if process is not None and process.origin == "unseen" and not process.ended:
        process.ppid, process.started, process.origin = event.ppid, event.started, event.origin
    elif process is None or process.started != event.started or process.ended:
        process = Process(pid=event.pid, ppid=event.ppid, started=event.started, origin=event.origin, previous=process)
        state.processes.append(process)
        state.current[event.pid] = process
    process.comm = event.comm or process.comm
    process.told_at = event.at
    if event.ppid != event.pid:
        process.parent = state.current.get(event.ppid)
    process.revision += 1
    touch(state, "processes")
    if event.origin in ("fork", "run"):
        by = f" of {event.ppid}" if event.origin == "fork" else ""
        tell(state, event.started, event.pid, "process", f"started ({event.origin}{by})", key=str(event.pid))


def executed(state: State, event: ProcessExec) -> None:
    process = process_at(state, event.pid, event.at)
    if process.execs or process.origin in ("fork", "run"):
        _forget_old_program(process, event.at)
    process.execs.append(event)
    del process.execs[1 : max(1, len(process.execs) - _MOST_EXECS)]
    process.comm = event.comm or process.comm
    touch(state, "processes", "libraries", "symbols")
    if process.origin != "attach" or len(process.execs) > 1:
        tell(state, event.at, event.pid, "process", f"{EXECUTES}{command(event.argv)}", key=str(event.pid))


def _forget_old_program(process: Process, at: int) -> None:
    """An exec replaces the whole address space: what was mapped before it belongs to another program."""
    stale = [base for base, since in process.mapped_at.items() if since < at]
    for base in stale:
        process.libraries.pop(base, None)
        del process.mapped_at[base]
    process.preloads = [entry for entry in process.preloads if entry.at >= at]
    for base in [number for number, scope in process.scopes.items() if scope.at < at]:
        del process.scopes[base]
    process.environments.clear()
    _drop_older(process.predictions, at)
    _drop_older(process.candidates, at)
    _drop_older(process.copies, at)
    _drop_older(process.packages, at)
    process.loader_words = None
    _drop_older(process.never_executed, at)
    _drop_older(process.slots, at)
    _drop_older(process.pointers, at)
    _drop_older(process.patched, at)


def _drop_older(facts: dict[K, F], at: int) -> None:
    for key in [key for key, fact in facts.items() if fact.at < at]:
        del facts[key]


def ended(state: State, event: ProcessEnded) -> None:
    process = process_at(state, event.pid, event.at)
    touch(state, "processes")
    if state.cut_short_at and event.at >= state.cut_short_at:
        process.cut_short = event
        return
    process.ended, process.end = event.at, event
    lived = duration(event.at - process.started)
    tell(
        state, event.at, event.pid, "process", f"{end_words(event)} after {lived}",
        bad=bool(event.code or event.signal) and not _by_parent(process, event.signal), key=str(event.pid),
    )  # fmt: skip
    if process.parent is not None and event.code and (library := _asked_of_linker(process)):
        keep(process.parent.linker_knew_not, (library, process.started, event.at), _MOST_OTHERS)
        process.parent.revision += 1
    forget_dead(state)


def _asked_of_linker(process: Process) -> str:
    """The library of `ld -t ... -lNAME`, as Python's `ctypes.util.find_library` asks for one; empty for other links."""
    argv = process.execs[-1].argv if process.execs else []
    names = [word.removeprefix("-l") for word in argv if word.startswith("-l") and len(word) > len("-l")]
    asks = len(names) == 1 and "-t" in argv and name_of(argv[0]) == "ld"
    return f"lib{names[0]}.so" if asks else ""


def _by_parent(process: Process, number: int | None) -> bool:
    """Whether its own parent may have ended it: servers end their helpers so, and it is no error."""
    deadly = next((one for one in reversed(process.signals) if one.fatal and one.signal == number), None)
    known = deadly.sender if deadly is not None else 0
    return number in _ENDINGS and process.parent is not None and known in (0, process.ppid)


def end_words(end: ProcessEnded) -> str:
    """`killed by SIGSEGV (core dumped)`, `ended with code 2`, `ended, how is not known`."""
    if end.signal:
        return f"killed by {signal_name(end.signal)}{' (core dumped)' if end.core else ''}"
    if end.code is None:
        return "ended, exit status unknown,"
    return f"ended with code {end.code}"


def signalled(state: State, event: SignalDelivered) -> None:
    process = process_at(state, event.pid, event.at)
    keep(process.signals, event, _MOST_SIGNALS)
    touch(state, "processes")
    where = f" at {'address ' if event.library is None else ''}{location(event)}" if _placed(event) else ""
    sender = f", sent by {event.sender} {event.sender_name}".rstrip() if event.sender not in (0, event.pid) else ""
    text = f"{signal_name(event.signal)}{where}{sender}{'' if event.fatal else ' (handled)'}"
    bad = (event.fatal or event.signal in _FAULTS) and not _by_parent(process, event.signal)
    tell(state, event.at, event.pid, "signal", text, bad=bad)


def _placed(event: SignalDelivered) -> bool:
    """Where it happened is known: a fault at address 0 is one, 0 without a fault is nothing."""
    return bool(event.library or event.ip) or (event.si_code > 0 and event.signal in _FAULTS and not event.sender)


def location(event: SignalDelivered) -> str:
    """`nvmlInit_v2+0x1c4 (libvgpu-nvml.so)`, `libfoo.so+0x10`, `0x0`."""
    if event.library is None:
        return f"{event.ip:#x}"
    if event.symbol is None:
        return f"{name_of(event.library)}+{event.offset:#x}"
    return f"{event.symbol}+{event.offset:#x} ({name_of(event.library)})"


def constraints_read(state: State, event: ConstraintsRead) -> None:
    process_at(state, event.pid, event.at).constraints = event
    touch(state, "processes")


def environment_read(state: State, event: EnvironmentRead) -> None:
    """The timeline shows it when the program has changed it since the last look."""
    process = process_at(state, event.pid, event.at)
    before = process.environments[-1].changed if process.environments else []
    keep(process.environments, event, _MOST_ENVIRONMENTS)
    touch(state, "processes")
    for key in [key for key in event.changed if key not in before]:
        value = f"={event.environment[key]}" if key in event.environment else " is no longer set"
        tell(state, event.at, event.pid, "process", f"in its memory now {key}{value} (not so at its start)")


def descriptors_read(state: State, event: DescriptorsRead) -> None:
    process = process_at(state, event.pid, event.at)
    process.descriptors = {descriptor.fd: descriptor for descriptor in event.descriptors}
    touch(state, "processes", "logs", "gpu")


def vitals(state: State, event: Vitals) -> None:
    process = process_at(state, event.pid, event.at)
    process.revision -= 1  # nothing that a verdict could lean on
    process.spend(event)
    touch(state, "vitals")


def sockets_read(state: State, event: SocketsRead) -> None:
    process_at(state, event.pid, event.at).sockets = event
    touch(state, "processes")


def same_name(state: State, event: SameNameProcess) -> None:
    state.others = [other for other in state.others if other.pid != event.pid]
    keep(state.others, event, _MOST_OTHERS)
    touch(state, "processes")


def thread_waits(state: State, event: ThreadWaits) -> None:
    process_at(state, event.pid, event.at).waits[event.tid] = event
    touch(state, "timeline")
