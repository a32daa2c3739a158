"""Priority of a thread of ours while it holds a lock of the kernel for which programs wait."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

_PRIORITY: Final = 1
"""Of real-time threads the last: before all ordinary programs."""
_REAL_TIME: Final = (os.SCHED_FIFO, os.SCHED_RR)


@contextlib.contextmanager
def above_programs() -> Iterator[None]:
    """Run the calling thread before ordinary programs meanwhile, where that is permitted (sched(7)).

    Setting a uprobe or taking it away holds `dup_mmap_sem` (kernel/events/uprobes.c), for which each fork of the
    machine waits, and so do other probes. The kernel lends such a holder no priority: a thread that stands back would
    keep them waiting for as long as processors are busy.
    """
    policy = os.sched_getscheduler(0)
    if policy & ~os.SCHED_RESET_ON_FORK in _REAL_TIME:
        yield
        return
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        # Niceness is what it was. To take the flag back needs a right of its own, and it changes nothing for us.
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(0))
