"""The dynamic symbols of one file: all names in bulk, or single ones through its hash table.

Found through DT_GNU_HASH, DT_HASH or the section header, so that stripped section headers do not matter; read by
`struct` over whole tables, some twenty times faster than an object a symbol.
"""

import struct
from array import array
from collections.abc import Iterable, Sequence, Set
from functools import cached_property, lru_cache
from itertools import compress
from typing import Final, Literal, NamedTuple

from inspector.stream.libraries import Export, Need
from inspector.stream.text import decode

from .file import CLASS_64, DT_GNU_HASH, DT_HASH, DT_STRTAB, DT_SYMTAB, ElfError, ElfFile
from .sections import SHT_DYNSYM, read_sections
from .symbol_masks import places
from .versions import HIDDEN, NeededNode, Versions

SHN_UNDEF, SHN_ABS = 0, 0xFFF1
STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_UNIQUE = 0, 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_IFUNC = 0, 1, 2, 5, 6, 10
_MOST_SYMBOLS: Final = 8_000_000

Kind = Literal["func", "object", "ifunc", "tls", "notype", "other"]
_KINDS: Final[dict[int, Kind]] = {
    STT_NOTYPE: "notype", STT_OBJECT: "object", STT_FUNC: "func", STT_TLS: "tls", STT_IFUNC: "ifunc",
}  # fmt: skip


class Symbol(NamedTuple):
    """One entry of a symbol table (elf(5)), its name left out."""

    name_at: int
    info: int
    other: int
    section: int
    value: int
    size: int

    @property
    def binding(self) -> int:
        """STB_LOCAL, STB_GLOBAL, STB_WEAK: the upper half of st_info (elf(5))."""
        return self.info >> 4

    @property
    def type(self) -> int:
        """STT_FUNC, STT_OBJECT, STT_GNU_IFUNC: the lower half of st_info (elf(5))."""
        return self.info & 15

    @property
    def visible(self) -> bool:
        """Not local, not STV_INTERNAL or STV_HIDDEN: the loader may bind to it."""
        return self.info >> 4 != STB_LOCAL and self.other & 3 not in (1, 2)

    @property
    def defined(self) -> bool:
        """What the loader's look-up takes as a definition (glibc dl-lookup.c, check_match)."""
        return self.section != SHN_UNDEF and (self.value != 0 or self.section == SHN_ABS or self.type == STT_TLS)


class SymbolTable:
    """The dynamic symbols of one open file; raises ElfError when its tables are damaged."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self.versions = Versions(elf)
        self._hash = _GnuHash(elf) if DT_GNU_HASH in elf.dynamic else None
        self.count = self._count()
        self._layout = elf.layout.symbol

    def __len__(self) -> int:
        return self.count

    @cached_property
    def raw(self) -> bytes:
        """The whole table as it lies in the file."""
        address = self._elf.tag(DT_SYMTAB)
        return b"" if address is None else self._elf.read_at(address, self.count * self._layout.size)

    @cached_property
    def version_indices(self) -> "array[int]":
        """The version index of each symbol; empty when the file has none."""
        return self.versions.of_symbols(self.count)

    def load(self) -> None:
        """Read all that the other methods need, so that the file can be closed."""
        _ = self.raw, self.version_indices, self._elf.strings, self.versions.defined, self.versions.needed

    def names(self) -> list[bytes]:
        """All names in table order; the empty first one included."""
        strings, size = self._elf.strings, self._layout.size
        offsets = memoryview(self.raw).cast("I")[:: size // 4] if self.raw else ()
        find = strings.find
        return [strings[at : find(b"\0", at)] for at in offsets]

    def names_of(self, mask: bytes, heads: Set[bytes] | None = None) -> dict[int, bytes]:
        """Names by index of the symbols of a mask, all or those that begin with one of some three bytes."""
        return names_at(self._elf.strings, self.raw, self._layout.size, mask, heads)

    def symbols(self) -> list[Symbol]:
        """All entries in table order."""
        return self.parse(self._elf, self.raw)

    def defined(self) -> bytes:
        """`Symbol.defined` of all entries in table order, one byte each."""
        if self._elf.layout is not CLASS_64:
            return bytes([symbol.defined for symbol in self.symbols()])
        return bytes(
            [
                section != SHN_UNDEF and (value != 0 or section == SHN_ABS or info & 15 == STT_TLS)
                for _, info, _, section, value, _ in self._layout.iter_unpack(self.raw)
            ]
        )

    @staticmethod
    def parse(elf: ElfFile, raw: bytes) -> list[Symbol]:
        """The entries of any symbol table of a file."""
        if elf.layout is CLASS_64:
            return [Symbol(*fields) for fields in elf.layout.symbol.iter_unpack(raw)]
        return [
            Symbol(name, info, other, section, value, size)
            for name, value, size, info, other, section in elf.layout.symbol.iter_unpack(raw)
        ]

    def symbol(self, index: int) -> Symbol:
        """One entry; ElfError when there is none of that index."""
        start = index * self._layout.size
        rows = self.parse(self._elf, self.raw[start : start + self._layout.size])
        if not rows:
            raise ElfError(f"damaged: its symbol table has no entry {index}")
        return rows[0]

    def name(self, index: int) -> bytes:
        """The name of one entry."""
        return self._elf.string(self.symbol(index).name_at)

    def find(self, name: bytes) -> list[int]:
        """Indices of the defined symbols of that name (one for each version), by hash where there is one."""
        indices = self._hash.candidates(name) if self._hash else self._by_name.get(name, [])
        return [i for i in indices if i < self.count and self.symbol(i).defined and self.name(i) == name]

    def defines_any(self, names: Iterable[bytes]) -> bool:
        """Whether one of these names is defined: most files define none, which a filter of theirs tells at once."""
        return any(map(self.find, self._hash.filtered(tuple(names)) if self._hash else names))

    def version(self, index: int) -> tuple[bytes, bool]:
        """Version node of a defined symbol and whether it is the default one of its name."""
        indices = self.version_indices
        version = indices[index] if index < len(indices) else 1
        return self.versions.defined.get(version & ~HIDDEN, b""), not version & HIDDEN

    def needed_version(self, index: int) -> NeededNode | None:
        """Version node that an undefined symbol is expected from."""
        indices = self.version_indices
        return self.versions.needed_by_index.get(indices[index] & ~HIDDEN) if index < len(indices) else None

    def export(self, index: int) -> Export:
        """One defined symbol as a fact for the stream."""
        symbol = self.symbol(index)
        version, default = self.version(index)
        return Export(
            name=decode(self._elf.string(symbol.name_at)),
            version=decode(version),
            default=default,
            kind=_KINDS.get(symbol.type, "other"),
            visible=symbol.visible,
            address=symbol.value,
            size=symbol.size,
            weak=symbol.binding == STB_WEAK,
        )

    def need(self, index: int) -> Need:
        """One undefined symbol as a fact for the stream."""
        symbol = self.symbol(index)
        node = self.needed_version(index)
        return Need(
            name=decode(self._elf.string(symbol.name_at)),
            version=decode(node.node) if node else "",
            file=decode(node.file) if node else "",
            weak=symbol.binding == STB_WEAK,
            function=symbol.type in (STT_FUNC, STT_NOTYPE, STT_IFUNC),
        )

    @cached_property
    def _by_name(self) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for index, name in enumerate(self.names()):
            found.setdefault(name, []).append(index)
        return found

    def _count(self) -> int:
        count = self._count_by_hash() or _count_by_section(self._elf) or _count_by_neighbour(self._elf)
        if count > _MOST_SYMBOLS:
            raise ElfError(f"damaged: a symbol table of {count:,} entries")
        return count

    def _count_by_hash(self) -> int:
        """Number of symbols by the hash tables; 0 when they hide it (an empty DT_GNU_HASH skips undefined ones)."""
        classic = self._elf.tag(DT_HASH)
        if classic is not None:
            return int(struct.unpack("<II", self._elf.read_at(classic, 8))[1])
        return self._hash.count if self._hash else 0


def names_at(strings: bytes, raw: bytes, size: int, mask: bytes, heads: Set[bytes] | None = None) -> dict[int, bytes]:
    """Names by place of the symbols of a mask in any table with entries of `size` bytes; see `SymbolTable.names_of`."""
    found = zip(places(mask), compress(memoryview(raw).cast("I")[:: size // 4] if raw else (), mask), strict=False)
    if heads is not None:
        found = ((index, at) for index, at in found if strings[at : at + 3] in heads)  # type: ignore[assignment]
    find = strings.find
    return {index: strings[at : find(b"\0", at)] for index, at in found}


def exports_any(open_path: bytes, names: Iterable[bytes]) -> bool:
    """Whether a file defines one of these names, by its hash table alone; raises ElfError when it cannot be read."""
    with ElfFile(open_path) as elf:
        table = SymbolTable(elf)
        return table.defines_any(names)


class _GnuHash:
    """The DT_GNU_HASH table: buckets and chains of hash values (glibc elf/dl-lookup.c, do_lookup_x)."""

    def __init__(self, elf: ElfFile) -> None:
        address = elf.tag(DT_GNU_HASH) or 0
        buckets, self.first, bloom, self._shift = struct.unpack("<4I", elf.read_at(address, 16))
        self._elf = elf
        if max(buckets, bloom) > _MOST_SYMBOLS:
            raise ElfError(f"damaged: a hash table of {buckets:,} buckets, a filter of {bloom:,} words")
        self._filter_at, self._filter_size = elf.offset_of(address) + 16, bloom * elf.layout.word_bits // 8
        at = self._filter_at + self._filter_size
        self.buckets = array("I", elf.read(at, 4 * buckets))
        self._chains_at = at + 4 * buckets

    @cached_property
    def count(self) -> int:
        """One more than the last symbol of the last chain; 0 when no symbol is hashed."""
        last = max(self.buckets, default=0)
        if last < self.first or last == 0:
            return 0
        while True:
            chunk = array("I")
            raw = self._elf.read_some(self._chains_at + 4 * (last - self.first), 4096)
            chunk.frombytes(raw[: len(raw) & ~3])
            if not chunk:
                raise ElfError("truncated: its hash table has no end")
            for value in chunk:
                last += 1
                if value & 1:
                    return last

    @cached_property
    def _chains(self) -> "array[int]":
        size = 4 * max(self.count - self.first, 0)
        return array("I", self._elf.read(self._chains_at, size))

    def filtered(self, names: tuple[bytes, ...]) -> Sequence[bytes]:
        """Those of the names that may be in the table, by its Bloom filter: a few too many, none too few."""
        words, bits, shift = self._filter, self._elf.layout.word_bits, self._shift
        if not words:
            return names
        size = len(words)
        return [
            name
            for name, value in _hashed(names)
            if (word := words[value // bits % size]) >> value % bits & word >> (value >> shift) % bits & 1
        ]

    @cached_property
    def _filter(self) -> "array[int]":
        words = array("Q" if self._elf.layout.word_bits == 64 else "I")
        words.frombytes(self._elf.read(self._filter_at, self._filter_size))
        return words

    def candidates(self, name: bytes) -> list[int]:
        """Indices of symbols with the same hash value."""
        wanted = gnu_hash(name)
        index = self.buckets[wanted % len(self.buckets)] if self.buckets else 0
        if index < self.first:
            return []
        found: list[int] = []
        for at in range(index - self.first, len(self._chains)):
            value = self._chains[at]
            if value | 1 == wanted | 1:
                found.append(at + self.first)
            if value & 1:
                break
        return found


@lru_cache(4096)
def gnu_hash(name: bytes) -> int:
    """The hash function of DT_GNU_HASH."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


@lru_cache(16)
def _hashed(names: tuple[bytes, ...]) -> list[tuple[bytes, int]]:
    return [(name, gnu_hash(name)) for name in names]


def _count_by_section(elf: ElfFile) -> int:
    """Size of .dynsym, for files that export nothing and so have an empty hash table."""
    for section in read_sections(elf):
        if section.kind == SHT_DYNSYM and section.address == elf.tag(DT_SYMTAB):
            return section.size // elf.layout.symbol.size
    return 0


def _count_by_neighbour(elf: ElfFile) -> int:
    """All linkers put the string table behind the symbol table: the last resort."""
    symbols, strings = elf.tag(DT_SYMTAB), elf.tag(DT_STRTAB)
    if symbols is None or strings is None or strings < symbols:
        return 0
    return (strings - symbols) // elf.layout.symbol.size
