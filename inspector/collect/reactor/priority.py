"""Where and how soon an ordinary thread runs that has to react to a program (sched(7))."""

import ctypes
import os
import struct
import threading
from typing import Final

from inspector.stream.syscall_numbers import number

_SLICE_NS: Final = 100_000
"""The shortest that the kernel takes (sched_setattr(2), Linux 6.12). Who wakes with a shorter slice than the running
thread has runs at once (PREEMPT_SHORT, kernel/sched/features.h), which niceness alone does not bring about."""
_SLICES_SINCE: Final = (6, 12)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def short_slice() -> bool:
    """Have an ordinary thread run as soon as it wakes, before ordinary threads; False where the kernel cannot."""
    release = os.uname().release.split("-")[0].split(".")
    if tuple(int(part) for part in release[:2] if part.isdigit()) < _SLICES_SINCE:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, _SLICE_NS, 0, 0)
    return int(_LIBC.syscall(number("sched_setattr"), 0, attributes, 0)) == 0


def pin(processor: int) -> bool:
    """Keep the calling thread on one processor; False where it may not be there."""
    try:
        os.sched_setaffinity(0, {processor})
    except OSError:
        return False
    return True
