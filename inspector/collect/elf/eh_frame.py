"""Where functions begin and end, and where exceptions land in them, also in a file without a symbol table.

Every library carries this for unwinding: .eh_frame_hdr is a table sorted by address, its entries lead to frame
descriptions (FDE) with the range of a function, or of the part of it that was moved elsewhere (`name.cold`). Layouts:
Linux Standard Base 5.0, section 10.6; the language-specific data area (LSDA) as gcc/except.cc writes it.
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from .file import ElfError, ElfFile

_PT_GNU_EH_FRAME: Final = 0x6474E550
_SORTED_TABLE: Final = 0x3B
"""DW_EH_PE_datarel | DW_EH_PE_sdata4, what every linker writes."""
OMITTED, _PC_RELATIVE, _INDIRECT = 0xFF, 0x10, 0x80
_FIXED: Final = {0x00: "<q", 0x02: "<H", 0x03: "<I", 0x04: "<Q", 0x0A: "<h", 0x0B: "<i", 0x0C: "<q"}
_PAIR: Final = struct.Struct("<ii")
LARGEST_DESCRIPTION: Final = 512
_LARGEST_DATA_AREA: Final = 1 << 16
_MOST_ENTRIES: Final = 1 << 22


class FunctionRange(msgspec.Struct, frozen=True):
    """One function, or one part of it; link-time addresses."""

    start: int
    end: int
    landing_pads: tuple[int, ...] = ()
    """Where an exception goes on inside this function: no jump leads there, and it may be in another part."""


class FunctionRanges:
    """The ranges of one file; empty when it has no table of the usual form."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._base, self._table = 0, b""
        header = next((s for s in elf.segments if s.kind == _PT_GNU_EH_FRAME), None)
        if header is None:
            return
        raw = elf.read_some(header.offset, 12)
        if len(raw) < 12 or raw[0] != 1 or raw[2] != 0x03 or raw[3] != _SORTED_TABLE:
            return
        size = 8 if raw[1] & 0x0F in (0x04, 0x0C) else 4
        (count,) = struct.unpack_from("<I", elf.read_some(header.offset, 8 + size).ljust(16, b"\0"), 4 + size)
        if count <= _MOST_ENTRIES:
            self._base = header.address
            self._table = elf.read_some(header.offset + 8 + size, count * _PAIR.size)

    def find(self, address: int) -> FunctionRange | None:
        """The range that holds an address; None when there is none, or it is damaged."""
        description = self.description(address)
        if description is None:
            return None
        try:
            found = self._read(description)
        except (ElfError, struct.error, IndexError):
            return None
        return found if found and found.start <= address < found.end else None

    def description(self, address: int) -> int | None:
        """Address of the last description that begins at or before an address."""
        low, high = 0, len(self._table) // _PAIR.size
        while low < high:
            middle = (low + high) // 2
            start, _ = _PAIR.unpack_from(self._table, middle * _PAIR.size)
            low, high = (middle + 1, high) if self._base + start <= address else (low, middle)
        if low == 0:
            return None
        _, place = _PAIR.unpack_from(self._table, (low - 1) * _PAIR.size)
        return int(self._base + place)

    def _read(self, at: int) -> FunctionRange | None:
        cursor = Cursor(self.read(at, LARGEST_DESCRIPTION), at)
        length = cursor.fixed("<I")
        if length in (0, 0xFFFFFFFF):
            return None
        to_common = cursor.fixed("<I")
        code, area, augmented = self._common(at + 4 - to_common)
        start = cursor.pointer(code)
        size = cursor.pointer(code & 0x0F)
        if start is None or not size:
            return None
        pads: tuple[int, ...] = ()
        if augmented:
            cursor.unsigned()
            data = None if area == OMITTED else cursor.pointer(area)
            if data:
                pads = tuple(self._landing_pads(data, start))
        return FunctionRange(start, start + size, pads)

    def _common(self, at: int) -> tuple[int, int, bool]:
        """Encodings of code pointers and of LSDA pointers, and whether there is augmentation data (CIE)."""
        cursor = Cursor(self.read(at, LARGEST_DESCRIPTION), at)
        cursor.fixed("<Q")
        version = cursor.byte()
        augmentation = cursor.string()
        cursor.unsigned()
        cursor.unsigned()
        cursor.byte() if version == 1 else cursor.unsigned()
        code, area = 0, OMITTED
        if not augmentation.startswith(b"z"):
            return code, area, False
        cursor.unsigned()
        for letter in augmentation[1:].decode("latin-1"):
            if letter == "R":
                code = cursor.byte()
            elif letter == "L":
                area = cursor.byte()
            elif letter == "P":
                cursor.pointer(cursor.byte())
        return code, area, True

    def _landing_pads(self, at: int, function: int) -> Iterator[int]:
        cursor = Cursor(self.read(at, _LARGEST_DATA_AREA), at)
        encoding = cursor.byte()
        start = function if encoding == OMITTED else cursor.pointer(encoding) or function
        if cursor.byte() != OMITTED:
            cursor.unsigned()
        encoding = cursor.byte()
        size = cursor.unsigned()
        end = cursor.place + size
        while cursor.place < end:
            cursor.pointer(encoding)
            cursor.pointer(encoding)
            pad = cursor.pointer(encoding)
            cursor.unsigned()
            if pad:
                yield start + pad

    def read(self, address: int, size: int) -> bytes:
        """Up to so many bytes at a link-time address."""
        return self._elf.read_some(self._elf.offset_of(address), size)


class Cursor:
    """Reads numbers one behind the other; struct.error or IndexError at the end of the bytes."""

    def __init__(self, raw: bytes, address: int, place: int = 0) -> None:
        self._raw, self._address, self.place = raw, address, place

    @property
    def left(self) -> bool:
        """There are more bytes."""
        return self.place < len(self._raw)

    def byte(self) -> int:
        """The next byte; IndexError behind the end."""
        self.place += 1
        return self._raw[self.place - 1]

    def fixed(self, layout: str) -> int:
        """The next number in a layout of `struct`; struct.error where fewer bytes are left."""
        (value,) = struct.unpack_from(layout, self._raw, self.place)
        self.place += struct.calcsize(layout)
        return int(value)

    def string(self) -> bytes:
        """The bytes up to the next NUL, without it; all that is left where there is none."""
        end = self._raw.index(b"\0", self.place) if b"\0" in self._raw[self.place :] else len(self._raw)
        found, self.place = self._raw[self.place : end], end + 1
        return found

    def unsigned(self) -> int:
        """ULEB128; of a signed one only the length is right."""
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def signed(self) -> int:
        """SLEB128."""
        begin = self.place
        value = self.unsigned()
        bits = 7 * (self.place - begin)
        return value - (1 << bits) if value >> (bits - 1) else value

    def skip(self, size: int) -> None:
        """Go on behind so many bytes."""
        self.place += size

    def pointer(self, encoding: int) -> int | None:
        """A value as DW_EH_PE_* says; None when it is absent, or lies behind another pointer."""
        if encoding == OMITTED:
            return None
        at = self._address + self.place
        form = encoding & 0x0F
        value = self.unsigned() if form == 0x01 else self.fixed(_FIXED[form]) if form in _FIXED else None
        if value is None or encoding & _INDIRECT:
            return None
        return value + at if value and encoding & 0x70 == _PC_RELATIVE else value
