"""What is kept of a living stream: its lines so far, for a recording that begins later, and the file being written."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from .codec import decode, encode
from .events import AnyEvent
from .history import History
from .recording import RecordingWriter

if TYPE_CHECKING:
    from .redact import Redactor


class LiveRecording:
    """The history of one stream and the recording of it; whoever calls holds the stream's lock."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        """`failed` is told in words why a recording ended before its time; the stream goes on without it."""
        self._failed = failed
        self._history: History | None = History()
        """None: nobody will begin to record later."""
        self._writer: RecordingWriter | None = None
        self._redactor: Redactor | None = None

    @property
    def path(self) -> str | None:
        """Where it is recorded to now."""
        return self._writer.path if self._writer else None

    def begin(self, path: str, redactor: "Redactor | None") -> None:
        """Write everything kept so far and everything to come; RecordingError when the file must not be written."""
        self._writer, self._redactor = RecordingWriter(path), redactor
        for line in self._history.lines() if self._history is not None else ():
            self._write(line)

    def keep(self, line: bytes, event: AnyEvent) -> None:
        """Keep an event for later, and write it where a recording is under way."""
        if self._history is not None:
            self._history.keep(line, event)
        self._write(line)

    def forget(self) -> None:
        """Keep nothing for a recording that begins later."""
        self._history = None

    def end(self, last: AnyEvent | None) -> None:
        """Finish the file, with a `last` event in it, if any."""
        if last is not None:
            self._write(encode(last))
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OSError as error:
                self._give_up(writer, error)

    def _write(self, line: bytes) -> None:
        if self._writer is None:
            return
        if self._redactor is not None and (event := decode(line)) is not None:
            line = encode(self._redactor.event(event))
        try:
            self._writer.write(line)
        except OSError as error:
            writer, self._writer = self._writer, None
            with suppress(OSError):
                writer.close()
            self._give_up(writer, error)

    def _give_up(self, writer: RecordingWriter, error: OSError) -> None:
        """A full disk ends the recording, not the watching; a reader of stdout that went away ends both."""
        if writer.path == "-":
            raise error
        why = (error.strerror or str(error)).lower()
        self._failed(f"{writer.path} can no longer be written: {why}; what it holds can be read")
