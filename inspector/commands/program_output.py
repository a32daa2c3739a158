"""What the program behind `--` says reaches the terminal as it runs, although it goes to a file that is observed."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from inspector.stream.text import decode_line

_LOOK_SECONDS: Final = 0.1
_LAST_SECONDS: Final = 0.5
_BLOCK: Final = 1 << 16


class ProgramOutput:
    """Copies a growing file to stderr in a thread of its own, because whoever reads stderr may be slow.

    A terminal gets harmless text, a file or a pipe the bytes as they are.
    """

    def __init__(self, path: Path | None) -> None:
        """None: there is nothing to copy."""
        self._path = path
        self._over = threading.Event()
        self._rest = b""
        self._terminal = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._copy, name="program-output", daemon=True)

    def __enter__(self) -> "ProgramOutput":
        if self._path is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Copy what is left, if that can be done at once."""
        self._over.set()
        if self._path is not None:
            self._thread.join(_LAST_SECONDS)

    def _copy(self) -> None:
        assert self._path is not None
        with suppress(OSError):  # nobody reads stderr any more
            place, over = 0, False
            while not over:
                over = self._over.wait(_LOOK_SECONDS)
                while block := self._read(place):
                    place += len(block)
                    self._write(block)
            self._write(b"", last=True)

    def _read(self, place: int) -> bytes:
        assert self._path is not None
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(place)
                return file.read(_BLOCK)
        except OSError:
            return b""  # not there yet

    def _write(self, block: bytes, *, last: bool = False) -> None:
        if not self._terminal:
            _write_all(block)
            return
        *lines, self._rest = (self._rest + block).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if last and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            _write_all(f"\r\x1b[K{decode_line(line)}\n".encode())


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(2, data) :]
