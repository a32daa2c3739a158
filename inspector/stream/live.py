"""The viewer's end of a living collector: a subprocess whose stdout is the stream and whose stdin takes requests."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .base import SCHEMA, Request
from .codec import StreamError, decode, encode
from .end_message import Ending, newer, without_farewell
from .events import AnyEvent
from .live_recording import LiveRecording
from .pipes import in_own_group, read_block
from .requests import Configure, Quit, encode_request
from .session import CollectorWaits, LimitNoted, SessionEnded, SessionStarted
from .text import decode_line
from .waiting import KERNEL_SECONDS, waits_for

if TYPE_CHECKING:
    from .redact import Redactor

_LONGEST_LINE = 256 << 20
_TALK_LINES = 40
_FAREWELL = 8.0
"""Seconds for one that goes on and was asked to end: on a busy machine its last words take time, and are the answer."""
_PATIENCE = 3.0
"""Seconds for a collector that goes on to end in order: it may have to end what it started."""
_STUCK = 0.5
"""Seconds within which one that waits for something has not gone on."""
_DEATH = 0.3
"""Seconds for a killed one to go; one that waits in the kernel cannot."""
_SILENCE = 2.0
"""Seconds without a word before it is looked at."""
_TICK = 0.1


class LiveStream:
    """One collector and the two pipes to it.

    One thread reads (by `read`, or by iterating over batches); any thread may send, record and close meanwhile.
    Without a thread, a loop watches `fileno()` and calls `read()` when it is readable.
    """

    recorded = False

    def __init__(
        self,
        command: Sequence[str],
        configure: Callable[[], Configure],
        process: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        """Start the command; it is told what to look for when it is first read from, or first sent anything.

        `process`: it was started by `in_own_group`, and goes on while this module is imported.
        Raises FileNotFoundError or PermissionError as Popen does; `read` and `send` raise what `configure` raises.
        """
        self.command = list(command)
        self._configure = configure
        self.ending: Ending | None = None
        """None while it lives."""
        self.talk: deque[str] = deque(maxlen=_TALK_LINES)
        """The newest words that the collector (or ssh, sudo, docker) wrote to stderr, as harmless text."""
        self.damaged = 0
        """Lines that were no events."""
        self.waits_for = ""
        """What the collector waits for while it does not go on; empty while it does, as far as known."""
        self.recording_trouble = ""
        """Why the last recording ended before its time; the stream goes on without it."""
        self._news: list[AnyEvent] = []
        """Events of our own, to come with the next batch."""
        self._latest = 0
        self._recording = LiveRecording(self._recording_failed)
        self._begun = False
        self._lock = threading.RLock()
        """Guards what several threads touch: outgoing bytes, history, recording."""
        self._reading = threading.Lock()
        """Held while a thread waits in `read`."""
        self._start(process)

    def _start(self, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self._pending = b""
        self._stderr_pending = b""
        self._outgoing = bytearray()
        self._goodbye: SessionEnded | None = None
        self._given_up = ""
        self._over = False
        self._last_word = time.monotonic()
        self._silent = False
        """It was found waiting after a silence."""
        self._process = process or in_own_group(self.command)
        self._selector = selectors.DefaultSelector()
        self._open_pipes()
        self._configured = False

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
            if batch := self.read(_SILENCE):
                yield batch

    def read(self, timeout: float | None = 0) -> list[AnyEvent]:
        """Events that have come, waiting up to `timeout` seconds for some (None: for ever); [] after the end."""
        with self._reading:
            events = self._wait_and_read(timeout) if self.ending is None else []
            news, self._news = self._news, []
            return news + events

    def _wait_and_read(self, timeout: float | None) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        self.tell_what_to_look_for()
        ready = self._selector.select(timeout)
        if self.ending is not None:
            return []  # another thread has given it up
        if not ready:
            self._look_after_it()
        for key, _ in ready:
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

    def tell_what_to_look_for(self) -> None:
        """Send the watch plan now, so that the collector starts while the viewer is not ready to read."""
        with self._lock:
            if self._configured:
                return
            self._configured = True
            try:
                request = self._configure()
            except BaseException:
                self._process.kill()
                raise
            self._outgoing += encode_request(request)
            self._flush()

    def send(self, request: Request) -> None:
        """Ask the collector for something; silently nothing after the end."""
        with self._lock:
            if self.ending is None:
                self.tell_what_to_look_for()
                self._outgoing += encode_request(request)
                self._flush()

    def record(self, path: str | Path, redactor: "Redactor | None" = None) -> None:
        """Write everything seen so far and everything to come to a file, with names hidden by a redactor.

        Raises RecordingError when the file cannot or must not be written.
        """
        with self._lock:
            self.stop_recording()
            self.recording_trouble = ""
            self._recording.begin(str(path), redactor)

    def forget_history(self) -> None:
        """Keep nothing for a recording that begins later: nobody is there to ask for one."""
        with self._lock:
            self._recording.forget()

    @property
    def recording(self) -> str | None:
        """Where it is recorded to now."""
        return self._recording.path

    def stop_recording(self) -> None:
        """Finish the file of `record`, if any."""
        with self._lock:
            reason = "the recording was stopped"
            self._recording.end(SessionEnded(at=self._latest, reason=reason) if self.ending is None else None)

    def close(self) -> None:
        """End the collector: it is asked first, and killed when it does not respond."""
        self.finish()

    def kill(self) -> None:
        """End the collector at once; the target goes on as it was."""
        self._end_hard()
        self.stop_recording()

    def finish(self, why: str = "") -> list[AnyEvent]:
        """Like `close`, without waiting for one that is stuck; the last events, unless another thread reads them.

        `why` is told as the reason of the end.
        """
        self.send(Quit(why=why))
        events = self._read_until(time.monotonic() + _FAREWELL)
        if self.ending is None:
            events += self._end_hard()
        self.stop_recording()
        return events

    def _end_hard(self) -> list[AnyEvent]:
        """Kill it; one that waits in the kernel is left to the kernel."""
        doing = waits_for(self._process.pid) or self.waits_for
        self._given_up = f"it was waiting for {doing}" if doing else "it was still at work"
        self._process.kill()
        events = self._read_until(time.monotonic() + (_DEATH if doing else _PATIENCE), whatever=True)
        if self.ending is None:
            why = (
                f"the collector (PID {self._process.pid}) cannot be stopped: it is waiting for {doing or 'the kernel'}"
            )
            self.ending = Ending(False, why)
        return events

    def _read_until(self, deadline: float, *, whatever: bool = False) -> list[AnyEvent]:
        """Read to the end, at most to a moment, and (but for `whatever`) as long as it goes on."""
        events: list[AnyEvent] = []
        going = time.monotonic()
        while self.ending is None and (now := time.monotonic()) < deadline:
            if not waits_for(self._process.pid, kernel=False):
                going = now
            elif now - going > _STUCK and not whatever:
                break
            if self._reading.acquire(timeout=_TICK):  # else another thread reads, and will come upon the end
                self._reading.release()
                events += self.read(_TICK)
        return events

    def _look_after_it(self) -> None:
        """Say what keeps a collector that has been silent for a while, when it is not rest."""
        now = time.monotonic()
        if now - self._last_word < _SILENCE or self.waits_for:
            return
        if doing := waits_for(self._process.pid, kernel=now - self._last_word > KERNEL_SECONDS):
            since = self._latest + int((now - self._last_word) * 1e9)
            self._say_it_waits(since, doing)

    def _say_it_waits(self, at: int, doing: str) -> None:
        self._silent = bool(doing)
        self.waits_for = doing
        self._insert(CollectorWaits(at=at, doing=doing))

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
        block = read_block(self._stderr)
        if block is None:
            return
        *lines, self._stderr_pending = (self._stderr_pending + block).split(b"\n")
        if not block:
            self._selector.unregister(self._stderr)
            lines, self._stderr_pending = [self._stderr_pending], b""
        self._stderr_pending = self._stderr_pending[-4096:]
        self.talk.extend(text for line in lines if (text := decode_line(line[:4096]).strip()))

    def _read_events(self) -> list[AnyEvent]:
        block = read_block(self._stdout)
        if block is None:
            return []
        if not block:
            self._over = True
            return []
        self._last_word = time.monotonic()
        if self._silent:
            self._say_it_waits(self._latest, "")
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
        self.waits_for = event.doing if isinstance(event, CollectorWaits) else self.waits_for
        if isinstance(event, SessionEnded):
            self._goodbye = event
        if isinstance(event, SessionStarted) and event.schema > SCHEMA:
            self._goodbye = SessionEnded(at=event.at, ok=False, reason=newer(event, SCHEMA))
            self._process.terminate()
        self._recording.keep(line, event)
        return event

    def _adjusted(self, event: AnyEvent) -> AnyEvent:
        """The event as the viewer is to see it; a stream of several parts keeps their numbers apart here."""
        return event

    def _recording_failed(self, words: str) -> None:
        self.recording_trouble = words
        self._note("the rest of the recording", words)

    def _note(self, what: str, why: str) -> None:
        """Tell the viewer, and whoever reads the recording, of something that is not known."""
        self._insert(LimitNoted(at=self._latest, what=what, why=why))

    def _insert(self, event: AnyEvent) -> None:
        """An event of our own, between those of the collector."""
        self._recording.keep(encode(event), event)
        self._news.append(event)

    def _end(self) -> None:
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_DEATH)
            status = self._process.returncode or 0
        while self._talks():
            self._read_talk()
        with self._lock:  # a thread that sends must not meet a pipe that is half closed
            self._selector.close()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self.ending = self._ended(self._words(status))

    def _talks(self) -> bool:
        """Whether there are last words; who cannot die (it has a file on a dead mount) keeps them open for ever."""
        if self._stderr not in self._selector.get_map():
            return False
        return any(key.fd == self._stderr for key, _ in self._selector.select(0.2))

    def _ended(self, ending: Ending) -> Ending | None:
        """What the end of this process means for the stream; None: it goes on."""
        return ending

    def _words(self, status: int) -> Ending:
        if self._goodbye is not None:
            return Ending(self._goodbye.ok, self._goodbye.reason, status)
        if self._given_up and status == -signal.SIGKILL:
            return Ending(False, f"the collector did not end when asked: we sent it SIGKILL; {self._given_up}", status)
        return without_farewell(self.command, status, self.talk[-1] if self.talk else "", self._begun)
