"""A program in a pseudo terminal, pumped by us: bytes to the screen, key to first byte, slow links.

The window size is set before the first read; a query for synchronised output is answered, so that the program's
ordinary output path runs.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from dataclasses import dataclass, field

SYNC_QUERY = b"\x1b[?2026$p"
SYNC_ANSWER = b"\x1b[?2026;2$y"


@dataclass
class Terminal:
    """One child in a pty; `rate` limits how many bytes a second are taken from it (0: no limit)."""

    argv: list[str]
    columns: int = 120
    rows: int = 36
    environment: dict[str, str] = field(default_factory=dict)
    rate: float = 0.0
    output: bytearray = field(default_factory=bytearray)
    total: int = 0
    started: float = 0.0
    pid: int = 0
    fd: int = -1

    def __enter__(self) -> "Terminal":
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # the child: wait for its window size, then become the program
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"})
            os.environ.update(self.environment)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
            os.execvp(self.argv[0], self.argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def alive(self) -> bool:
        """Whether the program still runs; reaps it when it does not."""
        if not self.pid:
            return False
        done, _ = os.waitpid(self.pid, os.WNOHANG)
        if done:
            self.pid = 0
        return not done

    def write(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.fd, keys)

    def read(self, timeout: float) -> bytes:
        """What arrives next within `timeout` seconds, b"" when nothing does or the program ended."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, timeout))
        if not ready:
            return b""
        size = 65536 if not self.rate else max(1, int(self.rate / 50))
        try:
            data = os.read(self.fd, size)
        except OSError:
            return b""
        if self.rate:
            time.sleep(len(data) / self.rate)
        if SYNC_QUERY in data:
            os.write(self.fd, SYNC_ANSWER)
        self.output += data
        self.total += len(data)
        return data

    def read_for(self, seconds: float) -> int:
        """Take output for so long; returns how many bytes came."""
        before, end = self.total, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.read(left) and not self.alive():
                break
        return self.total - before

    def settle(self, quiet: float = 0.5, limit: float = 20.0) -> float:
        """Take output until `quiet` seconds pass without any; returns the moment of the last byte."""
        end, last = time.monotonic() + limit, time.monotonic()
        while time.monotonic() < end:
            if self.read(quiet):
                last = time.monotonic()
            else:
                break
        return last

    def wait_for(self, text: bytes, limit: float = 20.0) -> float:
        """Take output until `text` was printed; returns seconds since the start; TimeoutError when it never came."""
        end = time.monotonic() + limit
        while text not in self.output:
            left = end - time.monotonic()
            if left <= 0 or (not self.read(left) and not self.alive()):
                raise TimeoutError(f"{text!r} did not appear in {bytes(self.output[-300:])!r}")
        return time.monotonic() - self.started

    def key(self, keys: bytes, quiet: float = 0.15, limit: float = 3.0) -> tuple[float, float, int]:
        """Press keys; returns seconds to the first byte, seconds to the last byte before silence, and bytes."""
        before, sent = self.total, time.monotonic()
        self.write(keys)
        first = last = 0.0
        while time.monotonic() - sent < limit:
            if not self.read(quiet if first else limit):
                break
            last = time.monotonic() - sent
            first = first or last
        return first, last, self.total - before
