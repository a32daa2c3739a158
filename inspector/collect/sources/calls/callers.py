"""Entries and results summed up by the calling library, from what the kernel counted by return address."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inspector.stream.calls import CallOutcome

from ...kernel.call_sums import Outcome
from ..libraries.addresses import Addresses
from .call_plans import signed

UNKNOWN = "?"
_MOST_RESULTS = 200
"""Different results of one function in one process: what has more returns no status."""
_PATIENCE = 10
"""So many looks a return address may wait for the mapping record of its library."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a call."""

    path: str
    own: bool
    """The library that was called itself."""


@dataclass(slots=True)
class _Sum:
    caller: Caller
    parts: dict[tuple[int, int], Outcome] = field(default_factory=dict)
    """By return address and raw result."""

    def event(self, pid: int, function: int, result: int) -> CallOutcome:
        parts = self.parts.values()
        return CallOutcome(
            pid=pid,
            function=function,
            caller=self.caller.path,
            own=self.caller.own,
            result=result,
            count=sum(part.count for part in parts),
            first=min(part.first for part in parts),
            last=max(part.last for part in parts),
        )


class CallerNames:
    """Who is at a return address."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._known: dict[tuple[int, int, str], Caller] = {}

    def name(self, pid: int, address: int, file: str, now: int) -> Caller | None:
        """Who is at a return address, seen from the called file; None when it is unknown (yet)."""
        key = (pid, address, file)
        known = self._known.get(key)
        if known is None:
            place = self._addresses.owner(pid, address, now)
            if place is None:
                return None
            known = self._known[key] = Caller(place.path, bool(file) and place.file == file)
        return known

    def forget(self, pid: int) -> None:
        """A process has a new program, or its number a new owner."""
        for key in [key for key in self._known if key[0] == pid]:
            del self._known[key]


class CallerSums:
    """Adds up what was counted for each calling library."""

    def __init__(self, names: CallerNames) -> None:
        self._names = names
        self._sums: dict[tuple[int, int, int, Caller], _Sum] = {}
        self._results: dict[tuple[int, int], int] = {}
        self._untold: list[Outcome] = []
        """Of functions whose file is not told yet."""
        self._waiting: list[tuple[Outcome, str, int]] = []

    def add(self, outcomes: Iterable[Outcome], file_of: Callable[[int], str | None], now: int) -> list[CallOutcome]:
        """New totals by return address: the totals by library that changed.

        `file_of` gives the identity of the file of a function, None when it is not to be told of yet.
        """
        changed: dict[tuple[int, int, int, Caller], _Sum] = {}
        waiting, self._waiting = self._waiting, []
        untold, self._untold = self._untold, []
        for outcome in [*untold, *outcomes]:
            file = file_of(outcome.function)
            if file is None:
                self._untold.append(outcome)
            else:
                waiting.append((outcome, file, 0))
        for outcome, file, looks in waiting:
            caller = self._names.name(outcome.pid, outcome.caller, file, now)
            if caller is None and looks < _PATIENCE:
                self._waiting.append((outcome, file, looks + 1))
                continue
            key = (outcome.pid, outcome.function, signed(outcome.result), caller or Caller(UNKNOWN, own=False))
            if key not in self._sums and not self._admit(key[:2]):
                continue
            total = changed[key] = self._sums.setdefault(key, _Sum(key[3]))
            total.parts[outcome.caller, outcome.result] = outcome
        return [total.event(*key[:3]) for key, total in changed.items()]

    def _admit(self, function: tuple[int, int]) -> bool:
        """Whether one more result of a process's function is told."""
        known = self._results.get(function, 0) + 1
        self._results[function] = known
        return known <= _MOST_RESULTS

    @property
    def waiting(self) -> bool:
        """Whether some return addresses are not named yet."""
        return bool(self._waiting)
