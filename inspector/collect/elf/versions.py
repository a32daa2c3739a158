"""Symbol versions: which node each dynamic symbol belongs to (GNU symbol versioning, LSB core 4.1, section 11.7)."""

import struct
from array import array
from collections.abc import Iterator
from functools import cached_property
from typing import Final

import msgspec

from .file import DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM, ElfFile

HIDDEN: Final = 0x8000
"""Bit of a symbol's version index: name@node, not name@@node."""
BASE_FLAG, WEAK_FLAG = 1, 2
_DEFINITION: Final = struct.Struct("<HHHHIII")
_NEED: Final = struct.Struct("<HHIII")
_NEEDED_NODE: Final = struct.Struct("<IHHII")
_MOST_ENTRIES: Final = 0x7FFF
_MOST_BYTES: Final = 256 << 10


class NeededNode(msgspec.Struct, frozen=True):
    """A version node that this file expects another file to define."""

    file: bytes
    node: bytes
    weak: bool
    index: int
    """Version index by which symbols refer to it."""
    hidden: bool = False
    """Bit 15 of vna_other: no default of another node will do."""


class Versions:
    """The version tables of one file."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf

    def of_symbols(self, count: int) -> "array[int]":
        """The version index of each of `count` dynamic symbols; empty when the file has no versions."""
        address = self._elf.tag(DT_VERSYM)
        found = array("H")
        if address is not None:
            found.frombytes(self._elf.read_at(address, 2 * count))
        return found

    @cached_property
    def defined(self) -> dict[int, bytes]:
        """Index -> node of all nodes that the file defines, the base node left out."""
        return {index: node for index, node, base in self._definitions() if not base}

    @cached_property
    def all_names(self) -> frozenset[bytes]:
        """All nodes that the file defines, the base node (by custom its SONAME) included."""
        return frozenset(node for _, node, _ in self._definitions())

    @property
    def has_definitions(self) -> bool:
        """Whether there is any .gnu.version_d: without one the loader takes any name as it is."""
        return DT_VERDEF in self._elf.dynamic

    @cached_property
    def needed(self) -> list[NeededNode]:
        """All nodes that the file expects of others, in the file's order."""
        return list(self._needs())

    @cached_property
    def needed_by_index(self) -> dict[int, NeededNode]:
        """The same by version index."""
        return {need.index: need for need in self.needed}

    def _table(self, tag: int) -> bytes:
        address = self._elf.tag(tag)
        return b"" if address is None else self._elf.read_some(self._elf.offset_of(address), _MOST_BYTES)

    def _definitions(self) -> Iterator[tuple[int, bytes, bool]]:
        raw = self._table(DT_VERDEF)
        at = 0
        for _ in range(min(self._elf.tag(DT_VERDEFNUM) or 0, _MOST_ENTRIES)):
            if at + _DEFINITION.size > len(raw):
                return
            _, flags, index, _, _, aux, step = _DEFINITION.unpack_from(raw, at)
            if at + aux + 4 <= len(raw):
                name = int.from_bytes(raw[at + aux : at + aux + 4], "little")
                yield index & ~HIDDEN, self._elf.string(name), bool(flags & BASE_FLAG)
            if not step:
                return
            at += step

    def _needs(self) -> Iterator[NeededNode]:
        raw = self._table(DT_VERNEED)
        at = 0
        budget = _MOST_ENTRIES
        for _ in range(min(self._elf.tag(DT_VERNEEDNUM) or 0, _MOST_ENTRIES)):
            if at + _NEED.size > len(raw):
                return
            _, count, file, aux, step = _NEED.unpack_from(raw, at)
            for need in self._nodes(raw, at + aux, min(count, budget), self._elf.string(file)):
                budget -= 1
                yield need
            if not step:
                return
            at += step

    def _nodes(self, raw: bytes, at: int, count: int, file: bytes) -> Iterator[NeededNode]:
        for _ in range(count):
            if at + _NEEDED_NODE.size > len(raw):
                return
            _, flags, index, name, step = _NEEDED_NODE.unpack_from(raw, at)
            yield NeededNode(
                file, self._elf.string(name), bool(flags & WEAK_FLAG), index & ~HIDDEN, bool(index & HIDDEN)
            )
            if not step:
                return
            at += step
