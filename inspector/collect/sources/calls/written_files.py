"""Probes of a file go when it is written to: the kernel would run what it copied of the old code in the new."""

import threading
from collections.abc import Callable

from ...kernel.attach import close_all
from ...kernel.file_watch import FileWatch
from ...kernel.file_writes import FileWrites
from ..contract import Loop

Key = tuple[int, int]
"""Device and inode, as stat(2) gives them."""
Freed = Callable[[int, int], None]
Gone = Callable[[Key, list[FileWatch]], None]


class WrittenFiles:
    """Who copies a new library over the old one in place, and starts a program, has it run as it is."""

    def __init__(self, loop: Loop, freed: Freed | None, gone: Gone) -> None:
        """When the probes of a file are away `freed` is told at once, in a thread, and then `gone` in the loop."""
        self._loop, self._freed, self._gone = loop, freed, gone
        self._lock = threading.Lock()
        self._keys: dict[int, Key] = {}
        self._held: dict[Key, list[FileWatch]] = {}
        self._writes: FileWrites | None = None
        self._refused = False

    def hold(self, key: Key, path: bytes, watch: FileWatch) -> str:
        """Let these probes go at the first write to their file; why it cannot be, the first time."""
        try:
            with self._lock:
                self._writes = self._writes or FileWrites(self._written)
                self._keys[self._writes.follow(path)] = key
                self._held.setdefault(key, []).append(watch)
        except OSError as error:
            said, self._refused = self._refused, True
            return "" if said else str(error)
        return ""

    def close(self) -> None:
        """Let nothing go any more."""
        if self._writes is not None:
            self._writes.close()

    def _written(self, number: int) -> None:
        """In the thread that hears of it: a program may load the new file in a moment."""
        with self._lock:
            key = self._keys.pop(number, None)
            watches = self._held.pop(key, []) if key is not None else []
        if key is not None:
            close_all([link for watch in watches for link in watch.take_links()])
            if self._freed is not None:
                self._freed(*key)
            self._loop.soon(lambda: self._gone(key, watches))
