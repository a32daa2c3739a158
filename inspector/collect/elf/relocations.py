"""Where the loader writes addresses into a file's memory: GOT slots of functions, and all other relocated words."""

import itertools
from array import array
from collections.abc import Collection
from typing import Final

import msgspec

from .file import DT_FLAGS, DT_FLAGS_1, ElfError, ElfFile
from .processors.processor import Relocations, processors
from .symbols import SymbolTable

_DT_RELA, _DT_RELASZ, _DT_JMPREL, _DT_PLTRELSZ = 7, 8, 23, 2
_DT_RELR, _DT_RELRSZ = 36, 35
_PT_GNU_RELRO: Final = 0x6474E552
_DT_BIND_NOW: Final = 24
_DF_BIND_NOW, _DF_1_NOW = 0x8, 0x1
_ENTRY: Final = 24
_MOST_BYTES: Final = 1 << 28
_ENOUGH_OTHERS: Final = 256


class FunctionSlot(msgspec.Struct, frozen=True):
    """A word that holds the address of an imported function."""

    name: bytes
    address: int
    """Link-time address of the word."""
    lazy: bool
    """A PLT slot that may be bound at the first call."""


class FunctionSlots(msgspec.Struct, frozen=True):
    """The slots of one file."""

    wanted: list[FunctionSlot]
    """Those of the names asked for."""
    others: list[int]
    """Link-time addresses of some other PLT slots: one that is unbound shows that the file was loaded lazily."""


def function_slots(open_path: bytes, names: Collection[bytes]) -> FunctionSlots:
    """GOT slots of imported functions by name; raises ElfError."""
    with ElfFile(open_path) as elf:
        table = SymbolTable(elf)
        found = table.names()
        at_once = binds_now(elf)
        slots = FunctionSlots([], [])
        types = _types(elf)
        if types is None:
            return slots
        words = relocation_words(elf)
        for offset, info in zip(words[::3], words[1::3], strict=True):
            kind, symbol = info & 0xFFFFFFFF, info >> 32
            if not symbol or kind not in (types.word, types.glob_dat, types.jump_slot) or symbol >= len(found):
                continue
            if found[symbol] in names and not table.symbol(symbol).section:
                slots.wanted.append(FunctionSlot(found[symbol], offset, kind == types.jump_slot and not at_once))
            elif kind == types.jump_slot and len(slots.others) < _ENOUGH_OTHERS:
                slots.others.append(offset)
        return slots


def _types(elf: ElfFile) -> Relocations | None:
    processor = processors().get(elf.machine_number)
    return processor.relocations if processor is not None else None


def binds_now(elf: ElfFile) -> bool:
    """Whether the file itself asks to have everything bound when it is loaded."""
    flags, more = elf.tag(DT_FLAGS) or 0, elf.tag(DT_FLAGS_1) or 0
    return _DT_BIND_NOW in elf.dynamic or bool(flags & _DF_BIND_NOW) or bool(more & _DF_1_NOW)


def relocation_words(elf: ElfFile) -> "array[int]":
    """All entries of DT_RELA, then of DT_JMPREL, as they are applied: three words each (address, info, addend)."""
    return array("Q", _table(elf, _DT_RELA, _DT_RELASZ) + _table(elf, _DT_JMPREL, _DT_PLTRELSZ))


def _table(elf: ElfFile, tag: int, size_tag: int) -> bytes:
    address, size = elf.tag(tag), elf.tag(size_tag) or 0
    if address is None or not size:
        return b""
    if size > _MOST_BYTES:
        raise ElfError(f"damaged: relocations of {size:,} bytes")
    return elf.read_at(address, size // _ENTRY * _ENTRY)


def relocated_words(open_path: bytes) -> frozenset[int]:
    """Link-time addresses of all words that the loader fills in: tables of pointers, vtables, GOT; raises ElfError."""
    with ElfFile(open_path) as elf:
        return frozenset(relocation_words(elf)[::3]) | frozenset(_packed(elf))


def sealed_words(open_path: bytes) -> list[tuple[int, int]]:
    """Words that the loader sets to the load bias plus a number, and write-protects then (PT_GNU_RELRO): link-time
    address and number, the first few; raises ElfError."""
    with ElfFile(open_path) as elf:
        types = _types(elf)
        if types is None:
            return []
        sealed = [(s.address, s.address + s.memory_size) for s in elf.segments if s.kind == _PT_GNU_RELRO]
        words = relocation_words(elf)
        entries = zip(words[::3], words[1::3], words[2::3], strict=True)
        own = ((at, number) for at, info, number in entries if info == types.relative)
        within = ((at, number) for at, number in own if any(low <= at and at + 8 <= high for low, high in sealed))
        return list(itertools.islice(within, _ENOUGH_OTHERS))


def _packed(elf: ElfFile) -> list[int]:
    """DT_RELR: an even word is an address, an odd one a bitmap of the 63 words behind it (generic ABI, SHT_RELR)."""
    address, size = elf.tag(_DT_RELR), elf.tag(_DT_RELRSZ) or 0
    if address is None or not size or size > _MOST_BYTES:
        return []
    found: list[int] = []
    at = 0
    for word in array("Q", elf.read_at(address, size & ~7)):
        if not word & 1:
            found.append(word)
            at = word + 8
        else:
            found += [at + 8 * bit for bit in range(63) if word >> bit + 1 & 1]
            at += 63 * 8
    return found
