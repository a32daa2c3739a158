"""When new events reach the screen: at once after a pause, in small steps between keys while many come."""

from collections.abc import Callable
from functools import partial
from math import inf
from time import perf_counter

from .session import Session

FOLD = 0.006
"""Seconds of folding events, or of computing the answer, before keys are handled."""
BREATH = 0.015
"""Seconds left for keys between two steps; the least time between two paints."""
PAINT = 0.1
PAINT_UNSEEN = 0.5
"""Seconds between two paints on the average, with and without the focus of the terminal."""
AT_ONCE = 3
"""Paints allowed in a row after a pause, so that what happens next is seen at once."""
DIAGNOSE = 0.5
"""Seconds between two answers at least; `SHARE` times as long as one takes, if that is more."""
SHARE = 20
QUIET = 0.3
"""Seconds without news after which a recording that is still being written is answered as far as it goes."""


class Scheduler:
    """Runs only while there is something to do: no event, no timer."""

    def __init__(
        self,
        session: Session,
        later: Callable[[float, Callable[[], None]], object],
        paint: Callable[[], None],
        seen: Callable[[], bool],
    ) -> None:
        """`later` calls back after some seconds, `paint` shows what is known, `seen` says whether somebody looks."""
        self._session, self._later, self._paint, self._seen = session, later, paint, seen
        self._dirty = True
        """What is painted is older than what is known."""
        self._stale = False
        """The answer is older than what is known."""
        self._folded = 0
        self._next = inf
        """When the next tick comes; infinite while there is nothing to do."""
        self._rested = 0.0
        """From when on the next bite is allowed."""
        self._free = 0.0
        """When the last paint that was made had been due, had all of them kept the average."""
        self._diagnosed = 0.0
        self._cost = 0.0
        self._quiet = 0.0
        """From when on a recording counts as read, if nothing more of it comes."""

    @property
    def shown(self) -> bool:
        """Whether all that is known, and the newest answer, is painted."""
        return not self._dirty

    def woken(self) -> None:
        """Events are waiting, the feed has ended, or time was moved."""
        self._dirty = True
        now = perf_counter()
        if now >= self._rested:
            self._tick(now)
        else:
            self._again(now, self._rested)

    def aged(self) -> None:
        """A second has passed in which something is still going on."""
        self._session.pass_time()
        self._stale = True
        self.woken()

    def _tick(self, now: float) -> None:
        """Fold a bite; then either paint or draw the answer, because a key may be waiting behind each."""
        self._next = inf
        session = self._session
        playing = session.play()
        more = session.advance(FOLD)
        if session.folded != self._folded:
            self._folded, self._dirty, self._stale = session.folded, True, True
            self._quiet = perf_counter() + QUIET
        now = perf_counter()
        if session.answers or (now >= self._paint_due and (self._dirty or playing)):
            self._show(now)
        elif self._stale and now >= self._answer_due:
            self._answer(FOLD)
        self._plan(more)

    def _plan(self, more: bool) -> None:
        """When to come back: soon while events wait, else when a paint or an answer is due."""
        now = perf_counter()
        self._rested = now + BREATH
        waits = not self._session.event_queue.rest()
        due = now if more or waits else inf
        if self._dirty or self._session.playing:
            due = min(due, self._paint_due)
        if self._stale:
            due = min(due, self._answer_due)
        if due < inf:
            self._again(now, max(due, self._rested))

    def _show(self, now: float) -> None:
        """Paint. What a recording means is drawn before, so that it is painted once."""
        if not self._session.live and self._stale and now >= self._answer_due:
            self._answer(inf)
        self._paint()
        self._free = max(self._free, now - (AT_ONCE - 1) * self._pace) + self._pace
        self._dirty = False

    def _answer(self, budget: float) -> None:
        """Draw the answer anew, or a part of it; what takes longer than the budget goes on in the next bite."""
        begin = perf_counter()
        session = self._session
        first = session.answer is None
        if not session.drawing:
            self._cost = 0.0
        self._dirty = session.diagnose(budget) or self._dirty
        self._diagnosed = perf_counter()
        self._cost += 0.0 if first else self._diagnosed - begin  # the first one also imports the rules
        self._stale = session.drawing

    @property
    def _answer_due(self) -> float:
        """A recording is answered when it is read: half of it tells another story."""
        due = 0.0 if self._session.drawing else self._diagnosed + max(DIAGNOSE, SHARE * self._cost)
        return max(due, self._quiet) if self._session.reading else due

    @property
    def _paint_due(self) -> float:
        return self._free

    @property
    def _pace(self) -> float:
        return PAINT if self._seen() else PAINT_UNSEEN

    def _again(self, now: float, due: float) -> None:
        """Tick at `due`, unless an earlier tick is planned; a later one is given up."""
        if due < self._next:
            self._next = due
            self._later(max(0.0, due - now), partial(self._fire, due))

    def _fire(self, due: float) -> None:
        if due == self._next:
            self._tick(perf_counter())
