"""Events folded into the state, one at a time; the only place that changes it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from inspector.stream import calls as c
from inspector.stream import libraries as b
from inspector.stream import logs as g
from inspector.stream import machine as m
from inspector.stream import processes as p
from inspector.stream import session as s
from inspector.stream import stacks as k
from inspector.stream import syscalls as y
from inspector.stream.base import Event

from .folding import calls, libraries, logs, machine, processes, syscalls
from .state import State

E = TypeVar("E", bound=Event)
_HANDLERS: dict[type[Event], Callable[[State, Event], None]] = {}


def _on(kind: type[E], handler: Callable[[State, E], None]) -> None:
    def handle(state: State, event: Event) -> None:
        assert isinstance(event, kind)
        handler(state, event)

    _HANDLERS[kind] = handle


_on(s.SessionStarted, machine.session_started)
_on(s.SessionEnded, machine.session_ended)
_on(s.ProgramCutShort, machine.program_cut_short)
_on(s.TargetMissing, machine.target_missing)
_on(s.LimitNoted, machine.limit_noted)
_on(s.CollectorWaits, machine.collector_waits)
_on(s.Settled, machine.settled)
_on(s.WorkProgressed, machine.work_progressed)
_on(s.EventsLost, machine.events_lost)
_on(s.RequestFailed, machine.request_failed)
_on(m.UnitRead, machine.unit_read)
_on(m.PreloadFileRead, machine.preload_file_read)
_on(m.GpuRead, machine.gpu_read)
_on(m.FileChanged, machine.file_changed)
_on(p.ProcessStarted, processes.started)
_on(p.ProcessExec, processes.executed)
_on(p.ProcessEnded, processes.ended)
_on(p.SignalDelivered, processes.signalled)
_on(p.ConstraintsRead, processes.constraints_read)
_on(p.EnvironmentRead, processes.environment_read)
_on(p.DescriptorsRead, processes.descriptors_read)
_on(p.Vitals, processes.vitals)
_on(p.SocketsRead, processes.sockets_read)
_on(p.SameNameProcess, processes.same_name)
_on(p.ThreadWaits, processes.thread_waits)
_on(b.LibraryMapped, libraries.mapped)
_on(b.LibraryUnmapped, libraries.unmapped)
_on(b.ImageRead, libraries.image_read)
_on(b.ScopeRead, libraries.scope_read)
_on(b.PreloadChecked, libraries.preload_checked)
_on(b.LoadPredicted, libraries.load_predicted)
_on(b.CandidateFound, libraries.candidate_found)
_on(b.CopiesFound, libraries.copies_found)
_on(b.PackageRead, libraries.package_read)
_on(b.LoaderWordsFound, libraries.loader_words_found)
_on(b.NeverExecuted, libraries.never_executed)
_on(b.SlotsRead, libraries.slots_read)
_on(b.PointersHeld, libraries.pointers_held)
_on(b.CodePatched, libraries.code_patched)
_on(c.FunctionsWatched, calls.watched)
_on(c.FunctionsRefused, calls.refused)
_on(c.CountingStopped, calls.stopped)
_on(c.ResultsStopped, calls.results_stopped)
_on(c.CallsCounted, calls.counted)
_on(c.CallersCounted, calls.callers)
_on(c.OutcomesCounted, calls.outcomes)
_on(c.CallReturned, calls.returned)
_on(c.CallsInside, calls.inside)
_on(k.StackTaken, calls.stack_taken)
_on(c.LookupsWatched, calls.lookups_watched)
_on(c.LookupsStopped, calls.lookups_stopped)
_on(c.LookedUp, calls.looked_up)
_on(c.LoaderRefused, calls.loader_refused)
_on(c.FileOpened, calls.opened)
_on(c.OpensSkipped, calls.opens_skipped)
_on(y.FolderListed, syscalls.folder_listed)
_on(y.SystemCallRefused, syscalls.refused)
_on(y.SystemCallsSummed, syscalls.summed)
_on(y.SystemCallsWatched, syscalls.watched)
_on(g.LogFound, logs.found)
_on(g.LogRead, logs.read)
_on(g.LogChanged, logs.changed)
_on(g.WritesSeen, logs.writes_seen)


def apply(state: State, event: Event) -> None:
    """Let one event change the state; events that answer a request of a screen change nothing. Never raises."""
    if event.at > state.now:
        state.now = event.at
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(state, event)


def apply_all(events: Iterable[Event], state: State | None = None) -> State:
    """A state from a whole stream."""
    state = state or State()
    for event in events:
        apply(state, event)
    return state
