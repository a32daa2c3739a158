"""Where and how soon a thread runs that has to react to a program (sched(7))."""

import contextlib
import ctypes
import os
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Final

from inspector.stream.syscall_numbers import number

from ..kernel.real_time import ordinary

PRIORITY: Final = 50
"""Of all threads of the helper: one that waits for Python's lock looks after it again and again, and would keep a
processor from whoever holds it at a lower priority (seen: for seconds, until the kernel stops real-time threads)."""
_SLICE_NS: Final = 100_000
"""The shortest that the kernel takes (sched_setattr(2), Linux 6.12). Who wakes with a shorter slice than the running
thread has runs at once (PREEMPT_SHORT, kernel/sched/features.h), which niceness alone does not bring about."""
_SLICES_SINCE: Final = (6, 12)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_SWITCH_SECONDS: Final = 5e-5
"""So long a thread waits before it asks the one that holds Python's lock to let it go, where Python has 5 ms: one that
reacts and waits leaves its processor to the program that it should be ahead of, which needs some 0.1 ms from the load
to the first call. Much shorter, and those that wait do nothing else on their processors."""
_PATIENT_SECONDS: Final = 1e-3
"""The same while a thread of ordinary priority may hold the lock: it needs a processor to get to where it lets go."""
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


def switch_quickly() -> None:
    """Have Python's lock change hands soon. All threads of this process that do not wait are to be real-time ones."""
    sys.setswitchinterval(_SWITCH_SECONDS)


@contextlib.contextmanager
def as_ordinary() -> Iterator[None]:
    """Let the calling thread be as any other for what takes long and nobody waits for."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_PATIENT_SECONDS)
    try:
        with ordinary(PRIORITY):
            yield
    finally:
        sys.setswitchinterval(before)
