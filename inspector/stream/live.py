"""The viewer's end of a living collector: a subprocess whose stdout is the stream and whose stdin takes requests."""

import math
import os
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .base import SCHEMA, Request
from .codec import StreamError, decode, encode
from .events import AnyEvent
from .history import History
from .recording import RecordingWriter
from .requests import Configure, Quit, encode_request
from .session import LimitNoted, SessionEnded, SessionStarted
from .text import decode_line

if TYPE_CHECKING:
    from .redact import Redactor

_BLOCK = 1 << 20
_LONGEST_LINE = 256 << 20
_TALK_LINES = 40
_PATIENCE = 3.0
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended, in words for the user."""

    ok: bool
    """The collector said goodbye in order."""
    words: str
    status: int | None = None
    """Exit status of the command, negative for a signal, None while unknown."""
    help: str = ""
    """What to do about it; may be empty."""


class LiveStream:
    """One collector and the two pipes to it.

    One thread reads (by `read`, or by iterating over batches); any thread may send, record and close meanwhile.
    Without a thread, a loop watches `fileno()` and calls `read()` when it is readable.
    """

    recorded = False

    def __init__(self, command: Sequence[str], configure: Callable[[], Configure]) -> None:
        """Start the command and tell it what to look for, made while it starts.

        Raises FileNotFoundError or PermissionError as Popen does, and what `configure` raises.
        """
        self.command = list(command)
        self._configure = configure
        self.ending: Ending | None = None
        """None while it lives."""
        self.talk: deque[str] = deque(maxlen=_TALK_LINES)
        """The newest words that the collector (or ssh, sudo, docker) wrote to stderr, as harmless text."""
        self.damaged = 0
        """Lines that were no events."""
        self.recording_trouble = ""
        """Why the last recording ended before its time; the stream goes on without it."""
        self._news: list[AnyEvent] = []
        """Events of our own, to come with the next batch."""
        self._latest = 0
        self._history = History()
        self._writer: RecordingWriter | None = None
        self._redactor: Redactor | None = None
        self._begun = False
        self._lock = threading.RLock()
        """Guards what several threads touch: outgoing bytes, history, recording."""
        self._reading = threading.Lock()
        """Held while a thread waits in `read`."""
        self._start()

    def _start(self) -> None:
        self._pending = b""
        self._stderr_pending = b""
        self._outgoing = bytearray()
        self._goodbye: SessionEnded | None = None
        self._over = False
        self._process = _in_own_group(self.command)
        self._selector = selectors.DefaultSelector()
        self._open_pipes()
        try:
            self.send(self._configure())
        except BaseException:
            self._process.kill()
            raise

    def _open_pipes(self) -> None:
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        self._stdin, self._stdout, self._stderr = (
            process.stdin.fileno(),
            process.stdout.fileno(),
            process.stderr.fileno(),
        )
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)

    @property
    def begun(self) -> bool:
        """True after the first event."""
        return self._begun

    def fileno(self) -> int:
        """A descriptor that is readable whenever `read()` has something to do (epoll or kqueue)."""
        return self._selector.fileno()

    @property
    def alive(self) -> bool:
        """False once no more events can come."""
        return self.ending is None

    @property
    def error(self) -> str:
        """Why it ended, in words for the user; empty while it lives or when it ended in order."""
        ending = self.ending
        if ending is None or ending.ok:
            return ""
        return f"{ending.words}. {ending.help}" if ending.help else ending.words

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        """Batches of events as they come, until the end."""
        while self.ending is None:
            if batch := self.read(None):
                yield batch

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """Events that have come, waiting up to `timeout` seconds for some (None: for ever); [] after the end."""
        with self._reading:
            events = self._wait_and_read(timeout) if self.ending is None else []
            news, self._news = self._news, []
            return news + events

    def _wait_and_read(self, timeout: float | None) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for key, _ in self._selector.select(timeout):
            if key.fd == self._stdin:
                with self._lock:
                    self._flush()
            elif key.fd == self._stderr:
                self._read_talk()
            else:
                with self._lock:
                    events = self._read_events()
        if self._over:
            self._end()
        return events

    def send(self, request: Request) -> None:
        """Ask the collector for something; silently nothing after the end."""
        with self._lock:
            if self.ending is None:
                self._outgoing += encode_request(request)
                self._flush()

    def record(self, path: str | Path, redactor: "Redactor | None" = None) -> None:
        """Write everything seen so far and everything to come to a file, with names hidden by a redactor.

        Raises RecordingError when the file cannot or must not be written.
        """
        with self._lock:
            self.stop_recording()
            self._writer, self._redactor = RecordingWriter(str(path)), redactor
            self.recording_trouble = ""
            for line in self._history.lines():
                self._write(line)

    @property
    def recording(self) -> str | None:
        """Where it is recorded to now."""
        return self._writer.path if self._writer else None

    def stop_recording(self) -> None:
        """Finish the file of `record`, if any."""
        with self._lock:
            if self.ending is None:
                self._write(encode(SessionEnded(at=self._latest, reason="the recording was stopped")))
            writer, self._writer = self._writer, None
            if writer is not None:
                try:
                    writer.close()
                except OSError as error:
                    self._recording_failed(writer, error)

    def close(self) -> None:
        """End the collector: it is asked first, and killed when it does not listen."""
        self.finish()

    def kill(self) -> None:
        """End the collector at once; the target goes on as it was."""
        self._process.kill()
        self._read_until(math.inf)
        self.stop_recording()

    def finish(self) -> list[AnyEvent]:
        """Like `close`; returns the last events, unless another thread reads them."""
        self.send(Quit())
        events = self._read_until(time.monotonic() + _PATIENCE)
        if self.ending is None:
            self._process.kill()
            events += self._read_until(math.inf)
        self.stop_recording()
        return events

    def _read_until(self, deadline: float) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        while self.ending is None and time.monotonic() < deadline:
            if self._reading.acquire(timeout=_TICK):  # else another thread reads, and will come upon the end
                self._reading.release()
                events += self.read(_TICK)
        return events

    def _flush(self) -> None:
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._stdin, self._outgoing)]
        except BlockingIOError:
            if self._stdin not in self._selector.get_map():
                self._selector.register(self._stdin, selectors.EVENT_WRITE)
            return
        except OSError:
            self._outgoing.clear()  # it is dying; stdout will tell
        if self._stdin in self._selector.get_map():
            self._selector.unregister(self._stdin)

    def _read_talk(self) -> None:
        block = _read(self._stderr)
        if block is None:
            return
        *lines, self._stderr_pending = (self._stderr_pending + block).split(b"\n")
        if not block:
            self._selector.unregister(self._stderr)
            lines, self._stderr_pending = [self._stderr_pending], b""
        self._stderr_pending = self._stderr_pending[-4096:]
        self.talk.extend(text for line in lines if (text := decode_line(line[:4096]).strip()))

    def _read_events(self) -> list[AnyEvent]:
        block = _read(self._stdout)
        if block is None:
            return []
        if not block:
            self._over = True
            return []
        *lines, self._pending = (self._pending + block).split(b"\n")
        events = [event for line in lines if (event := self._take(line + b"\n"))]
        if len(self._pending) > _LONGEST_LINE:
            self._process.kill()
        return events

    def _take(self, line: bytes) -> AnyEvent | None:
        try:
            event = decode(line)
        except StreamError:
            self.damaged += 1
            if not self._begun:
                self.talk.append(decode_line(line[:4096]))  # a login banner, or a shell that says what is wrong
            return None
        if event is None:
            return None
        adjusted = self._adjusted(event)
        if adjusted is not event:
            event, line = adjusted, encode(adjusted)
        self._begun, self._latest = True, max(self._latest, event.at)
        if isinstance(event, SessionEnded):
            self._goodbye = event
        if isinstance(event, SessionStarted) and event.schema > SCHEMA:
            self._goodbye = SessionEnded(at=event.at, ok=False, reason=_newer(event))
            self._process.terminate()
        self._history.keep(line, event)
        self._write(line)
        return event

    def _adjusted(self, event: AnyEvent) -> AnyEvent:
        """The event as the viewer is to see it; a stream of several parts keeps their numbers apart here."""
        return event

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
            self._recording_failed(writer, error)

    def _recording_failed(self, writer: RecordingWriter, error: OSError) -> None:
        """A full disk ends the recording, not the watching; a reader of stdout that went away ends both."""
        if writer.path == "-":
            raise error
        why = (error.strerror or str(error)).lower()
        self.recording_trouble = f"{writer.path} cannot be written further: {why}; what it holds can be read"
        self._note("the rest of the recording", self.recording_trouble)

    def _note(self, what: str, why: str) -> None:
        """Tell the viewer, and whoever reads the recording, of something that is not known."""
        self._insert(LimitNoted(at=self._latest, what=what, why=why))

    def _insert(self, event: AnyEvent) -> None:
        """An event of our own, between those of the collector."""
        line = encode(event)
        self._history.keep(line, event)
        self._write(line)
        self._news.append(event)

    def _end(self) -> None:
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        while self._stderr in self._selector.get_map() and self._selector.select(0.2):
            self._read_talk()
        with self._lock:  # a thread that sends must not meet a pipe that is half closed
            self._selector.close()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self.ending = self._ended(self._words(status))

    def _ended(self, ending: Ending) -> Ending | None:
        """What the end of this process means for the stream; None: it goes on."""
        return ending

    def _words(self, status: int) -> Ending:
        if self._goodbye is not None:
            return Ending(self._goodbye.ok, self._goodbye.reason, status)
        name = Path(self.command[0]).name
        last = self.talk[-1] if self.talk else ""
        said = f"; it said: {last}" if last else ""
        if status == 127 and "sudo" in last:
            return Ending(False, f"sudo is not installed there{said}", status, "log in there as root instead")
        if status == 127 or "No module named inspector" in last:
            return Ending(False, f"inspector is not installed there{said}", status, _INSTALL)
        if last.startswith("sudo: "):
            return Ending(False, f"sudo refuses there{said}", status, _SUDO)
        if name == "ssh" and status == 255:
            occasion = "the link was lost" if self._begun else "no connection"
            return Ending(False, f"{occasion} (ssh ended with status 255{said})", status, self._by_hand())
        if status < 0:
            return Ending(False, f"the collector was killed by {_signal_name(-status)}{said}", status)
        return Ending(False, f"the collector ended with status {status} without a word of farewell{said}", status)

    def _by_hand(self) -> str:
        """The same link with nothing to do: what the user tries next."""
        return shlex.join([*self.command[:-1], "true"])


_INSTALL = "pip install shim-inspector on that machine, or name it with --remote-command, or carry it with --bootstrap"
_SUDO = "let sudo do it there without a password (it is asked with -n), or log in there as root"


def _newer(event: SessionStarted) -> str:
    return (
        f"the collector (version {event.version}) speaks stream schema {event.schema}, this viewer reads up to "
        f"{SCHEMA}: update shim-inspector here"
    )


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({number})"
    except ValueError:
        return f"signal {number}"


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _in_own_group(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Ctrl-C on the terminal is for the viewer, which then ends the collector in order."""
    pipe = subprocess.PIPE
    if sys.version_info >= (3, 11):
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, process_group=0)
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, preexec_fn=os.setpgrp)
