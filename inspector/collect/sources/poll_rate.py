"""How often sources look: only while something is under way, and at a bounded number of processes at once."""

from collections.abc import Callable
from typing import Generic, TypeVar

from .contract import Loop

T = TypeVar("T")
PROCESSES_AT_ONCE = 48
"""Processes that one look takes in: a large tree costs no more than a small one, and is told a little later."""


class Ticker:
    """A timer that stops while there is nothing to wait for."""

    def __init__(self, loop: Loop, seconds: float, tick: Callable[[], bool]) -> None:
        """`tick` says whether there is more to wait for."""
        self._loop = loop
        self._seconds = seconds
        self._tick = tick
        self._going = False

    def wake(self) -> None:
        """There is something to wait for: tick until there is not."""
        if not self._going:
            self._going = True
            self._loop.after(self._seconds, self._run)

    def _run(self) -> None:
        self._going = False
        try:
            more = self._tick()
        except Exception:
            self.wake()
            raise
        if more:
            self.wake()


class Rounds(Generic[T]):
    """Goes round what is there, some at each look."""

    def __init__(self, there: Callable[[], list[T]], most: int = PROCESSES_AT_ONCE) -> None:
        self._there = there
        self._most = most
        self._next = 0

    def next(self) -> list[T]:
        """All, or of many those whose turn it is."""
        there = self._there()
        if len(there) <= self._most:
            return there
        start = self._next % len(there)
        self._next = start + self._most
        return (there[start:] + there[:start])[: self._most]
