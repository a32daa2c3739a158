"""What a terminal shows after the bytes that came: differences alone say nothing, so an emulator puts them together."""

import time

import pyte

from .terminal import Terminal


class Picture:
    """The screen of a program in a pseudo terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(terminal.columns, terminal.rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0

    def shows(self, text: str) -> bool:
        """Whether some line holds the text, by the bytes that came so far."""
        output = self._terminal.output
        self._stream.feed(bytes(output[self._fed :]))
        self._fed = len(output)
        return any(text in line for line in self._screen.display)

    def wait_for(self, text: str, limit: float = 20.0) -> float:
        """Take output until a line holds the text; returns the moment (time.monotonic) or raises TimeoutError."""
        end = time.monotonic() + limit
        while not self.shows(text):
            left = end - time.monotonic()
            if left <= 0 or (not self._terminal.read(left) and not self._terminal.alive()):
                raise TimeoutError(f"{text!r} did not appear")
        return time.monotonic()

    def press(self, keys: str, text: str, limit: float = 20.0) -> float:
        """Press keys, wait until the text is there; returns the seconds that it took."""
        begin = time.monotonic()
        self._terminal.write(keys.encode())
        return self.wait_for(text, limit) - begin
