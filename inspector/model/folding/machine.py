"""The session itself and what surrounds the processes."""

from inspector.model.formatting import plural
from inspector.model.losses import UNCOUNTED
from inspector.model.state import State
from inspector.stream.machine import FileChanged, GpuRead, PreloadFileRead, UnitRead
from inspector.stream.session import (
    CollectorWaits,
    EventsLost,
    LimitNoted,
    ProgramCutShort,
    RequestFailed,
    SessionEnded,
    SessionStarted,
    Settled,
    TargetMissing,
    WorkProgressed,
)

from .timeline import keep, tell, touch

_MOST_LIMITS = 1_000
_MOST_CHANGES = 10_000


def session_started(state: State, event: SessionStarted) -> None:
    state.session, state.ended = event, None
    touch(state, "session")


def session_ended(state: State, event: SessionEnded) -> None:
    state.ended = event
    touch(state, "session")
    tell(state, event.at, 0, "note", f"the observation ends: {event.reason}", bad=not event.ok)


def program_cut_short(state: State, event: ProgramCutShort) -> None:
    state.cut_short_at = event.at


def target_missing(state: State, event: TargetMissing) -> None:
    state.missing = event
    touch(state, "session", "processes")
    tell(state, event.at, 0, "note", event.why, bad=event.kind != "ended")


def limit_noted(state: State, event: LimitNoted) -> None:
    known = any((limit.what, limit.why, limit.pid) == (event.what, event.why, event.pid) for limit in state.limits)
    if not known and len(state.limits) < _MOST_LIMITS:
        state.limits.append(event)
        touch(state, "session")


def settled(state: State, event: Settled) -> None:
    state.settled = True
    touch(state, "session")


def collector_waits(state: State, event: CollectorWaits) -> None:
    state.collector_waits = event.doing
    touch(state, "session")
    if event.doing:
        why = f"the collector is stuck, waiting for {event.doing}"
        limit_noted(state, LimitNoted(at=event.at, what="what it would have reported until then", why=why))


def work_progressed(state: State, event: WorkProgressed) -> None:
    if event.done >= event.total:
        state.work.pop(event.task, None)
    else:
        state.work[event.task] = event
    touch(state, "session")


def events_lost(state: State, event: EventsLost) -> None:
    state.lost[event.source] = state.lost.get(event.source, 0) + event.count
    touch(state, "session")
    counts = "calls may be missing" if event.source in UNCOUNTED else "counts stay exact"
    text = f"{plural(event.count, 'record')} of {event.source} lost: the timeline has a gap here, {counts}"
    tell(state, event.at, 0, "note", text, bad=True)


def request_failed(state: State, event: RequestFailed) -> None:
    tell(state, event.at, 0, "note", f"not done: {event.why}", bad=True)


def unit_read(state: State, event: UnitRead) -> None:
    state.units[event.unit] = event
    touch(state, "processes")


def preload_file_read(state: State, event: PreloadFileRead) -> None:
    state.preload_files[event.path] = event
    touch(state, "processes", "libraries")


def gpu_read(state: State, event: GpuRead) -> None:
    state.gpu = event
    touch(state, "gpu")


def file_changed(state: State, event: FileChanged) -> None:
    keep(state.changes, event, _MOST_CHANGES)
    touch(state, "libraries", "processes")
    tell(state, event.at, 0, "note", f"{event.path} was {event.what}")
