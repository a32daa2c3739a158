"""Which function holds an address, by the symbol tables of a file; a name is read only when it is asked for."""

from bisect import bisect_right
from contextlib import suppress
from typing import Final, NamedTuple

from .file import CLASS_64, ElfError, ElfFile, cstring
from .sections import SHT_SYMTAB, read_sections, section_bytes
from .symbols import STT_FUNC, SymbolTable

_MOST_SYMBOLS: Final = 400_000
_MOST_STRINGS: Final = 64 << 20
_TYPE: Final = 15
"""Of `st_info` (elf(5))."""


class NamedFunction(NamedTuple):
    """A function that holds an address."""

    begin: int
    """Link-time address."""
    name: bytes


class FunctionNames:
    """Of the dynamic symbol table, and of the full one where it is there; of two at one address the first."""

    def __init__(self, elf: ElfFile) -> None:
        """What is damaged has no names."""
        self._strings: list[bytes] = []
        rows: list[tuple[int, int, int, int]] = []
        with suppress(ElfError):
            table = SymbolTable(elf)
            if len(table) <= _MOST_SYMBOLS:
                rows += self._rows(elf, table.raw, elf.strings)
        with suppress(ElfError):
            sections = read_sections(elf)
            most = _MOST_SYMBOLS * elf.layout.symbol.size
            for section in sections:
                if section.kind == SHT_SYMTAB and section.size <= most and section.link < len(sections):
                    strings = section_bytes(elf, sections[section.link], _MOST_STRINGS)
                    rows += self._rows(elf, section_bytes(elf, section, most), strings)
        self._rows_by_begin = sorted(rows)
        self._begins = [begin for begin, *_ in self._rows_by_begin]

    def at(self, address: int) -> NamedFunction | None:
        """The function whose code holds a link-time address; None where none is named."""
        place = bisect_right(self._begins, address)
        if not place:
            return None
        first = bisect_right(self._begins, self._begins[place - 1] - 1)
        begin, number, name_at, size = self._rows_by_begin[first]
        return NamedFunction(begin, cstring(self._strings[number], name_at)) if address < begin + size else None

    def _rows(self, elf: ElfFile, raw: bytes, strings: bytes) -> list[tuple[int, int, int, int]]:
        """Begin, number of the table, where its name is, and size of each function; rows, for they are many."""
        number = len(self._strings)
        self._strings.append(strings)
        unpacked = elf.layout.symbol.iter_unpack(raw[: len(raw) // elf.layout.symbol.size * elf.layout.symbol.size])
        if elf.layout is CLASS_64:
            return [
                (value, number, name, size)
                for name, info, _, section, value, size in unpacked
                if size and section and info & _TYPE == STT_FUNC
            ]
        return [
            (value, number, name, size)
            for name, value, size, info, _, section in unpacked
            if size and section and info & _TYPE == STT_FUNC
        ]
