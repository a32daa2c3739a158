"""How long something takes, on a machine where others run too: medians of several runs."""

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def milliseconds(action: Callable[[], object], runs: int = 5) -> float:
    """Median time of a callable."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def command_milliseconds(argv: Sequence[str | Path], runs: int = 9) -> float:
    """Median wall time of a whole process, its output thrown away."""

    def run() -> None:
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return milliseconds(run, runs)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of all values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
