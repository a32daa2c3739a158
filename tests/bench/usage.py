"""What processes cost: CPU time and memory of a program and all its descendants, from /proc."""

import time
from dataclasses import dataclass

import psutil


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; empty when it is gone."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """utime and stime of all of them so far."""
    total = 0.0
    for one in processes:
        try:
            times = one.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def resident_megabytes(processes: list[psutil.Process]) -> float:
    """Proportional set size of all of them, so that shared pages count once."""
    total = 0
    for one in processes:
        try:
            total += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


@dataclass
class CpuMeter:
    """CPU share since it was made."""

    processes: list[psutil.Process]

    def __post_init__(self) -> None:
        self._begin, self._used = time.monotonic(), cpu_seconds(self.processes)

    def percent(self) -> float:
        """Of one CPU."""
        passed = time.monotonic() - self._begin
        return 100 * (cpu_seconds(self.processes) - self._used) / passed
