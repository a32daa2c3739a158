"""All dynamic symbols of many files, searched at typing speed: answers `ReadSymbols` with a `SymbolPage`.

A search gives a mask, one byte a name: two masks are joined as two big integers, counted and cut without a Python loop.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Final

from inspector.stream.requests import ReadSymbols, SymbolPage, SymbolRow
from inspector.stream.text import decode

from .demangle import demangle
from .file import ElfFile
from .symbols import SymbolTable

_KEPT_SEARCHES: Final = 8
_CHUNK: Final = 4096
_ABOVE_LATIN: Final = "\u0100"
_ALL: Final = "all"


class FileSymbols:
    """The named dynamic symbols of one file in case-insensitive order of names; the file is closed again."""

    def __init__(self, open_path: bytes, path: str, file: str) -> None:
        """Raises ElfError when the file or its tables cannot be read."""
        self.path, self.file = path, file
        with ElfFile(open_path) as elf:
            self.table = SymbolTable(elf)
            lowered = [name.decode("latin-1").lower() for name in self.table.names()]
            defined = [symbol.defined for symbol in self.table.symbols()]
            self.table.load()
        self.order = array("I", sorted((i for i, name in enumerate(lowered) if name), key=lowered.__getitem__))
        self.lowered = [lowered[i] for i in self.order]
        self.defined = bytes([defined[i] for i in self.order])

    def __len__(self) -> int:
        return len(self.order)

    def beginning(self, start: str) -> tuple[int, int]:
        """The span of names that begin with a text."""
        return bisect_left(self.lowered, start), bisect_left(self.lowered, start + _ABOVE_LATIN)

    def row(self, place: int) -> SymbolRow:
        """The row at one place of the name order."""
        index = self.order[place]
        return SymbolRow(
            file=self.file,
            path=self.path,
            symbol=self.table.export(index),
            defined=bool(self.defined[place]),
            demangled=decode(demangle(self.table.name(index))),
        )


class SymbolIndex:
    """The symbols of the files of one process, in the order given (link-map order shows who wins)."""

    def __init__(self, files: Sequence[FileSymbols]) -> None:
        self._files = [symbols for symbols in files if len(symbols)]
        self._count_of_files = len(files)
        self._names: list[str] = []
        self._starts: list[int] = []
        for symbols in self._files:
            self._starts.append(len(self._names))
            self._names += symbols.lowered
        self._defined = b"".join(symbols.defined for symbols in self._files)
        self._searches: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._names)

    def page(self, request: ReadSymbols, at: int) -> SymbolPage:
        """The rows that a request asks for, and how many match."""
        first, end = self._span(request.file)
        mask = self._matching(request)[first:end]
        places = _set_places(mask, max(request.offset, 0), max(request.limit, 0))
        return SymbolPage(
            at=at,
            id=request.id,
            total=mask.count(1),
            offset=max(request.offset, 0),
            rows=[self._row(first + place) for place in places],
            files=int(end > first) if request.file else self._count_of_files,
            all_total=end - first,
        )

    def _span(self, file: str) -> tuple[int, int]:
        if not file:
            return 0, len(self._names)
        for start, symbols in zip(self._starts, self._files, strict=True):
            if symbols.file == file:
                return start, start + len(symbols)
        return 0, 0

    def _row(self, place: int) -> SymbolRow:
        number = bisect_right(self._starts, place) - 1
        return self._files[number].row(place - self._starts[number])

    def _matching(self, request: ReadSymbols) -> bytes:
        """The mask of all names that a request's filter and kind let through."""
        needles = {needle for part in request.filter.lower().split("|") if (needle := part.strip()) not in ("", "^")}
        found = _either([self._search(needle) for needle in needles]) if needles else b"\1" * len(self)
        if request.kind == _ALL:
            return found
        undefined = self._defined.translate(bytes([1, 0, *range(2, 256)]))
        return _both(found, self._defined if request.kind == "defined" else undefined)

    def _search(self, needle: str) -> bytes:
        """The mask of the names that hold one needle, or with a leading `^` begin with it."""
        if needle in self._searches:
            self._searches.move_to_end(needle)
            return self._searches[needle]
        found = self._search_starts(needle[1:]) if needle.startswith("^") else self._search_inside(needle)
        self._searches[needle] = found
        if len(self._searches) > _KEPT_SEARCHES:
            self._searches.popitem(last=False)
        return found

    def _search_starts(self, start: str) -> bytes:
        mask = bytearray(len(self))
        for base, symbols in zip(self._starts, self._files, strict=True):
            first, end = symbols.beginning(start)
            mask[base + first : base + end] = b"\1" * (end - first)
        return bytes(mask)

    def _search_inside(self, needle: str) -> bytes:
        """Each keystroke narrows what an earlier, shorter needle found; only a first one walks over all names."""
        names = self._names
        earlier = [mask for other, mask in self._searches.items() if other[0] != "^" and other in needle]
        narrowest = min(earlier, key=lambda mask: mask.count(1), default=None)
        if narrowest is None or narrowest.count(1) * 4 > len(names):
            return bytes([needle in name for name in names])
        mask = bytearray(len(names))
        for place in compress(range(len(names)), narrowest):
            if needle in names[place]:
                mask[place] = 1
        return bytes(mask)


def _either(masks: Sequence[bytes]) -> bytes:
    joined = 0
    for mask in masks:
        joined |= int.from_bytes(mask, "little")
    return joined.to_bytes(len(masks[0]), "little")


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _set_places(mask: bytes, skip: int, limit: int) -> Iterator[int]:
    """The places of up to `limit` set bytes behind the first `skip` ones."""
    at = 0
    while at < len(mask) and (inside := mask.count(1, at, at + _CHUNK)) <= skip:
        skip -= inside
        at += _CHUNK
    at -= 1
    for number in range(skip + limit):
        at = mask.find(1, at + 1)
        if at < 0:
            return
        if number >= skip:
            yield at
