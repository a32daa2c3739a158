"""Sorting in steps of some milliseconds each, so that long lists block nothing."""

import time
from array import array
from collections.abc import Sequence
from operator import itemgetter
from typing import Generic, TypeVar

K = TypeVar("K")


class StepwiseSort(Generic[K]):
    """Merges runs that are in order, pairs of a key and a place; what is alike stays in the order of the runs."""

    def __init__(self, runs: list[list[tuple[K, int]]]) -> None:
        self._runs, self._left = runs, list[list[tuple[K, int]]]()
        self.places: Sequence[int] = ()
        """Once it is done."""
        self.merged = 0
        """Rows that are merged, in the pass that is under way."""

    def go_on(self, until: float) -> bool:
        """Merge until a moment of `time.monotonic`, two runs at least; True when all is one."""
        while self._runs:
            self._merge()
            if time.monotonic() >= until:
                break
        return not self._runs

    def _merge(self) -> None:
        """One step: neighbours are joined."""
        if len(self._runs) == 1 and not self._left:
            self.places = array("Q", map(itemgetter(1), self._runs.pop()))
            return
        merged = self._runs.pop(0)
        if self._runs:
            merged += self._runs.pop(0)
            merged.sort(key=itemgetter(0))  # two runs in order are merged in one pass
        self.merged += len(merged)
        self._left.append(merged)
        if not self._runs:
            self._runs, self._left, self.merged = self._left, [], 0
