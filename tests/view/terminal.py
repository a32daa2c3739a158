"""A terminal to test against: the real program in a pseudo terminal, its bytes read by an emulator."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
from collections.abc import Mapping
from time import monotonic
from typing import Any

import pyte

SHOWN = ("data", "fg", "bg", "bold", "underscore", "reverse")


def cells(screen: pyte.Screen) -> list[list[tuple[Any, ...]]]:
    """What the emulator shows: character, colours and attributes of every cell."""
    return [
        [tuple(getattr(screen.buffer[y][x], name) for name in SHOWN) for x in range(screen.columns)]
        for y in range(screen.lines)
    ]


class Terminal:
    """The program of `tests.view.program` in a pseudo terminal of a given size."""

    def __init__(self, size: tuple[int, int], environment: Mapping[str, str], *words: str) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            os.environ.update({"TERM": "xterm-256color", "TZ": "UTC", "LC_ALL": "C.UTF-8", **environment})
            os.execv(sys.executable, [sys.executable, "-m", "tests.view.program", *words])

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())

    def read_until(self, words: str, seconds: float = 20.0) -> None:
        """Read until some words stand on the screen, and on until it is quiet."""
        end = monotonic() + seconds
        while words not in self.text:
            assert monotonic() < end and self._read(0.5) is not None, f"waited for {words!r}:\n{self.text}"
        while self._read(0.15):
            pass

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size; the kernel tells the program."""
        self.screen.resize(height, width)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> int:
        """Close the terminal as a window is closed; returns the exit status of the program."""
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def wait(self, seconds: float) -> None:
        """Read whatever comes for a while."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self._read(left)

    def read_to_end(self) -> int:
        """Read until the program is gone; returns its exit status."""
        while self._read(20) is not None:
            pass
        return self.close()

    def _read(self, seconds: float) -> bool | None:
        """True when something came, False when nothing did, None when nothing can come any more."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:
            return None
        if not data:
            return None
        self.received += data
        self._stream.feed(data.replace(b"\x1b[?2026$p", b"").replace(b"\x1b[>0q", b""))
        return True
