"""A stream as it would be, had somebody attached later: what is over is not told, what lasts is found."""

from collections.abc import Sequence

from msgspec.structs import replace

from inspector.stream.base import Event
from inspector.stream.calls import (
    CallReturned,
    CallsCounted,
    CallsInside,
    FunctionsWatched,
    LookedUp,
    LookupsWatched,
    OutcomesCounted,
)
from inspector.stream.libraries import (
    CandidateFound,
    ImageRead,
    LibraryMapped,
    LibraryUnmapped,
    PackageRead,
    PreloadChecked,
    ScopeRead,
)
from inspector.stream.logs import LogFound, LogRead
from inspector.stream.machine import GpuRead, PreloadFileRead, UnitRead
from inspector.stream.processes import (
    ConstraintsRead,
    DescriptorsRead,
    ProcessEnded,
    ProcessExec,
    ProcessStarted,
    SocketsRead,
)
from inspector.stream.session import SessionStarted
from inspector.stream.stacks import StackTaken

_LASTS = (
    ImageRead, ScopeRead, PreloadChecked, CandidateFound, PackageRead, GpuRead, PreloadFileRead, UnitRead,
    DescriptorsRead, SocketsRead, ConstraintsRead, LogFound, LogRead,
)  # fmt: skip
"""Facts that are found whenever one looks, logs among them: they are read from their beginning."""
_PROBES = (FunctionsWatched, LookupsWatched)


def attached_late(events: Sequence[Event], at: int) -> list[Event]:
    """The events of an observation that began at this moment; none where nobody of the tree lived then."""
    before = [event for event in events if event.at <= at]
    living = _living(before)
    if not living:
        return []
    found = _found(before, living, at)
    counted = {
        (count.pid, count.function): count.count
        for event in before if isinstance(event, CallsCounted) for count in event.counts
    }  # fmt: skip
    born = {event.pid for event in events if isinstance(event, ProcessStarted) and event.at > at}
    told = [_since(event, at, counted) for event in events if event.at > at and _of(event, {*living, *born})]
    return [*found, *(event for event in told if event is not None)]


def _living(before: Sequence[Event]) -> dict[int, ProcessStarted]:
    living: dict[int, ProcessStarted] = {}
    for event in before:
        if isinstance(event, ProcessStarted):
            living[event.pid] = event
        elif isinstance(event, ProcessEnded):
            living.pop(event.pid, None)
    return living


def _found(before: Sequence[Event], living: dict[int, ProcessStarted], at: int) -> list[Event]:
    """What the collector tells at once of those that live."""
    session = next(event for event in before if isinstance(event, SessionStarted))
    runs: dict[int, Event] = {}
    mapped: dict[tuple[int, int], Event] = {}
    for event in before:
        if isinstance(event, ProcessExec) and event.pid in living:
            runs[event.pid] = replace(event, at=at, environment_source="proc")
            mapped = {key: one for key, one in mapped.items() if key[0] != event.pid}
        elif isinstance(event, LibraryMapped) and event.pid in living:
            mapped[event.pid, event.base] = replace(event, at=at)
        elif isinstance(event, LibraryUnmapped):
            mapped.pop((event.pid, event.base), None)
    births = [replace(event, at=at, origin="attach") for event in living.values()]
    lasting = [replace(event, at=at) for event in before if isinstance(event, _LASTS) and _of(event, living)]
    probes = [replace(event, at=at + 1) for event in before if isinstance(event, _PROBES)]
    start = replace(session, at=at, wall=session.wall + at - session.at)
    return [start, *births, *runs.values(), *lasting, *mapped.values(), *probes]


def _of(event: Event, pids: "dict[int, ProcessStarted] | set[int]") -> bool:
    """It is about no process, or one of these."""
    pid = getattr(event, "pid", None)
    return pid is None or pid in pids


def _since(event: Event, at: int, counted: dict[tuple[int, int], int]) -> Event | None:
    """An event without what happened before; none where that is all of it."""
    if isinstance(event, CallsCounted):
        counts = [
            replace(one, count=one.count - counted.get((one.pid, one.function), 0), first=max(one.first, at))
            for one in event.counts if one.count > counted.get((one.pid, one.function), 0)
        ]  # fmt: skip
        return replace(event, counts=counts) if counts else None
    if isinstance(event, OutcomesCounted):
        outcomes = [replace(one, first=max(one.first, at)) for one in event.outcomes if one.last > at]
        return replace(event, outcomes=outcomes) if outcomes else None
    if isinstance(event, CallsInside):
        return replace(event, open=[one for one in event.open if one.entered >= at])
    entered = event.entered if isinstance(event, (CallReturned, LookedUp)) else 0
    entered = event.moment if isinstance(event, StackTaken) else entered
    return None if entered and entered < at else event
