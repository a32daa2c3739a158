"""Real-time priority for a thread that has to run before the program that it reacts to (sched(7))."""

import contextlib
import os
import threading

_FIRST = -20
"""The lowest niceness."""


def real_time(priority: int) -> str:
    """Make the calling thread SCHED_FIFO; why it cannot be, where the user has not the right, else nothing.

    Where it is refused (containers, a control group without real-time share) it goes before others as far as it may.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _FIRST)
        return os.strerror(error.errno or 0).lower()
    return ""


def pin(processor: int) -> bool:
    """Keep the calling thread on one processor; False where it may not be there."""
    try:
        os.sched_setaffinity(0, {processor})
    except OSError:
        return False
    return True
