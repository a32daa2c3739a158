"""What the loader uses of one file, checked as the loader checks it (glibc 2.36 elf/dl-load.c, open_verify)."""

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from threading import Lock
from typing import Final

import msgspec

from inspector.collect.access.opening import NotRegularError, open_regular

from .file import (
    DF_1_NODEFLIB,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    DT_VERSYM,
    ET_DYN,
    ET_EXEC,
    PT_DYNAMIC,
    PT_LOAD,
    ElfError,
    ElfFile,
    TruncatedError,
)
from .processors.here import HERE
from .relocations import relocation_words
from .symbols import STB_GLOBAL, STB_LOCAL, STB_UNIQUE, STB_WEAK, STT_FUNC, STT_IFUNC, STT_NOTYPE, SymbolTable
from .versions import HIDDEN, NeededNode

_DF_1_PIE: Final = 0x08000000
_BINDABLE: Final = frozenset([STB_GLOBAL, STB_WEAK, STB_UNIQUE])
_TYPES: Final = frozenset([0, 1, 2, 5, 6, 10])
"""ALLOWED_STT of dl-lookup.c: NOTYPE, OBJECT, FUNC, COMMON, TLS, GNU_IFUNC."""
_MOST_KEPT: Final = 256
_PAGE: Final = 4096


class RefusedError(Exception):
    """A file that the loader refuses; the message is its own words."""

    def __init__(self, words: str, *, number: int = 0, skipped: bool = False) -> None:
        super().__init__(words)
        self.number = number
        """errno, where the loader adds it."""
        self.skipped = skipped
        """In a search it goes on to the next folder instead of giving up: another class or processor."""


WRONG_CLASS: Final = "wrong ELF class: ELFCLASS32"


class Offer(msgspec.Struct, frozen=True):
    """A definition that others can bind to."""

    node: bytes
    """Version node; empty for the base version, which fits any."""
    hidden: bool
    """name@node: only for those who ask for the node."""
    index: int
    """Version index without the hidden bit; 1 when the file has no versions."""


class Reference(msgspec.Struct, frozen=True):
    """An undefined symbol that a relocation refers to."""

    name: bytes
    weak: bool
    function: bool
    node: NeededNode | None


class Symbols:
    """What a file offers and what its relocations ask for."""

    def __init__(self, elf: ElfFile) -> None:
        self._table = SymbolTable(elf)
        self._names = self._table.names()
        self._table.load()
        self.has_versions = DT_VERSYM in elf.dynamic
        """It has a .gnu.version table, be it only for what it needs."""
        self.has_definitions = self._table.versions.has_definitions
        self.nodes = self._table.versions.all_names
        """Nodes that it defines, its base node (by custom its SONAME) included."""
        self.needed_nodes = self._table.versions.needed
        self.references = list(self._references(elf))

    @cached_property
    def offers(self) -> dict[bytes, list[Offer]]:
        """Definitions by name; several when they differ in their versions."""
        offers: dict[bytes, list[Offer]] = {}
        indices, defined = self._table.version_indices, self._table.versions.defined
        for place, symbol in enumerate(self._table.symbols()):
            if symbol.defined and symbol.visible and symbol.binding in _BINDABLE and symbol.type in _TYPES:
                version = indices[place] if place < len(indices) else 1
                offer = Offer(defined.get(version & ~HIDDEN, b""), bool(version & HIDDEN), version & ~HIDDEN)
                offers.setdefault(self._names[place], []).append(offer)
        return offers

    def _references(self, elf: ElfFile) -> Iterator[Reference]:
        """Undefined symbols as relocating meets them; one that no relocation names is never looked up."""
        symbols = self._table.symbols()
        for place in dict.fromkeys(info >> 32 for info in relocation_words(elf)[1::3] if info >> 32):
            if place >= len(symbols):
                raise ElfError("damaged: a relocation refers to a symbol that is not there")
            symbol = symbols[place]
            if symbol.section == 0 and symbol.binding != STB_LOCAL:
                function = symbol.type in (STT_FUNC, STT_NOTYPE, STT_IFUNC)
                weak = symbol.binding == STB_WEAK
                yield Reference(self._names[place], weak, function, self._table.needed_version(place))


class Library:
    """One file as the loader sees it; symbols are read when they are first needed."""

    def __init__(self, open_path: bytes, elf: ElfFile) -> None:
        self.open_path = open_path
        self.identity = elf.identity
        self.soname = next(iter(elf.tag_strings(DT_SONAME)), None)
        self.needed = elf.tag_strings(DT_NEEDED)
        self.runpath = next(iter(elf.tag_strings(DT_RUNPATH)), None)
        self.rpath = None if self.runpath is not None else next(iter(elf.tag_strings(DT_RPATH)), None)
        """DT_RPATH; the loader does not look at it when there is a DT_RUNPATH."""
        flags = elf.tag(DT_FLAGS_1) or 0
        self.no_default_folders = bool(flags & DF_1_NODEFLIB)
        self.refusal = _refusal(elf, flags)
        """Why it cannot be loaded as a library, in the loader's words; empty when it can."""

    @cached_property
    def symbols(self) -> Symbols:
        """Raises ElfError when its tables are damaged or the file is another one by now."""
        with ElfFile(self.open_path) as elf:
            if elf.identity != self.identity:
                raise ElfError("replaced while it was read")
            return Symbols(elf)


def _refusal(elf: ElfFile, flags: int) -> str:
    if not any(segment.kind == PT_LOAD for segment in elf.segments):
        return "object file has no loadable segments"
    if not any(segment.kind == PT_DYNAMIC for segment in elf.segments):
        return "object file has no dynamic section"
    if elf.kind == ET_EXEC:
        return "cannot dynamically load executable"
    if flags & _DF_1_PIE:
        return "cannot dynamically load position-independent executable"
    return ""


class LibraryCache:
    """Libraries that were read before, by file and its times; safe for several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], Library] = OrderedDict()
        self._lock = Lock()

    def read(self, open_path: bytes, machine: int = HERE.machine) -> Library:
        """Check and read a file as the loader of a processor would; raises OSError, RefusedError or ElfError."""
        status = os.stat(open_path)
        key = f"{status.st_dev}:{status.st_ino}:{machine}", status.st_mtime_ns, status.st_size
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        verify(open_path, machine)
        library = _read(open_path)
        with self._lock:
            self._kept[key] = library
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return library


def _read(open_path: bytes) -> Library:
    try:
        with ElfFile(open_path) as elf:
            return Library(open_path, elf)
    except TruncatedError as error:
        if _maps_beyond_end(error):
            raise RefusedError(f"{error}: the process that loads it dies of SIGBUS") from None
        raise


def _maps_beyond_end(error: TruncatedError) -> bool:
    """Whether what is missing begins on a page behind the file's last one; the rest of that page reads as zeros."""
    return error.offset >= -(-error.size // _PAGE) * _PAGE


def verify(open_path: bytes, machine: int = HERE.machine) -> None:
    """The loader's checks of a file's first bytes, in its order and words (dl-load.c); RefusedError."""
    try:
        fd = open_regular(open_path)
    except NotRegularError as error:
        if error.errno == errno.EISDIR:
            raise RefusedError("cannot read file data", number=errno.EISDIR) from None
        raise ElfError(error.strerror) from None
    try:
        head, size = os.pread(fd, 64, 0), os.fstat(fd).st_size
    finally:
        os.close(fd)
    if len(head) < 64:
        raise RefusedError("file too short")
    if head[:4] != b"\x7fELF":
        raise RefusedError("invalid ELF header")
    if head[4] != 2:
        raise RefusedError(WRONG_CLASS, skipped=True)
    if why := _wrong_ident(head):
        raise RefusedError(why)
    if int.from_bytes(head[20:24], "little") != 1:
        raise RefusedError("ELF file version does not match current one")
    if int.from_bytes(head[18:20], "little") != machine:
        raise RefusedError("made for another processor", skipped=True)
    if int.from_bytes(head[16:18], "little") not in (ET_EXEC, ET_DYN):
        raise RefusedError("only ET_DYN and ET_EXEC can be loaded")
    if int.from_bytes(head[54:56], "little") != 56:
        raise RefusedError("ELF file's phentsize not the expected size")
    if int.from_bytes(head[32:40], "little") + 56 * int.from_bytes(head[56:58], "little") > size:
        raise RefusedError("cannot read file data")


def _wrong_ident(head: bytes) -> str:
    if head[5] != 1:
        return "ELF file data encoding not little-endian"
    if head[6] != 1:
        return "ELF file version ident does not match current one"
    if head[7] not in (0, 3):
        return "ELF file OS ABI invalid"
    if head[8] > (4 if head[7] == 3 else 0):
        return "ELF file ABI version invalid"
    return "nonzero padding in e_ident" if any(head[9:16]) else ""
