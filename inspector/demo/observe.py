"""Cases under observation: a collector on the tree, which begins only when the collector is there."""

from pathlib import Path
from threading import Timer
from time import monotonic

from inspector.model.fold import apply
from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.stream.calls import FunctionsWatched, LookedUp
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import CandidateFound, ImageRead, LibraryMapped, LoadPredicted, SlotsRead
from inspector.stream.live import LiveStream
from inspector.stream.place import collector_command, target_words
from inspector.stream.processes import ProcessExec
from inspector.stream.redact import Redactor
from inspector.stream.requests import Configure

from .case import Case
from .start import CaseError, StartedCase, start

_PATIENCE = 30.0
_TICK = 0.05
_QUIET = 0.5
"""Seconds without news after which everything about the files of a process is taken for read."""
_NEWS = (ProcessExec, LibraryMapped, ImageRead, CandidateFound, LoadPredicted, FunctionsWatched, SlotsRead, LookedUp)


class CaseStream(LiveStream):
    """A living collector on the tree of a case.

    The case begins when it is under observation, and comes to the GPU when its files have been read: what a case shows
    does not depend on how busy the machine is.
    """

    def __init__(self, started: StartedCase, profiles: Profiles) -> None:
        super().__init__(collector_command(target_words(str(started.pid))), Configure(plan=profiles.plan()))
        self._started = started
        self._timer: Timer | None = None
        self._news = 0.0

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """As for any collector."""
        events = super().read(timeout)
        if any(isinstance(event, _NEWS) for event in events):
            self._heard()
        return events

    @property
    def quiet(self) -> bool:
        """Nothing was heard of files and programs for a while, after something was."""
        return 0 < self._news <= monotonic() - _QUIET

    def _heard(self) -> None:
        if not self._news and not self._started.launch.late:
            self._started.release()
        self._news = monotonic()
        if self._timer is None or self._timer.is_alive():
            self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Timer(_QUIET, self._started.go)
        self._timer.daemon = True
        self._timer.start()


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


def _watch(started: StartedCase, stream: CaseStream, state: State) -> State:
    told, patience = 0.0, monotonic() + _PATIENCE
    try:
        while stream.alive and not (told and stream.quiet and monotonic() > told + started.case.seconds):
            for event in stream.read(_TICK):
                apply(state, event)
            if not told and state.processes and started.told:
                told = monotonic()
            if monotonic() > patience:
                raise CaseError(f"{started.case.name}: its story was not told in {_PATIENCE:g} s:\n{started.log}")
    finally:
        for event in stream.finish():
            apply(state, event)
    return state
