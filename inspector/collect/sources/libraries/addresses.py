"""Which file lies at an address of a process: at once after it was mapped, and still after the process has ended."""

import sys
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from inspector.stream.text import decode

from ...elf.file import ElfError, ElfFile
from ...elf.function_names import FunctionTable
from ...elf.symbols import SymbolTable
from ...kernel import procfs
from ...kernel.records import Executed, Forked, Mapped
from ..contract import Tracked, Tree, TreeObserver
from ..processes.feed import Feed
from ..tolerant_reads import attempt
from .library_summaries import same_file

_FILES_KEPT = 256
_MOST_SYMBOLS = 20_000
_LOOKS_PER_SECOND = 5
_DELETED = b" (deleted)"
_NO_FILE = (b"", b"//anon")
"""What the kernel's records call memory of no file."""


class CodeRange(msgspec.Struct, frozen=True):
    """A stretch of a process's memory that holds code of a file."""

    start: int
    end: int
    path: str
    """As the process sees it; `[anon]`, `[vdso]` and the like where it is no file."""
    file: str
    """Identity `MAJOR:MINOR:INODE`; empty where it is no file."""
    offset: int
    open_path: bytes

    def holds(self, address: int) -> bool:
        """Whether the address lies in it."""
        return self.start <= address < self.end


class Addresses(TreeObserver):
    """Remembers the kernel's own mapping records; what was mapped before them is taken from the tree."""

    def __init__(self, tree: Tree, feed: Feed) -> None:
        """Create it before the sources that ask it: it must hear each record first."""
        self._tree = tree
        self._told: dict[int, list[CodeRange]] = {}
        self._before: dict[int, list[CodeRange]] = {}
        """Of the program before the last exec: counts of its calls may still be on their way."""
        self._looked: dict[int, int] = {}
        feed.listen(Forked, self._forked)
        feed.listen(Executed, self._executed)
        feed.listen(Mapped, self._mapped)
        tree.watch(self)

    def forgotten(self, process: Tracked) -> None:
        """Nobody asks for it any more."""
        for each in (self._told, self._before, self._looked):
            each.pop(process.pid, None)

    def find(self, pid: int, address: int) -> CodeRange | None:
        """What lies at an address; None when it is unknown (yet)."""
        for place in self._places(pid):
            if place.holds(address):
                return place
        return None

    def places(self, pid: int) -> list[CodeRange]:
        """All that is known to lie in a process, the newest first; for other threads to search."""
        return list(self._places(pid))

    def library(self, pid: int, base: int) -> CodeRange | None:
        """The file that is loaded with this load bias: its code is the first that lies above."""
        process = self._tree.find(pid)
        for mapping in process.mappings.values() if process else ():
            if mapping.base == base:
                return CodeRange(
                    mapping.start, mapping.end, mapping.path, mapping.file, mapping.offset, mapping.open_path
                )
        above = [place for place in self._places(pid) if place.start >= base and place.file]
        nearest = min(above, key=lambda place: place.start, default=None)
        return nearest if nearest is not None and nearest.start - base <= nearest.offset + procfs.PAGE else None

    def owner(self, pid: int, address: int, now: int) -> CodeRange | None:
        """Like `find`, but looks at /proc for data and for code of no file; a few times a second at most."""
        place = self.find(pid, address)
        if place is not None or address == 0 or now - self._looked.get(pid, 0) < 1e9 / _LOOKS_PER_SECOND:
            return place
        self._looked[pid] = now
        for line in attempt(lambda: procfs.maps(pid), list[procfs.MapLine]()):
            if line.start <= address < line.end:
                found = CodeRange(
                    line.start, line.end, decode(line.path) or "[anon]", line.file if line.inode else "",
                    line.offset, line.path,
                )  # fmt: skip
                self._told.setdefault(pid, []).append(found)
                return found
        return None

    def _places(self, pid: int) -> Iterator[CodeRange]:
        """Newest first: a later mapping replaces what was there."""
        yield from reversed(self._told.get(pid, ()))
        process = self._tree.find(pid)
        for mapping in process.mappings.values() if process else ():
            yield CodeRange(mapping.start, mapping.end, mapping.path, mapping.file, mapping.offset, mapping.open_path)
        yield from self._before.get(pid, ())

    def _forked(self, record: Forked) -> None:
        self._told[record.pid] = list(self._told.get(record.ppid, ()))

    def _executed(self, record: Executed) -> None:
        self._before[record.pid] = self._told.pop(record.pid, [])
        self._told[record.pid] = []

    def _mapped(self, record: Mapped) -> None:
        path, shown = _shared(record.path.removesuffix(_DELETED))
        file = sys.intern(procfs.file_key(record.major, record.minor, record.inode)) if record.inode else ""
        end = record.start + record.length
        place = CodeRange(record.start, end, shown, file, record.offset, path)
        self._told.setdefault(record.pid, []).append(place)


@lru_cache(4096)
def _shared(path: bytes) -> tuple[bytes, str]:
    """A path and its harmless text, once for all processes that map the file."""
    return path, "[anon]" if path in _NO_FILE else decode(path)


class _Exports(msgspec.Struct, frozen=True):
    """What a file exports; it is closed."""

    elf: ElfFile
    functions: FunctionTable


class SymbolNames:
    """Names of exported functions by address, each file read once; large files are left out."""

    def __init__(self) -> None:
        self._files: dict[str, _Exports | None] = {}

    def at(self, place: CodeRange, address: int) -> str:
        """The exported function that begins at an address of a process; empty when there is none or it is unknown."""
        if not place.file:
            return ""
        if place.file not in self._files:
            if len(self._files) >= _FILES_KEPT:
                self._files.clear()
            self._files[place.file] = _exports(place)
        exports = self._files[place.file]
        if exports is None:
            return ""
        found = exports.functions.beginning_at(exports.elf.address_of(address - place.start + place.offset))
        return decode(found[0]) if found is not None else ""


def _exports(place: CodeRange) -> _Exports | None:
    """None for a file that cannot be read any more."""
    try:
        with ElfFile(place.open_path) as elf:
            table = SymbolTable(elf)
            if not same_file(elf.identity, place.file) or len(table) > _MOST_SYMBOLS:
                return None
            return _Exports(elf, FunctionTable(table.raw, elf.strings, elf.layout, extents=False))
    except (ElfError, OSError):
        return None
