"""A lock that processes share since a fork, with all their threads (eventfd(2), EFD_SEMAPHORE)."""

import os
from types import TracebackType


class SharedLock:
    """Held by one thread of one process at a time; whoever dies with it keeps it."""

    def __init__(self) -> None:
        self._fd = os.eventfd(1, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)

    def __enter__(self) -> None:
        os.eventfd_read(self._fd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        """Close it here."""
        os.close(self._fd)
