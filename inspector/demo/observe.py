"""Cases under observation: a collector on the tree, which begins only when the collector is there."""

from collections.abc import Callable
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
from inspector.stream.requests import Configure, Settle
from inspector.stream.session import Settled
from inspector.stream.transport import collector_command, target_words

from .case import Case
from .start import CaseError, StartedCase, start

_PATIENCE = 30.0
_TICK = 0.05
_QUIET = 0.5
"""Seconds without news after which everything about the files of a process is taken for read."""
_FIRST_ID = 1 << 40
"""Of our questions: a screen on the same stream numbers its own from 1 on."""
_NEWS = (ProcessExec, LibraryMapped, ImageRead, CandidateFound, LoadPredicted, FunctionsWatched, SlotsRead, LookedUp)


class CaseStream(LiveStream):
    """A living collector on the tree of a case.

    The case begins when it is under observation, and comes to the GPU when its files have been read and are watched:
    the collector itself says so, and what a case shows does not depend on how busy the machine is.
    """

    def __init__(self, started: StartedCase, profiles: Profiles) -> None:
        plan = profiles.plan()
        super().__init__(collector_command(target_words(str(started.pid))), lambda: Configure(plan=plan))
        self._started = started
        self._asked, self._answered = 0, 0
        self._told_at = 0.0
        Thread(target=self._lead, daemon=True).start()

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """As for any collector."""
        events = super().read(timeout)
        for event in events:
            if isinstance(event, Settled):
                self._answered = max(self._answered, event.id)
            elif isinstance(event, _NEWS):
                self._told_at = monotonic()
        return events

    @property
    def quiet(self) -> bool:
        """No event about files or programs has come for a while, after some had."""
        return 0 < self._told_at <= monotonic() - _QUIET

    def ask(self) -> int:
        """Ask whether all that is known by now was read and is counted; see `is_answered`."""
        self._asked += 1
        self.send(Settle(id=_FIRST_ID + self._asked))
        return self._asked

    def is_answered(self, question: int) -> bool:
        """Whether it is; also when nobody will answer any more."""
        return self._answered >= _FIRST_ID + question or not self.alive

    def _lead(self) -> None:
        """In a thread of its own: let the program begin, then let it come to the GPU."""
        patience = monotonic() + _PATIENCE / 2
        if not self._started.launch.late:
            self._settle(patience)
            self._started.release()
        settled = False
        while not settled and self.alive and monotonic() < patience:
            self._wait(lambda: self.quiet, patience)
            told_at = self._told_at
            self._settle(patience)
            settled = self._told_at == told_at
        if self.alive:
            self._started.go()

    def _settle(self, until: float) -> None:
        question = self.ask()
        self._wait(lambda: self.is_answered(question), until)

    def _wait(self, over: Callable[[], bool], until: float) -> None:
        while self.alive and not over() and monotonic() < until:
            sleep(_TICK)


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
    told, last, patience = 0.0, 0, monotonic() + _PATIENCE
    try:
        while stream.alive and not (last and stream.is_answered(last)):
            for event in stream.read(_TICK):
                apply(state, event)
            if not told and state.processes and started.told:
                told = monotonic()
            if not last and told and stream.quiet and monotonic() > told + started.case.seconds:
                last = stream.ask()
            if not told and monotonic() > patience:
                raise CaseError(f"{started.case.name}: its story was not told in {_PATIENCE:g} s:\n{started.log}")
            if monotonic() > patience + _PATIENCE:
                break
    finally:
        for event in stream.finish():
            apply(state, event)
    return state
