"""A recording played in its own time: speed, pause, step, seek; the caller owns the clock."""

import bisect
from collections.abc import Sequence

from msgspec import Struct

from .events import AnyEvent


class Playback(Struct):
    """Hands out the events of a recording when their moment has come.

    Times are ns on the recording's own clock. Events are played in the order of the file; one whose moment lies before
    its predecessor's is played together with it.
    """

    events: Sequence[AnyEvent]
    speed: float = 1.0
    paused: bool = False
    played: int = 0
    """How many events have been handed out."""
    now: int = 0
    """Where the player stands; between `begin` and `end`."""
    _moments: list[int] = []

    def __post_init__(self) -> None:
        """Prepare the moments; `now` starts at the first event."""
        latest = 0
        for event in self.events:
            latest = max(latest, event.at)
            self._moments.append(latest)
        self.now = max(self.now, self.begin)

    @property
    def begin(self) -> int:
        """Moment of the first event, 0 for an empty recording."""
        return self._moments[0] if self._moments else 0

    @property
    def end(self) -> int:
        """Moment of the last event, 0 for an empty recording."""
        return self._moments[-1] if self._moments else 0

    @property
    def finished(self) -> bool:
        """True when everything was handed out."""
        return self.played >= len(self.events)

    def advance(self, elapsed: int) -> Sequence[AnyEvent]:
        """Let `elapsed` ns of the watcher's time pass; returns what happened meanwhile (nothing while paused)."""
        if self.paused:
            return []
        self.now = min(self.end, self.now + round(elapsed * self.speed))
        return self._up_to(bisect.bisect_right(self._moments, self.now))

    def wait(self) -> int | None:
        """Ns of the watcher's time until the next event, None when paused or finished."""
        if self.paused or self.finished or self.speed <= 0:
            return None
        return max(0, round((self._moments[self.played] - self.now) / self.speed))

    def step(self) -> Sequence[AnyEvent]:
        """The next event and all that share its moment; pauses."""
        self.paused = True
        if self.finished:
            return []
        self.now = self._moments[self.played]
        return self._up_to(bisect.bisect_right(self._moments, self.now))

    def seek(self, at: int) -> tuple[bool, Sequence[AnyEvent]]:
        """Go to a moment; (False, events to add), or (True, events to build a fresh state from) when it lies behind."""
        at = min(max(at, self.begin), self.end)
        target = bisect.bisect_right(self._moments, at)
        self.now = at
        if target >= self.played:
            return False, self._up_to(target)
        self.played = 0
        return True, self._up_to(target)

    def _up_to(self, index: int) -> Sequence[AnyEvent]:
        due = self.events[self.played : index]
        self.played = max(self.played, index)
        return due
