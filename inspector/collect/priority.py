"""The collector steps back behind the programs of its machine: what has to be quick is in a helper (`reactor`)."""

import contextlib
import ctypes
import os
import threading
from typing import Final

from inspector.stream.syscall_numbers import number

_NICE: Final = 5
"""A third of the weight of a normal thread (sched(7)): where all processors are busy, the programs go on. At 10, a
ninth, records were lost on a busy machine, and with them answers."""
_IOPRIO_SET: Final = number("ioprio_set")
_WHO_PROCESS, _CLASS_BEST_EFFORT, _LAST_LEVEL, _CLASS_SHIFT = 1, 2, 7, 13
"""ioprio_set(2), linux/ioprio.h. The idle class may never get its turn."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def step_back() -> None:
    """For all threads of this process, and those that they start: processors are for others first.

    Threads that read files or write do not interrupt a program either (SCHED_BATCH, sched(7)); the main thread may: a
    process is to be looked at before it is over. The kernel lets a thread lower itself without any right; where a
    sandbox does not, it stays as it was.
    """
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread), max(_NICE, os.getpriority(os.PRIO_PROCESS, int(thread))))
            if int(thread) != threading.main_thread().native_id:
                os.sched_setscheduler(int(thread), os.SCHED_BATCH, os.sched_param(0))


def read_last() -> None:
    """For the calling thread: disks are for others, and for our own other threads, first."""
    _LIBC.syscall(_IOPRIO_SET, _WHO_PROCESS, 0, _CLASS_BEST_EFFORT << _CLASS_SHIFT | _LAST_LEVEL)
