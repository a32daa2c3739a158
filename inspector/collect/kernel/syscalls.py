"""Names of system calls in which a thread can wait."""

from inspector.stream.syscall_numbers import numbers

_NAMES = {number: name for name, number in numbers().items()}


def name_of(number: int) -> str:
    """The name, or `syscall N` for one that seldom waits."""
    return _NAMES.get(number, f"syscall {number}")
