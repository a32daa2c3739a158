"""What happens in single directories, told by the kernel (inotify(7)) through watchdog, in a thread of its own."""

import logging
import os
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]

logging.getLogger("watchdog").addHandler(logging.NullHandler())  # stderr is for words to people

Following = ObservedWatch
"""One directory that is followed."""


class Inotify:
    """Follows directories, not what lies below them."""

    def __init__(self) -> None:
        self._observer = Observer()
        self._observer.start()

    def follow(self, directory: str, heard: Callable[[str], None]) -> Following:
        """Call `heard` with each path that something happens to, in a thread; OSError when a limit is reached."""
        return self._observer.schedule(_Handler(heard), directory, recursive=False, event_filter=_EVENTS)

    def unwatch(self, directory: Following) -> None:
        """Follow it no more."""
        self._observer.unschedule(directory)

    def close(self) -> None:
        """End all threads."""
        self._observer.stop()


class _Handler(FileSystemEventHandler):
    """Hands watchdog's events on; runs in its thread."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Both names of a rename count."""
        for path in (event.src_path, event.dest_path):
            if path:
                self._heard(os.fsdecode(path))
