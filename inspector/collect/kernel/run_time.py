"""How long threads ran, and how long they waited for a processor (Documentation/scheduler/sched-stats.rst)."""

import os
from collections.abc import Iterable, Mapping

import msgspec

from . import procfs

_MOST_THREADS = 64
"""That are looked at: it takes 20 us each."""


class RunTime(msgspec.Struct, frozen=True):
    """Of one thread, ns since it began."""

    ran: int
    waited: int
    """For a processor, as of the last time that it got one."""
    wants: bool
    """It runs or waits for a processor now."""


def run_times(pids: Iterable[int]) -> dict[int, RunTime]:
    """Of the threads of these processes, the first 64; what cannot be read is left out."""
    found: dict[int, RunTime] = {}
    for pid in pids:
        if len(found) >= _MOST_THREADS:
            break
        try:
            threads = [int(name) for name in os.listdir(procfs.path_of(pid, "task"))]
        except OSError:
            continue
        for thread in threads[: _MOST_THREADS - len(found)]:
            try:
                spent = procfs.read(pid, f"task/{thread}/schedstat").split()
                state = procfs.read(pid, f"task/{thread}/stat").rpartition(b") ")[2][:1]
            except OSError:
                continue
            if len(spent) == 3:  # else the kernel keeps no such times (CONFIG_SCHED_INFO)
                found[thread] = RunTime(int(spent[0]), int(spent[1]), state == b"R")
    return found


def has_not_run(before: Mapping[int, RunTime], now: Mapping[int, RunTime], ns: int) -> bool:
    """Whether a thread that wants to run has run for less than so long since."""
    return any(after.wants and after.ran - before[thread].ran < ns for thread, after in now.items() if thread in before)


def kept_waiting(before: Mapping[int, RunTime], now: Mapping[int, RunTime], ns: int) -> int:
    """For how long of the last `ns` one thread wanted to run and got no processor: the longest of all."""
    return max((_waited(before[thread], after, ns) for thread, after in now.items() if thread in before), default=0)


def _waited(before: RunTime, after: RunTime, ns: int) -> int:
    ran = after.ran - before.ran
    if after.wants and ran == 0:
        return ns  # of a wait that goes on nothing is added yet
    return min(after.waited - before.waited, ns - min(ran, ns))
