"""Cases under observation: a collector on the tree, which begins only when the collector is there."""

from pathlib import Path
from time import monotonic

from inspector.model.fold import apply
from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.stream.events import AnyEvent
from inspector.stream.live import LiveStream
from inspector.stream.place import collector_command, target_words
from inspector.stream.processes import ProcessExec
from inspector.stream.redact import Redactor
from inspector.stream.requests import Configure

from .case import Case
from .start import CaseError, StartedCase, start

_PATIENCE = 30.0
_TICK = 0.05


class CaseStream(LiveStream):
    """A living collector on the tree of a case; the case is released as soon as it is under observation."""

    def __init__(self, started: StartedCase, profiles: Profiles) -> None:
        super().__init__(collector_command(target_words(str(started.pid))), Configure(plan=profiles.plan()))
        self._started = started
        self._waiting = not started.launch.late

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """As for any collector."""
        events = super().read(timeout)
        if self._waiting and any(isinstance(event, ProcessExec) for event in events):
            self._waiting = False
            self._started.release()
        return events


def observe(
    case: Case, seed: int, profiles: Profiles, recording: Path | None = None, redactor: Redactor | None = None
) -> tuple[State, str]:
    """Watch a case until its story is told; the state, and the sentence that the first finding must hold.

    Raises CompilerError, or CaseError when the story is not told.
    """
    started = start(case, seed)
    try:
        stream = CaseStream(started, profiles)
        if recording is not None:
            stream.record(recording, redactor)
        return _watch(started, stream, State(profiles=profiles)), started.sentence
    finally:
        started.stop()


def _watch(started: StartedCase, stream: LiveStream, state: State) -> State:
    end, patience = 0.0, monotonic() + _PATIENCE
    try:
        while stream.alive and not (end and monotonic() >= end):
            for event in stream.read(_TICK):
                apply(state, event)
            if not end and state.processes and started.told:
                end = monotonic() + started.case.seconds
            if not end and monotonic() > patience:
                raise CaseError(f"{started.case.name}: its story was not told in {_PATIENCE:g} s:\n{started.log}")
    finally:
        for event in stream.finish():
            apply(state, event)
    return state
