"""Whether a call that was entered and not seen to return is really still open: an exception leaves no trace here."""

import struct
from pathlib import Path
from typing import Final

from .frames import Frame, is_open
from .memory import Memory
from .registers import ADDRESS_MASK, HERE

_NEAR: Final = 512
"""Bytes of the stack in which the innermost frame record lies."""
_FAR: Final = 1 << 20
_DEEPEST: Final = 256 << 10


def seems_open(frame: Frame, certain: bool) -> bool:
    """Asked of a living thread. `certain`: its return would have been seen; else its stack must show it."""
    stack_pointer = _stack_pointer(frame.pid, frame.tid)
    try:
        with Memory(frame.pid) as memory:
            at_return = memory.word(frame.stack_pointer)
            if HERE.link is not None and stack_pointer is not None and was_left(memory, frame, stack_pointer):
                return False
    except PermissionError:
        return certain  # not ours to read: what the kernel noted has to do
    except OSError:
        return False  # the process is ending, or that stack is gone
    if stack_pointer is None:
        return certain and at_return == frame.caller
    deeper = stack_pointer < frame.stack_pointer
    return (certain or deeper) and is_open(frame, stack_pointer, at_return)


def was_left(memory: Memory, frame: Frame, stack_pointer: int) -> bool:
    """Whether the thread is in functions that its caller has called since then; False where that is not known.

    A function that calls others saves its return address below the stack pointer at its entry, and nearly all do it in
    frame records, each of which leads to the one of its caller (AAPCS64, section 6.4.6). So the call was left when
    these lead past its place, and its return address is nowhere.
    """
    end = frame.stack_pointer
    if not 0 < end - stack_pointer <= _DEEPEST:
        return False
    words = struct.unpack(f"<{(end - stack_pointer) // 8}Q", memory.read(stack_pointer, (end - stack_pointer) // 8 * 8))
    if any(word & ADDRESS_MASK == frame.caller for word in words):
        return False
    near = range(stack_pointer, min(end, stack_pointer + _NEAR), 8)
    place = next((at for at in near if _is_record(memory, at)), end)
    while stack_pointer <= place < end:
        older = memory.word(place)
        if older >= end:
            return True
        place = older if older > place else end
    return False


def _is_record(memory: Memory, place: int) -> bool:
    older, back = memory.word(place), memory.word(place + 8) & ADDRESS_MASK
    return place < older < place + _FAR and not older % 16 and back > _FAR and abs(back - place) > _FAR


def _stack_pointer(pid: int, tid: int) -> int | None:
    """Of a thread that waits in the kernel; None while it runs (proc_pid_syscall(5))."""
    try:
        words = Path(f"/proc/{pid}/task/{tid}/syscall").read_text().split()
        return int(words[-2], 16) if len(words) > 2 else None
    except (OSError, ValueError):
        return None
