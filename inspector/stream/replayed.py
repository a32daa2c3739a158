"""A recording as the screen reads it: the same shape as a living collector, from the past."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .base import Request
from .events import AnyEvent
from .recording import Recording

_BATCH = 2000


class RecordedStream:
    """The events of a recording in batches; requests have no effect, because nobody can answer them."""

    recorded = True

    def __init__(self, path: str) -> None:
        """`-` is stdin; the file is opened when it is iterated over, which raises RecordingError when it cannot be."""
        self.recording = Recording(path)
        self.alive = True
        self._closed = False

    @property
    def error(self) -> str:
        """What is wrong with the recording, in words; empty when nothing is."""
        return "; ".join(self.recording.troubles)

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        """Batches of events to the end of the file, or until `close`."""
        batch: list[AnyEvent] = []
        try:
            for event in self.recording:
                batch.append(event)
                if len(batch) >= _BATCH:
                    yield batch
                    batch = []
                if self._closed:
                    return
            if batch:
                yield batch
        finally:
            self.alive = False

    def send(self, request: Request) -> None:
        """Nobody answers in the past."""

    def record(self, path: Path) -> None:
        """Refuses: the recording is there already; OSError says where."""
        raise OSError(f"this is a recording already: {self.recording.path}")

    def close(self) -> None:
        """End it; an iterator in another thread ends with its next batch."""
        self._closed = True
