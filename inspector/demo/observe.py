"""Cases under observation: a collector on the tree, which begins only when the collector is there."""

from pathlib import Path
from threading import Thread
from time import monotonic, sleep

from inspector.model.fold import apply
from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.stream.calls import FunctionsWatched, LookedUp
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import CandidateFound, ImageRead, LibraryMapped, LoadPredicted, SlotsRead
from inspector.stream.live import LiveStream
from inspector.stream.processes import ProcessExec
from inspector.stream.redact import Redactor
from inspector.stream.requests import Configure
from inspector.stream.transport import collector_command, target_words

from .case import Case
from .start import CaseError, StartedCase, start

_PATIENCE = 30.0
_TICK = 0.05
_QUIET = 0.5
"""Seconds without news after which everything about the files of a process is taken for read."""
_NEWS = (ProcessExec, LibraryMapped, ImageRead, CandidateFound, LoadPredicted, FunctionsWatched, SlotsRead, LookedUp)


class CaseStream(LiveStream):
    """A living collector on the tree of a case.

    The case begins when it is under observation, and comes to the GPU when its files have been read and are watched:
    what a case shows does not depend on how busy the machine is.
    """

    def __init__(self, started: StartedCase, profiles: Profiles) -> None:
        plan = profiles.plan()
        super().__init__(collector_command(target_words(str(started.pid))), lambda: Configure(plan=plan))
        self._started = started
        self._sonames = {soname for api in plan.apis for soname in api.sonames}
        self._functions = {function.name for api in plan.apis for function in api.functions}
        self._watched: set[str] = set()
        self._unwatched: set[str] = set()
        """Providers of an API that were read and are not counted yet."""
        self._told_at = 0.0
        Thread(target=self._hold, daemon=True).start()

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """As for any collector."""
        events = super().read(timeout)
        for event in events:
            if isinstance(event, ImageRead) and event.file not in self._watched and self._is_provider(event):
                self._unwatched.add(event.file)
            elif isinstance(event, FunctionsWatched):
                self._watched.update(function.file for function in event.functions)
                self._unwatched -= self._watched
        if any(isinstance(event, _NEWS) for event in events):
            self._heard()
        return events

    def _is_provider(self, image: ImageRead) -> bool:
        exported = {export.name for export in image.exports if export.visible}
        loadable = image.error is None and image.elf_class == 64
        return loadable and image.soname in self._sonames and not exported.isdisjoint(self._functions)

    @property
    def quiet(self) -> bool:
        """Nothing was heard of files and programs for a while, after something was."""
        return 0 < self._told_at <= monotonic() - _QUIET

    def _heard(self) -> None:
        if not self._told_at and not self._started.launch.late:
            self._started.release()
        self._told_at = monotonic()

    def _hold(self) -> None:
        patience = monotonic() + _PATIENCE / 2
        while self.alive and not (self.quiet and not self._unwatched) and monotonic() < patience:
            sleep(_TICK)
        if self.alive:
            self._started.go()


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
