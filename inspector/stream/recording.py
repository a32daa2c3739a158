"""Recordings: a stream as a file, plain or compressed, read as far as it goes, written so that a crash loses little."""

import sys
import time
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

from .base import SCHEMA
from .codec import StreamError, decode
from .events import AnyEvent
from .files import FileRefusedError, create
from .session import SessionEnded, SessionStarted

_BLOCK = 1 << 18
_LONGEST_LINE = 16 << 20
"""Bytes of one event; the largest real ones, the symbols of a library, have some hundred KB."""
_MOST_WINDOW = 64 << 20
"""Bytes of memory that a .zst file may ask of us."""
_MOST_EXPANSION = 300
_FED = 1 << 10
_PIECE = 1 << 20
_LEAST_SUSPECT = 32 << 20
"""A recording is packed to a tenth; what grows so much, to more than this, is made to fill memory or time."""
_MOST_USELESS = 100_000
"""Lines that are empty or damaged, behind which the rest of a file is not read: two billion fit into 9 MB of .gz."""
_FLUSH_SECONDS = 1.0


class RecordingError(OSError):
    """A recording that cannot be read or written at all; the message is a sentence for the user."""


class Recording(Struct):
    """A recorded stream; iterate once for its events, then `troubles` says what is wrong with the file."""

    path: str
    """`-` is stdin."""
    troubles: list[str] = []
    """Sentences: torn, truncated, damaged, newer than this version, without an end."""
    _damaged: int = 0
    _unknown: int = 0
    _first_damage: str = ""

    def __iter__(self) -> Iterator[AnyEvent]:
        """Events as far as the file goes; raises RecordingError when it cannot be opened or is no recording."""
        with _open(self.path) as file:
            last: AnyEvent | None = None
            for event in self._events(_lines(_unpacked(file, self.troubles), self.troubles)):
                last = event
                yield event
        self._sum_up(last)

    def _events(self, lines: Iterator[bytes]) -> Iterator[AnyEvent]:
        begun, empty = False, 0
        for number, line in enumerate(lines, 1):
            if self._damaged + empty > _MOST_USELESS:
                self.troubles.append(f"the rest is not read: {_MOST_USELESS:,} lines are empty or damaged")
                break
            if not line.strip():
                empty += 1
                continue
            try:
                event = decode(line)
            except StreamError as error:
                if not begun:
                    raise RecordingError(f"{self.path} is not an inspector recording: {error}") from None
                self._note_damage(number, line, error)
                continue
            begun = True
            if event is None:
                self._unknown += 1
                continue
            yield event
            if isinstance(event, SessionStarted) and event.schema > SCHEMA:
                self.troubles.append(
                    f"it was recorded with stream schema {event.schema} by version {event.version}, this one reads up "
                    f"to schema {SCHEMA} and stops here: update shim-inspector"
                )
                return
        if not begun:
            why = "; ".join(self.troubles) or "it is empty"
            raise RecordingError(f"{self.path} is not a readable inspector recording: {why}")

    def _note_damage(self, number: int, line: bytes, error: StreamError) -> None:
        if not line.endswith(b"\n"):
            self.troubles.append(f"line {number}, the last one, is cut off: the recorder was stopped while writing")
            return
        self._damaged += 1
        self._first_damage = self._first_damage or f"line {number}: {error}"

    def _sum_up(self, last: AnyEvent | None) -> None:
        if self._damaged:
            self.troubles.append(f"{self._damaged} damaged line(s) left out; the first: {self._first_damage}")
        if self._unknown:
            self.troubles.append(f"{self._unknown} event(s) of kinds that this version does not know left out")
        if not isinstance(last, SessionEnded) and not self.troubles:
            self.troubles.append("it has no end: the recorder or the collector was killed")


def _open(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _unpacked(file: BinaryIO, troubles: list[str]) -> Iterator[bytes]:
    """Blocks of the stream; which compression it has is told by its first bytes, not by its name."""
    first = _read(file)
    while 0 < len(first) < 4 and (more := _read(file)):
        first += more
    blocks = _chain(first, file)
    if first.startswith(b"\x1f\x8b"):
        return _decompressed(blocks, troubles, gz=True)
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        return _decompressed(blocks, troubles, gz=False)
    return blocks


def _read(file: BinaryIO) -> bytes:
    reader = getattr(file, "read1", file.read)  # a pipe gives what is there, without waiting for a full block
    data: bytes = reader(_BLOCK)
    return data


def _chain(first: bytes, file: BinaryIO) -> Iterator[bytes]:
    block = first
    while block:
        yield block
        block = _read(file)


def _decompressed(blocks: Iterator[bytes], troubles: list[str], *, gz: bool) -> Iterator[bytes]:
    """Pieces of bounded size, whatever the data would expand to."""
    import zstandard  # a start without a recording does not pay for it

    packed = size = 0
    unpacked = _Gz() if gz else _Zst()
    try:
        for block in blocks:
            packed += len(block)
            for piece in unpacked.feed(block):
                size += len(piece)
                yield piece
                if size > max(_LEAST_SUSPECT, _MOST_EXPANSION * packed):
                    troubles.append(f"the compressed data expands more than {_MOST_EXPANSION}-fold: read up to there")
                    return
    except (zlib.error, zstandard.ZstdError) as error:
        troubles.append(f"the compressed data is damaged ({error}): read up to there")
        return
    if not unpacked.whole:
        troubles.append("the compressed data ends early: the recorder was stopped or the file was cut")


class _Gz:
    """The members of a gzip file, one after the other (RFC 1952)."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    @property
    def whole(self) -> bool:
        """Nothing is missing at the end."""
        return self._object.eof

    def feed(self, block: bytes) -> Iterator[bytes]:
        """What a block unpacks to."""
        while block:
            if self._object.eof:
                self._object = zlib.decompressobj(wbits=31)
            yield self._object.decompress(block, _PIECE)
            block = self._object.unused_data if self._object.eof else self._object.unconsumed_tail
        while not self._object.eof and (piece := self._object.decompress(b"", _PIECE)):
            yield piece


class _Zst:
    """The frames of a zstd file, one after the other (RFC 8878).

    Its blocks have 128 KiB at most and 4 bytes at least, so that few bytes at once bound what they unpack to.
    """

    def __init__(self) -> None:
        import zstandard

        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
        self._object = self._unpacker.decompressobj()

    @property
    def whole(self) -> bool:
        """Nothing is missing at the end."""
        return self._object.eof

    def feed(self, block: bytes) -> Iterator[bytes]:
        """What a block unpacks to."""
        for at in range(0, len(block), _FED):
            rest = block[at : at + _FED]
            while rest:
                if self._object.eof:
                    self._object = self._unpacker.decompressobj()
                yield self._object.decompress(rest)
                rest = self._object.unused_data if self._object.eof else b""


def _lines(blocks: Iterator[bytes], troubles: list[str]) -> Iterator[bytes]:
    """Lines with their ends; a torn last one comes without. One that is too long is left out."""
    pending: list[bytes] = []
    size = 0
    skipping = False
    for block in blocks:
        start = 0
        while (end := block.find(b"\n", start)) >= 0:
            pending.append(block[start : end + 1])
            if not skipping:
                yield b"".join(pending)
            pending, size, start, skipping = [], 0, end + 1, False
        pending.append(block[start:])
        size += len(block) - start
        if size > _LONGEST_LINE:
            if not skipping:
                troubles.append(f"a line of more than {_LONGEST_LINE >> 20} MiB is left out")
            pending, size, skipping = [], 0, True
    if (rest := b"".join(pending)) and not skipping:
        yield rest


class RecordingWriter:
    """Writes lines of a stream to a file as they come; `.gz` and `.zst` compress by name, `-` is stdout."""

    def __init__(self, path: str) -> None:
        """Create the file with mode 0600; raises RecordingError when it cannot or must not be written."""
        self.path = path
        self.size = 0
        """Bytes before compression."""
        try:
            self._to_stdout = path == "-"  # asked once: a full screen puts something else in the place of sys.stdout
            self._file = sys.stdout.buffer if self._to_stdout else create(path)
        except FileRefusedError as error:
            raise RecordingError(str(error)) from None
        self._packer = _packer(self._file, path)
        self._flushed = time.monotonic()

    def write(self, line: bytes) -> None:
        """Add one line; what is written reaches the disk within a second or with the next line after it."""
        self._packer.write(line)
        self.size += len(line)
        now = time.monotonic()
        if self._to_stdout or now - self._flushed >= _FLUSH_SECONDS:
            self._flush(now)

    def _flush(self, now: float) -> None:
        self._packer.flush()
        self._file.flush()
        self._flushed = now

    def close(self) -> None:
        """Finish the file; safe to call twice."""
        if self._packer is not self._file:
            self._packer.close()
        if self._to_stdout:
            self._file.flush()
        else:
            self._file.close()


def _packer(file: BinaryIO, path: str) -> BinaryIO:
    if path.endswith(".gz"):
        import gzip

        return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0)  # type: ignore[return-value]
    if path.endswith(".zst"):
        import zstandard

        return zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False)
    return file
