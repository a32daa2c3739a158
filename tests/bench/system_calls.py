"""What observing a program costs its own system calls and those of a stranger, beside nobody observing, in one run."""

import subprocess
import time
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path

from inspector.stream.syscalls import SystemCallsWatched
from tests.collect.collector import Collector

from .figures import Figure, Measurement
from .targets import made

_NAMES = ("getppid", "open and close", "an open that fails")
_TRIES, _PAUSE_SECONDS = 8, 0.05
_RATIO = 1.02
"""Of every program where the kernel has fexit or kprobes, and everywhere once nothing starts or loads any more."""


@dataclass(frozen=True)
class _Costs:
    """ns of each of _NAMES, in that order."""

    values: tuple[float, ...]

    def best(self, other: "_Costs") -> "_Costs":
        return _Costs(tuple(map(min, self.values, other.values)))


class _Caller:
    """A process that measures its own system calls when it is asked to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> "_Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def measure(self) -> _Costs:
        """The best of some tries: other observers on this machine would be measured too."""
        assert self._process.stdin is not None and self._process.stdout is not None
        costs: list[_Costs] = []
        for _ in range(_TRIES):
            self._process.stdin.write("\n")
            costs.append(_Costs(tuple(map(float, self._process.stdout.readline().split()))))
            time.sleep(_PAUSE_SECONDS)
        return reduce(_Costs.best, costs)


@cache
def _program() -> Path:
    return made("system_calls.c")


def cost_of_system_calls() -> list[Figure]:
    """Of a stranger and of the target: while it may be starting, and when it is settled."""
    with _Caller() as target, _Caller() as stranger:
        alone = stranger.measure().best(target.measure())
        with Collector(str(target.pid)) as collector:
            means = collector.wait(SystemCallsWatched, lambda event: event.on).means
            starting, own_starting = stranger.measure(), target.measure()
            settled_by = collector.wait(SystemCallsWatched, lambda event: not event.on or event.means != "tracepoint")
            settled, own_settled = stranger.measure(), target.measure()
        alone = alone.best(stranger.measure())
    rows = {
        f"a stranger is observed, which starts ({means})": starting,
        f"the caller is observed, and starts ({means})": own_starting,
        f"a stranger is observed ({settled_by.means})": settled,
        f"the caller is observed ({settled_by.means})": own_settled,
    }
    return [
        Figure(what=f"{name}: {when}", ours=costs.values[place], unit="ns", peer="alone",
               peer_value=alone.values[place], ratio_budget=_RATIO if place == 0 and "starts" not in when else None)
        for place, name in enumerate(_NAMES)
        for when, costs in rows.items()
    ]  # fmt: skip


MEASUREMENTS = [Measurement("system-calls", cost_of_system_calls)]
