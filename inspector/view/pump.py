"""How fast news reach the screen: folded in small bites between keys, painted at most ten times a second."""

from collections.abc import Callable
from time import perf_counter

from .session import Session

FOLD = 0.010
"""Seconds of folding between two keys."""
BREATH = 0.015
"""Seconds left to keys between two bites."""
PAINT = 0.1
PAINT_UNSEEN = 0.5
"""Seconds between two paints on the average, with and without the focus of the terminal."""
DIAGNOSE = 0.5
"""Seconds between two answers at least; `SHARE` times as long as one takes, if that is more."""
SHARE = 20


class Pump:
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
        self._waiting = False
        self._dirty = True
        """What is painted is older than what is known."""
        self._stale = False
        """The answer is older than what is known."""
        self._folded = 0
        self._free = 0.0
        """From when on a paint is allowed: after a rest a second one may follow the first at once."""
        self._diagnosed = 0.0
        self._cost = 0.0

    def woken(self) -> None:
        """Events are waiting, the feed has ended, or time was moved."""
        self._dirty = True
        if not self._waiting:
            self._tick()

    def _tick(self) -> None:
        self._waiting = False
        session = self._session
        playing = session.play()
        more = session.advance(FOLD)
        if session.folded != self._folded:
            self._folded, self._dirty, self._stale = session.folded, True, True
        now = perf_counter()
        if session.answers or (now >= self._due() and (self._dirty or self._stale or playing)):
            self._show(now)
        if more:
            self._again(BREATH)
        elif self._dirty or self._stale or session.playing:
            self._again(max(BREATH, min(self._pace, self._due() - now)))
        elif not session.inbox.rest():
            self._again(BREATH)

    def _show(self, now: float) -> None:
        """Live, news come first and what they mean in the next paint, because an answer takes longer than a paint."""
        live = self._session.live
        if not live:
            self._answer()
        self._paint()
        self._free = max(self._free, now - self._pace) + self._pace
        self._dirty = live and self._answer()

    def _answer(self) -> bool:
        """Draw the answer anew if that is due; True when it is another one."""
        begin = perf_counter()
        if begin < self._answer_due:
            return False
        changed = self._session.diagnose()
        self._diagnosed = perf_counter()
        self._cost = self._diagnosed - begin
        self._stale = False
        return changed

    @property
    def _answer_due(self) -> float:
        return self._diagnosed + max(DIAGNOSE, SHARE * self._cost)

    @property
    def _pace(self) -> float:
        return PAINT if self._seen() else PAINT_UNSEEN

    def _due(self) -> float:
        """When there is something to do again, on the clock of perf_counter."""
        if self._dirty or self._session.playing:
            return self._free
        return self._answer_due

    def _again(self, seconds: float) -> None:
        self._waiting = True
        self._later(seconds, self._tick)
