"""Whether a call that was entered and not seen to return is really still open: an exception leaves no trace here."""

from pathlib import Path

from .frames import Frame, is_open
from .memory import Memory


def seems_open(frame: Frame, certain: bool) -> bool:
    """Asked of a living thread. `certain`: its return would have been seen; else its stack must show it."""
    try:
        with Memory(frame.pid) as memory:
            at_return = memory.word(frame.stack_pointer)
    except OSError:
        return certain  # not ours to read: what the kernel noted has to do
    stack_pointer = _stack_pointer(frame.pid, frame.tid)
    if stack_pointer is None:
        return certain and at_return == frame.caller
    deeper = stack_pointer < frame.stack_pointer
    return (certain or deeper) and is_open(frame, stack_pointer, at_return)


def _stack_pointer(pid: int, tid: int) -> int | None:
    """Of a thread that waits in the kernel; None while it runs (proc_pid_syscall(5))."""
    try:
        words = Path(f"/proc/{pid}/task/{tid}/syscall").read_text().split()
        return int(words[-2], 16) if len(words) > 2 else None
    except (OSError, ValueError):
        return None
