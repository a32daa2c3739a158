"""How often something that costs may be done: a token bucket."""

import time
from collections.abc import Callable


class RateLimit:
    """Grants `per_second` on the average and `at_once` after a rest; `clock` in seconds."""

    def __init__(self, per_second: float, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most = per_second, at_once
        self._left = float(at_once)
        self._clock = clock
        self._last = clock()

    def grant(self, count: int = 1) -> bool:
        """May so many be done now?"""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._last) * self._rate)
        self._last = now
        if count > self._left:
            return False
        self._left -= count
        return True
