"""Which functions cost too much to be counted: a pure decision on what was counted in the last moments."""

from collections.abc import Mapping

import msgspec

BURST_SECONDS = 1.0
"""So many seconds' worth of the budget may be spent at once: a start-up burst is not a hot loop."""


class Load(msgspec.Struct, frozen=True):
    """What one function cost since the last look."""

    calls: int
    cost: int
    """ns a call."""
    last: bool = False
    """To be detached only when all others are."""

    @property
    def spent(self) -> int:
        """ns of processor time that all calls together cost."""
        return self.calls * self.cost


class Budget:
    """A token bucket that fills at the allowed rate; when it is empty the costliest functions are detached."""

    def __init__(self, percent: float, burst: float = BURST_SECONDS) -> None:
        self._rate = percent / 100
        self._allowance = self._full = self._rate * burst * 1e9

    def judge(self, loads: Mapping[int, Load], elapsed: int) -> list[int]:
        """Functions to detach, costliest first, so that the rest costs less than the budget; `elapsed` in ns."""
        allowed = self._rate * elapsed
        spent = sum(load.spent for load in loads.values())
        self._allowance = min(self._full, self._allowance + allowed - spent)
        if self._allowance >= 0:
            return []
        going: list[int] = []
        for function in sorted(loads, key=lambda number: (loads[number].last, -loads[number].spent)):
            if spent <= allowed:
                break
            spent -= loads[function].spent
            going.append(function)
        self._allowance = 0.0
        return going
