"""One observation on the screen: folds events in small steps, computes the answer, moves in time."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from itertools import count
from time import monotonic_ns, perf_counter

from inspector.model.profiles import Profiles, builtin_profiles
from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.base import Event, Request
from inspector.stream.events import AnyEvent
from inspector.stream.playback import Playback
from inspector.stream.requests import LineFound, LogPage, SymbolPage
from inspector.stream.session import RequestFailed

from .feed import EventQueue, Feed
from .pane_context import PaneContext, Scope

BITE = 64
"""Events folded between two looks at the clock."""
PATIENCE = 200_000
"""Events that wait while the screen is paused; beyond, the pause ends by itself."""
ANSWERS = (SymbolPage, LogPage, LineFound, RequestFailed)


Drawing = Generator[None, None, Answer]
"""An answer that is computed in steps; keys are handled between them."""


def draw(state: State, profiles: Profiles) -> Drawing:
    """The model's answer; its rules are imported when they are first asked, after the first paint."""
    from inspector.model import diagnosis

    yield
    return (yield from diagnosis.draw(state, profiles))


def _import_rules() -> None:
    from inspector.model import diagnosis, fold  # noqa: F401


class Session:
    """State, answer, pause and place in time of one feed."""

    def __init__(self, feed: Feed, wake: Callable[[], object], profiles: Profiles | None = None) -> None:
        self.feed = feed
        self.wake = wake
        """Says that there is something to do."""
        self.event_queue = EventQueue(feed, wake)
        self.waits_for = ""
        """The name of the target that has yet to begin (`--wait`)."""
        self.started = ""
        """The name of the program that we started (`run`): it ends with its observation."""
        self._profiles = profiles or builtin_profiles()
        self.state = State(profiles=self._profiles)
        self.answer: Answer | None = None
        self.scope = Scope()
        self.paused = False
        self.folded = 0
        """Events that the state knows of, counted on when time is moved."""
        self.playback: Playback | None = None
        """Set once a recording is read to its end: from then on time can be moved."""
        self.answers: deque[Event] = deque()
        """Answers to requests that no pane has taken yet."""
        self.trouble = ""
        """Why there is no newer answer, in words for the user."""
        self._todo: deque[AnyEvent] = deque()
        self._recording: list[AnyEvent] = []
        self._numbers = count(1)
        self._generation = 0
        self._verdicts = 0
        self._diagnosed: object = None
        self._drawing: Drawing | None = None
        self._heard = monotonic_ns()
        self._played_at = 0

    def start(self) -> None:
        """Begin to read."""
        self.event_queue.start()

    def learn_rules(self) -> None:
        """Import the rules in a thread of its own, so that the first rows do not wait for them."""
        threading.Thread(target=_import_rules, name="rules", daemon=True).start()

    # What is known

    @property
    def live(self) -> bool:
        """A collector answers requests."""
        return not self.feed.recorded and self.feed.alive

    @property
    def reading(self) -> bool:
        """A recording is not read to its end."""
        return self.feed.recorded and self.playback is None

    @property
    def ends_with_us(self) -> str:
        """The program that ends when its observation does; empty when there is none, or it has ended."""
        running = self.live and not all(one.ended for one in self.state.processes[:1])
        return self.started if running or not self.state.processes else ""

    @property
    def now(self) -> int:
        """The present on the target's clock: the newest event, and the time that has passed since it came."""
        if self.playback is not None:
            return self.playback.now
        if not self.live or self.paused:
            return self.state.now
        return self.state.now + monotonic_ns() - self._heard

    @property
    def present(self) -> int:
        """As `now`, also when no more events can come: what is over grows older."""
        return self.now if self.live or self.feed.recorded else self.state.now + monotonic_ns() - self._heard

    @property
    def waiting(self) -> int:
        """Events that have come and are not shown."""
        return len(self._todo)

    def context(self) -> PaneContext:
        """What panes are given to look at."""
        return PaneContext(self.state, self.answer, self.scope, self._generation, self._verdicts, self.now, self.live,
                           self.waits_for)  # fmt: skip

    def ask(self, make: Callable[[int], Request]) -> int:
        """Send the request that `make` builds for a fresh id; returns the id."""
        number = next(self._numbers)
        self.feed.send(make(number))
        return number

    # Events

    def advance(self, budget: float) -> bool:
        """Fold events for `budget` seconds; True while more are waiting to be folded."""
        end = perf_counter() + budget
        self._collect()
        if self.paused and len(self._todo) > PATIENCE:
            self.paused = False
        while self._todo and not self.paused and not self.drawing:
            for _ in range(min(BITE, len(self._todo))):
                self._fold(self._todo.popleft())
            if perf_counter() >= end:
                break
            self._collect()
        if self.reading and self.event_queue.ended and not self._todo:
            self._collect()  # the last events may have come since
            if not self._todo:
                self._finish_reading()
        return bool(self._todo) and not self.paused

    def _collect(self) -> None:
        batch = self.event_queue.take(20_000)
        if batch:
            self._heard = monotonic_ns()
            self._todo.extend(batch)

    def _fold(self, event: AnyEvent) -> None:
        from inspector.model.fold import apply  # when the first event has come, which is after the first paint

        self.folded += 1
        apply(self.state, event)
        if isinstance(event, ANSWERS):
            self.answers.append(event)
        if self.feed.recorded and self.playback is None:
            self._recording.append(event)

    def pass_time(self) -> None:
        """Time itself is news while a call is open: how long it has lasted is part of the answer."""
        if self.live and not self.paused and not self.drawing:
            self.state.now, self._heard = self.now, monotonic_ns()
            self._diagnosed = None

    @property
    def drawing(self) -> bool:
        """Whether an answer is being computed; until it is done no event is folded."""
        return self._drawing is not None

    def diagnose(self, budget: float) -> bool:
        """Compute the answer if anything has changed, or go on with it; True when it is done and differs.

        What takes longer than `budget` seconds goes on in the next call.
        """
        if self._drawing is None and not self._begin_drawing():
            return False
        end = perf_counter() + budget
        try:
            while self._drawing is not None and perf_counter() < end:
                next(self._drawing)
        except StopIteration as done:
            self._drawing, self.trouble = None, ""
            return self._answered(done.value)
        except Exception as error:  # a faulty rule must not take the screen away from the person
            self._drawing = None
            self.trouble = f"the diagnosis failed: {type(error).__name__}: {error}"
            return True
        return False

    def _begin_drawing(self) -> bool:
        seen = (self._generation, sum(self.state.revisions.values()), len(self.state.limits))
        if seen == self._diagnosed or not self.state.revisions:
            return False
        self._diagnosed, self._drawing = seen, draw(self.state, self.state.profiles)
        return True

    def _answered(self, answer: Answer) -> bool:
        if answer == self.answer:
            return False
        self.answer = answer
        self._verdicts += 1
        return True

    # Time

    def _finish_reading(self) -> None:
        events, self._recording = self._recording, []
        self.playback = Playback(events, paused=True)
        self.playback.seek(self.playback.end)

    @property
    def playing(self) -> bool:
        """A recording is running in its own time."""
        return self.playback is not None and not self.playback.paused

    def play(self) -> bool:
        """Advance the recording by the time that has passed; True when something happened in it."""
        now = monotonic_ns()
        elapsed, self._played_at = now - self._played_at, now
        if self.playback is None or not self.playing:
            return False
        due = self.playback.advance(elapsed)
        self._todo.extend(due)
        if self.playback.finished:
            self.playback.paused = True
        return True

    def toggle_pause(self) -> None:
        """Hold the screen still; what comes meanwhile waits. A recording stops or runs, from the start at its end."""
        self.wake()
        if self.playback is None:
            self.paused = not self.paused
            return
        if self.playback.paused and self.playback.finished:
            self.seek(self.playback.begin)
        self._played_at = monotonic_ns()
        self.playback.paused = not self.playback.paused

    def step(self, direction: int) -> None:
        """One moment of the recording forwards or backwards."""
        playback = self.playback
        if playback is None:
            return
        self.wake()
        if direction > 0:
            self._todo.extend(playback.step())
            return
        playback.paused = True
        place = playback.played - 1
        while place > 0 and playback.events[place].at >= playback.now:
            place -= 1
        self.seek(playback.events[max(0, place)].at if playback.events else 0)

    def seek(self, at: int) -> None:
        """Show the recording as it was at a moment."""
        if self.playback is None:
            return
        self.wake()
        anew, events = self.playback.seek(at)
        if anew:
            self._begin_anew(events)
        else:
            self._todo.extend(events)

    def _begin_anew(self, events: Sequence[AnyEvent]) -> None:
        self.state, self.answer, self._drawing = State(profiles=self._profiles), None, None
        self._todo = deque(events)
        self._generation += 1

    def close(self) -> None:
        """Stop reading; the feed itself is closed by whoever opened it."""
        self.event_queue.close()
