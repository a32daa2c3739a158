"""A state filled from a living collector or from a recording, for everything that has no screen."""

import signal
from collections.abc import Callable, Iterator
from time import monotonic, monotonic_ns
from types import FrameType

import msgspec

from inspector.model.fold import apply
from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.model.usage import uses
from inspector.stream.end_message import Ending
from inspector.stream.events import AnyEvent
from inspector.stream.live import LiveStream
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.recording import Recording
from inspector.stream.session import COLLECTOR_ENDED, LimitNoted, SessionStarted

_TICK = 0.2


class Observed(msgspec.Struct):
    """What was observed, and what went wrong with the observation itself."""

    state: State
    troubles: list[str] = msgspec.field(default_factory=list)
    cut_short: bool = False
    """The collector ended before the watching did: what came later was seen by nobody."""
    unreached: Ending | None = None
    """How a collector ended that sent no event: no connection, or no inspector on the other machine."""


def from_recording(path: str, profiles: Profiles) -> Observed:
    """Everything that a recording tells; raises RecordingError when it tells nothing."""
    recording = Recording(path)
    observed = Observed(State(profiles=profiles), recording.troubles)
    for event in recording:
        apply(observed.state, event)
    return observed


class Watch:
    """Watches a living collector for a while; Ctrl-C stops early and what is known by then stays."""

    def __init__(
        self,
        stream: LiveStream,
        profiles: Profiles,
        seconds: float | None,
        *,
        from_birth: bool = False,
        own_program: bool = False,
    ) -> None:
        """`seconds` count from the session's begin; of an own program from its first instruction, before which a busy
        machine may take its time; when `from_birth`, from the first process, and anew when all have ended and nothing
        came of them: clients of the same name come and go before a server. None: to its end."""
        self.stream = stream
        stream.forget_history()
        self.observed = Observed(State(profiles=profiles))
        self.interrupted = False
        self.since: float | None = None
        """monotonic() when the time began to count."""
        self._seconds = seconds
        self._from_birth, self._again = from_birth, False
        self._sign = ProcessExec if own_program else ProcessStarted if from_birth else SessionStarted
        self._begun = monotonic()

    def batches(self) -> Iterator[list[AnyEvent]]:
        """Events as they come, already applied; an empty batch when nothing came for a moment."""
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            while self.stream.ending is None and not self._over():
                yield self._apply(self.stream.read(_TICK))
            yield self._apply(self.stream.finish(self._why()))
        finally:
            signal.signal(signal.SIGINT, before)
            self.stream.close()
        ending = self.stream.ending
        if ending is None or ending.ok:
            return
        if not self.stream.begun:
            self.observed.unreached = ending
        elif self.observed.state.missing is None:
            self._cut_short(ending)

    def _cut_short(self, ending: Ending) -> None:
        """A limit like any other: it stands where people look for what they cannot rely on."""
        self.observed.cut_short = True
        self.observed.troubles.append(f"{ending.words}. {ending.help}".rstrip(". "))
        at = monotonic_ns()
        limit = LimitNoted(at=at, what=COLLECTOR_ENDED, why=ending.words, grant="")
        apply(self.observed.state, limit)

    def run(self, tell: Callable[["Watch"], None]) -> Observed:
        """Watch to the end; `tell` is called a few times a second, for a progress line."""
        for _ in self.batches():
            tell(self)
        return self.observed

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first Ctrl-C ends the watching in order; the second does not wait for that."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def _over(self) -> bool:
        """A collector that is stuck may never begin: then the time counts from our own begin."""
        if self.interrupted:
            return True
        if self.since is None and self.stream.waits_for:
            self.since = self._begun
        return self._seconds is not None and self.since is not None and monotonic() - self.since >= self._seconds

    def _why(self) -> str:
        """Why the watching ends, in words."""
        if self.interrupted or self._seconds is None:
            return "stopped by Ctrl-C"
        return f"its time was over: {self._seconds:g} s (--for)"

    def _apply(self, events: list[AnyEvent]) -> list[AnyEvent]:
        for event in events:
            if isinstance(event, self._sign) and (self.since is None or self._again):
                self.since, self._again = monotonic(), False
            apply(self.observed.state, event)
        if self._from_birth and any(isinstance(event, ProcessEnded) for event in events) and self._nothing_came_of_it():
            self.since, self._again = monotonic(), True
        return events

    def _nothing_came_of_it(self) -> bool:
        """All that began has ended, and none of it had anything to do with a GPU."""
        state = self.observed.state
        if any(not process.ended for process in state.processes):
            return False
        return not any(uses(state, process, state.profiles) for process in state.processes)
