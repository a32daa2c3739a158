"""Textual's terminal driver with prompt keys and back-pressure; it and output.py alone use Textual's private API."""

import os
import select
import signal
import sys
from codecs import getincrementaldecoder
from contextlib import suppress
from threading import Event
from typing import IO, Any

from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

SWITCH = 0.001
"""Seconds that a thread with a key or with bytes for the terminal waits for Python at most (5 ms otherwise)."""


class PendingOutput:
    """The terminal's output file; knows how much the terminal has not accepted yet."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.given = self.taken = 0
        self._unflushed = 0

    def write(self, text: str) -> int:
        """Runs in the writer's thread. Errors of a terminal that is gone are ignored: `_read_keys` notices its end."""
        self._unflushed += len(text)
        with suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Runs in the writer's thread; returns when the terminal has taken it all."""
        with suppress(OSError):
            self._file.flush()
        self.taken += self._unflushed
        self._unflushed = 0

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    @property
    def busy(self) -> bool:
        """The terminal has not taken everything yet."""
        return self.taken < self.given


class PollableEvent(Event):
    """An event that a thread can wait for beside descriptors: it is readable while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._read_end, self._write_end = os.pipe()

    def fileno(self) -> int:
        return self._read_end

    def set(self) -> None:
        super().set()
        os.write(self._write_end, b"\n")

    def clear(self) -> None:
        super().clear()
        while select.select([self._read_end], [], [], 0)[0]:
            os.read(self._read_end, 64)


class BackpressureDriver(LinuxDriver):
    """Tells whether the terminal keeps up, and sleeps until a key comes; Textual's own polls ten times a second."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        assert self._file is not None, "a caller asks can_run_screen first"
        self.pending_output = PendingOutput(self._file)
        self._file = self.pending_output  # type: ignore[assignment]
        self.exit_event = self._stop_event = PollableEvent()
        sys.setswitchinterval(SWITCH)

    def write(self, data: str) -> None:
        self.pending_output.given += len(data)
        super().write(data)

    def run_input_thread(self) -> None:
        """Read keys until the driver is stopped; a lone ESC is one when nothing follows it within ESCDELAY."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            due = parser._timeout_time
            wait = None if due is None else max(0.0, due - get_time())
            if self.fileno in select.select([self.fileno, self._stop_event.fileno()], [], [], wait)[0]:
                keys = self._read_keys()
                if keys is None:
                    continue
                if not keys:  # it hung up; the kernel tells only those whose controlling terminal it is
                    os.kill(os.getpid(), signal.SIGHUP)
                    return
                text = decode(keys)
                for event in parser.feed(text) if text else ():
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _read_keys(self) -> bytes | None:
        """What the terminal has; empty when there is no terminal any more, None when somebody else took it."""
        try:
            return os.read(self.fileno, 4096)
        except BlockingIOError:  # whoever shares it may have made it non-blocking
            return None
        except OSError:
            return b""
