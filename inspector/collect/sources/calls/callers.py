"""Entries and results summed up by the calling library, from what the kernel counted by return address."""

from collections.abc import Callable, Iterable

import msgspec

from inspector.stream.calls import CallOutcome

from ...kernel.call_sums import Outcome
from ..libraries.addresses import Addresses
from .call_plans import signed

UNKNOWN = "?"
_MOST_RESULTS = 200
"""Different results of one function in one process: what has more returns no status."""
_PATIENCE = 10
"""So many looks a return address may wait for the mapping record of its library."""


class Caller(msgspec.Struct, frozen=True):
    """Who made a call."""

    path: str
    own: bool
    """The library that was called itself."""


class _Sum(msgspec.Struct):
    caller: Caller
    parts: dict[tuple[int, int], Outcome] = msgspec.field(default_factory=dict)
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
        self._known: dict[int, dict[tuple[int, str], Caller]] = {}
        """By process: who is at an address, seen from a file."""

    def name(self, pid: int, address: int, file: str, now: int) -> Caller | None:
        """Who is at a return address, seen from the called file; None when it is unknown (yet)."""
        known = self._known.get(pid, {}).get((address, file))
        if known is None:
            place = self._addresses.owner(pid, address, now)
            if place is None:
                return None
            known = Caller(place.path, bool(file) and place.file == file)
            self._known.setdefault(pid, {})[address, file] = known
        return known

    def forget(self, pid: int) -> None:
        """A process has a new program, or its number a new owner."""
        self._known.pop(pid, None)


class CallerSums:
    """Adds up what was counted for each calling library."""

    def __init__(self, names: CallerNames) -> None:
        self._names = names
        self._sums: dict[int, dict[tuple[int, int, Caller], _Sum]] = {}
        """By process: by function, result and caller."""
        self._results: dict[int, dict[int, int]] = {}
        """By process: how many results of a function were admitted."""
        self._untold: list[Outcome] = []
        """Of functions whose file is not told yet."""
        self._waiting: list[tuple[Outcome, str, int]] = []

    def add(self, outcomes: Iterable[Outcome], file_of: Callable[[int], str | None], now: int) -> list[CallOutcome]:
        """New totals by return address: the totals by library that changed.

        `file_of` gives the identity of the file of a function, None when it is not to be told of yet.
        """
        changed: dict[tuple[int, int, int, Caller], _Sum] = {}
        known: dict[tuple[int, int, Caller], _Sum]
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
            key = (outcome.function, signed(outcome.result), caller or Caller(UNKNOWN, own=False))
            known = self._sums.setdefault(outcome.pid, {})
            if key not in known and not self._admit(outcome.pid, outcome.function):
                continue
            total = known.setdefault(key, _Sum(key[2]))
            changed[outcome.pid, key[0], key[1], key[2]] = total
            total.parts[outcome.caller, outcome.result] = outcome
        return [total.event(*key[:3]) for key, total in changed.items()]

    def forget(self, pid: int) -> None:
        """A process ended long ago."""
        self._sums.pop(pid, None)
        self._results.pop(pid, None)

    def _admit(self, pid: int, function: int) -> bool:
        """Whether one more result of a process's function is told."""
        results = self._results.setdefault(pid, {})
        results[function] = results.get(function, 0) + 1
        return results[function] <= _MOST_RESULTS

    @property
    def waiting(self) -> bool:
        """Whether some return addresses are not named yet."""
        return bool(self._waiting)
