"""Reading what may be gone in the middle: a process ends, a file goes, a table is cut."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(read: Callable[[], T], otherwise: T) -> T:
    """What `read` gives, or `otherwise` when the process is gone or refuses, or what it gives is no such data."""
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return otherwise
