"""Calls summed up in the kernel by process, function, caller and result: what changed since the last look."""

import time
from collections.abc import Mapping

import msgspec

from .bpf import Map
from .call_maps import OUTCOME, OUTCOME_KEY
from .call_programs import TIMED_CALLS
from .membership import SHARED_SLOT


class Outcome(msgspec.Struct, frozen=True):
    """Calls of one function in one process from one place with one result so far."""

    pid: int
    function: int
    caller: int
    """Return address."""
    result: int
    """0 where entries are summed up."""
    count: int
    first: int
    last: int


class CallSums:
    """One map of sums; rows of processes that ended are told a last time."""

    def __init__(self, sums: Map) -> None:
        self._sums = sums
        self._told: dict[bytes, int] = {}
        self._finals: list[Outcome] = []

    def changed(self, pids: Mapping[int, int]) -> list[Outcome]:
        """Rows that changed since the last call; `pids` tells the process of each slot."""
        changed, self._finals = self._finals, []
        for key, value in self._sums.items():
            slot, function, caller, result = OUTCOME_KEY.unpack(key)
            count, first, last = _unpack(value)
            if self._told.get(key) != count and slot in pids and slot != SHARED_SLOT:
                self._told[key] = count
                changed.append(Outcome(pids[slot], function, caller, result, count, first, last))
        return changed

    def settle(self, gone: Mapping[int, int | None]) -> None:
        """Processes are gone (by slot): keep the last rows of ours until the next `changed`, and clear their slots."""
        for key, value in self._sums.items():
            slot, function, caller, result = OUTCOME_KEY.unpack(key)
            if slot not in gone:
                continue
            pid = gone[slot]
            count, first, last = _unpack(value)
            if self._told.pop(key, None) != count and pid is not None:
                self._finals.append(Outcome(pid, function, caller, result, count, first, last))
            self._sums.delete(key)


def _unpack(value: bytes) -> tuple[int, int, int]:
    count, first, last = OUTCOME.unpack(value)
    return count, first, last if count <= TIMED_CALLS else time.monotonic_ns()
