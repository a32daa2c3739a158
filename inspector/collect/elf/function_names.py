"""Which function holds an address, by the symbol tables of a file; a name is read only when it is asked for."""

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Final, NamedTuple

from .file import CLASS_64, ElfError, ElfFile, Layout, cstring
from .sections import SHT_SYMTAB, read_sections, section_bytes
from .symbol_masks import SymbolMasks, both, places
from .symbols import STT_FUNC, SymbolTable

_MOST_SYMBOLS: Final = 400_000
_MOST_STRINGS: Final = 64 << 20
_IS_CODE: Final = bytes(info & 15 == STT_FUNC for info in range(256))
"""By `st_info` (elf(5)), for `bytes.translate`."""


class NamedFunction(NamedTuple):
    """A function that holds an address."""

    begin: int
    """Link-time address."""
    name: bytes


class FunctionTable:
    """Functions of one symbol table by where they begin; columns judged in bulk, names read when they are asked for.

    A program may have hundreds of thousands of symbols. Of two at one address the first.
    """

    def __init__(self, raw: bytes, strings: bytes, layout: Layout, *, extents: bool) -> None:
        """`extents`: of each function code from its beginning to its end; not where the end is unknown, and not what is
        chosen when it is called first (STT_GNU_IFUNC), whose address is that of another function, which chooses."""
        self._symbol, self._strings = layout.symbol, strings
        self._raw = raw = raw[: len(raw) // layout.symbol.size * layout.symbol.size]
        words, width = (memoryview(raw).cast("Q"), 3) if layout is CLASS_64 else (memoryview(raw).cast("I"), 4)
        self._size_field = 5 if layout is CLASS_64 else 2
        mask = SymbolMasks.of(raw, layout).defined_functions
        if extents:
            info_at = 4 if layout is CLASS_64 else 12
            mask = both(mask, raw[info_at :: layout.symbol.size].translate(_IS_CODE))
            mask = both(mask, bytes(map(bool, words[2::width].tolist())))
        numbers = list(places(mask))[::-1]
        self._numbers = dict(zip(map(words[1::width].tolist().__getitem__, numbers), numbers, strict=True))

    @property
    def begins(self) -> Iterable[int]:
        """Link-time addresses."""
        return self._numbers

    def beginning_at(self, begin: int) -> tuple[bytes, int] | None:
        """Name and size in bytes of the function that begins there."""
        number = self._numbers.get(begin)
        if number is None:
            return None
        symbol = self._symbol.unpack_from(self._raw, number * self._symbol.size)
        return cstring(self._strings, symbol[0]), symbol[self._size_field]


class FunctionNames:
    """Of the dynamic symbol table, and of the full one where it is there; of two at one address the first."""

    def __init__(self, elf: ElfFile) -> None:
        """What is damaged has no names."""
        self._tables: list[FunctionTable] = []
        with suppress(ElfError):
            table = SymbolTable(elf)
            if len(table) <= _MOST_SYMBOLS:
                self._tables.append(FunctionTable(table.raw, elf.strings, elf.layout, extents=True))
        with suppress(ElfError):
            sections = read_sections(elf)
            most = _MOST_SYMBOLS * elf.layout.symbol.size
            for section in sections:
                if section.kind == SHT_SYMTAB and section.size <= most and section.link < len(sections):
                    strings = section_bytes(elf, sections[section.link], _MOST_STRINGS)
                    raw = section_bytes(elf, section, most)
                    self._tables.append(FunctionTable(raw, strings, elf.layout, extents=True))
        self._begins = sorted(chain.from_iterable(table.begins for table in self._tables))

    def at(self, address: int) -> NamedFunction | None:
        """The function whose code holds a link-time address; None where none is named."""
        place = bisect_right(self._begins, address)
        if not place:
            return None
        begin = self._begins[place - 1]
        name, size = next(filter(None, (table.beginning_at(begin) for table in self._tables)))
        return NamedFunction(begin, name) if address < begin + size else None
