"""Where in a process's memory given addresses lie: a scan of what is resident and writable, by reading only."""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from .memory import Memory
from .pages import PageTable
from .procfs import MapLine

_CHUNK: Final = 1 << 20
_HIGH_BYTES: Final = slice(3, 6)
"""Bytes 3 to 5 of an address: the same for 16 MiB of code, rare in memory, and quick to find: `re` looks for three
literal bytes at 1 to 2 GiB/s, twice to ten times as fast as bytes.find on memory that is full of zeros."""
_WORD: Final = struct.Struct("<Q")


class Area(msgspec.Struct, frozen=True):
    """Resident writable memory."""

    line: MapLine
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


def writable_areas(pages: PageTable, lines: Sequence[MapLine]) -> list[Area]:
    """The pages of writable private mappings that are in memory; what is swapped out is left where it is."""
    areas: list[Area] = []
    for line in lines:
        if line.permissions.startswith("rw") and not line.path.startswith(_SPECIAL):
            spans = pages.spans(line.start, line.end)
            areas += [Area(line, span.start, span.end) for span in spans if not span.swapped]
    return areas


_SPECIAL: Final = (b"[v", b"/dev/")
"""vvar, vsyscall, and devices, whose memory may not be read like memory."""


class Hit(msgspec.Struct, frozen=True):
    """A word that holds one of the addresses."""

    at: int
    value: int
    line: MapLine


def find_addresses(memory: Memory, areas: Sequence[Area], wanted: Mapping[int, object]) -> Iterator[Hit | int]:
    """Every aligned word that holds a wanted address; between them, after each chunk, the bytes read so far."""
    highs = {_WORD.pack(address)[_HIGH_BYTES] for address in wanted}
    patterns = [re.compile(re.escape(high)) for high in highs]
    done = 0
    for area in areas:
        for start in range(area.start, area.end, _CHUNK):
            size = min(_CHUNK, area.end - start)
            try:
                data = memory.read(start, size)
            except OSError:
                data = b""  # unmapped meanwhile
            for at in _places(data, patterns):
                (value,) = _WORD.unpack_from(data, at)
                if value in wanted:
                    yield Hit(start + at, value, area.line)
            done += size
            yield done


def _places(data: bytes, patterns: Sequence["re.Pattern[bytes]"]) -> Iterator[int]:
    """Offsets of aligned words whose high bytes are found."""
    for pattern in patterns:
        for match in pattern.finditer(data):
            at = match.start() - _HIGH_BYTES.start
            if at % 8 == 0 and 0 <= at <= len(data) - 8:
                yield at
