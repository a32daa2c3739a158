"""One inode of a log, as far as it was read: bytes to numbered lines and back."""

import os
import time
from collections.abc import Iterator

from .file_checks import Identity, identity
from .index import BLOCK, LineIndex

LINE_LIMIT = 16 * 1024
"""Bytes of a line that are kept; the rest of a longer one is only counted."""
_PAGE_LIMIT = 4 << 20
"""Bytes that one page of lines may need at once before long lines are read one by one."""
_STEP = 1 << 18
"""Bytes read at once by a search: small enough to stay in the processor's cache."""
_TRACE = 64
"""Bytes before our place whose change betrays a file that was truncated and written anew."""


class Generation:
    """The lines of one inode from `start` on; it is read with pread(2), never mapped.

    A mapping would kill us with SIGBUS when somebody truncates the file. Owns `fd`.
    """

    def __init__(self, fd: int, first: int, start: int = 0) -> None:
        """`first` is the number of its first line within the whole log."""
        self.fd = fd
        self.first = first
        self.start = start
        self.identity: Identity = identity(os.fstat(fd))
        self.index = LineIndex()
        self.readable = True
        """False once its bytes were cut away under us."""
        self._ends_open = False
        self._trace = b""
        self.seen = 0
        """Its size at the last look: what lies between our place and there is known to have been written."""
        self._written = 0
        """When it had been written last at the last look: one that was cut may be as long as before by now."""
        self.read_at = 0
        """When the last bytes were read, wall time in ns."""

    @property
    def position(self) -> int:
        """Offset of the next byte to read."""
        return self.start + self.index.size

    @property
    def lines(self) -> int:
        """Complete lines, and the unterminated last one if nothing will follow it."""
        return self.index.newlines + self._ends_open

    @property
    def end(self) -> int:
        """Number of the first line after it."""
        return self.first + self.lines

    def advance(self, limit: int) -> bytes:
        """Read and index what comes next, at most `limit` bytes; nothing when the file was cut since `pending`.

        What we have read last is read once more with it: what follows in a file that was cut is another text.
        """
        now, again = time.time_ns(), len(self._trace)
        data = os.pread(self.fd, again + limit, self.position - again)
        data = data[again:] if data[:again] == self._trace else b""
        if data:
            self.read_at = now
            self.index.feed(data)
            self._trace = (self._trace + data[-_TRACE:])[-_TRACE:]
        return data

    def pending(self) -> int:
        """Bytes appended since the last read; negative when the file was cut."""
        status = os.fstat(self.fd)
        changed = status.st_size > self.position or status.st_mtime_ns != self._written
        if changed and status.st_size >= self.position and not self._trace_holds():
            return -1
        self._written = status.st_mtime_ns
        self.seen = max(self.seen, status.st_size)
        return status.st_size - self.position

    def skip_hole(self) -> int:
        """Begin behind the hole with which the file begins; its length, 0 when there is none.

        A writer that does not append goes on at its old place after a cut: so much had it written.
        """
        try:
            data = os.lseek(self.fd, self.start, os.SEEK_DATA)
        except OSError:  # nothing but a hole, or a file system that cannot tell
            return 0
        block = os.pread(self.fd, BLOCK, data)
        text = block.lstrip(b"\0")
        self.start = data + len(block) - len(text) if text else self.start
        return self.start

    def _trace_holds(self) -> bool:
        return os.pread(self.fd, len(self._trace), self.position - len(self._trace)) == self._trace

    def goes_on_in(self, fd: int) -> bool:
        """Whether a file is a copy of this one as far as it was read, by what stands at our place."""
        if not self._trace or os.fstat(fd).st_size < self.position:
            return False
        return os.pread(fd, len(self._trace), self.position - len(self._trace)) == self._trace

    def finish(self, ends_open: bool) -> None:
        """Nothing follows in this generation: an unterminated last line is a line."""
        self._ends_open = ends_open

    def close(self) -> None:
        """Give the descriptor back; its lines can no longer be read."""
        self.readable = False
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def offset_of(self, line: int) -> int:
        """Where a line of this generation (from 0) begins, relative to `start`; the end for one too many."""
        if line <= 0:
            return 0
        if line > self.index.newlines:
            return self.index.size
        block, before = self.index.block_of_newline(line)
        parts = self._read(block, BLOCK).split(b"\n", line - before)
        return block + sum(map(len, parts[:-1])) + len(parts) - 1

    def line_of(self, offset: int) -> int:
        """The line (from 0) that holds a byte, `offset` being relative to `start`."""
        block, before = self.index.block_of_offset(offset)
        return before + self._read(block, offset - block).count(b"\n")

    def page(self, line: int, count: int) -> list[bytes]:
        """`count` lines from `line` on (from 0), without their newlines, each cut at LINE_LIMIT."""
        if not self.readable:
            return []
        count = max(0, min(count, self.lines - line))
        begin, end = self.offset_of(line), self.offset_of(line + count)
        if end - begin <= _PAGE_LIMIT:
            found = self._read(begin, end - begin).split(b"\n")[:count]
            return [text[:LINE_LIMIT] for text in found]
        return [self._one(line + step) for step in range(count)]

    def _one(self, line: int) -> bytes:
        begin, end = self.offset_of(line), self.offset_of(line + 1)
        return self._read(begin, min(end - begin, LINE_LIMIT)).rstrip(b"\n")

    def length_of(self, line: int) -> int:
        """Bytes of a line, its newline included."""
        return self.offset_of(line + 1) - self.offset_of(line)

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """Bytes between two offsets (relative to `start`) cut at line ends, but for lines longer than a page."""
        while self.readable and begin < end and (data := self._whole_lines(begin, end)):
            yield data
            begin += len(data)

    def _whole_lines(self, offset: int, end: int) -> bytes:
        data = more = self._read(offset, min(_STEP, end - offset))
        cut = data.rfind(b"\n") + 1
        while more and not cut and len(data) < _PAGE_LIMIT and offset + len(data) < end:
            more = self._read(offset + len(data), min(len(data), end - offset - len(data)))
            data += more
            cut = data.rfind(b"\n") + 1
        return data[:cut] if cut else data

    def _read(self, offset: int, size: int) -> bytes:
        """Bytes that were indexed, `offset` being relative to `start`."""
        return os.pread(self.fd, max(0, min(size, self.index.size - offset)), self.start + offset)
