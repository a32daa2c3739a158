"""All dynamic symbols of many files, searched at typing speed: answers `ReadSymbols` with a `SymbolPage`.

A search gives a mask, one byte a name: two masks are joined as two big integers, counted and cut without a Python loop.
"""

import re
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from inspector.stream.patterns import Pattern, typed
from inspector.stream.requests import ReadSymbols, SymbolPage, SymbolRow
from inspector.stream.text import decode

from .demangle import demangle
from .file import ElfFile
from .name_text import NameText, lowered
from .symbols import SymbolTable

_KEPT_SEARCHES: Final = 8
_CHUNK: Final = 4096
_ALL: Final = "all"
_OTHERS: Final = bytes([1, 0, *range(2, 256)])
_SIMPLE: Final = re.compile(r"\^?[^\\.^$*+?{}\[\]()]+")


class FileSymbols:
    """The named dynamic symbols of one file in case-insensitive order of names; the file is closed again."""

    def __init__(self, open_path: bytes, path: str, file: str) -> None:
        """Raises ElfError when the file or its tables cannot be read."""
        self.path, self.file = path, file
        with ElfFile(open_path) as elf:
            self.table = SymbolTable(elf)
            names = lowered(self.table.names())
            defined = self.table.defined()
            self.table.load()
        self.order = array("I", sorted((i for i, name in enumerate(names) if name), key=names.__getitem__))
        self.text = NameText([names[i] for i in self.order])
        self.defined = bytes([defined[i] for i in self.order])

    def __len__(self) -> int:
        return len(self.order)

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
        self._starts: list[int] = []
        self._count = 0
        for symbols in self._files:
            self._starts.append(self._count)
            self._count += len(symbols)
        self._defined = b"".join(symbols.defined for symbols in self._files)
        self._searches: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return self._count

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
            return 0, len(self)
        for start, symbols in zip(self._starts, self._files, strict=True):
            if symbols.file == file:
                return start, start + len(symbols)
        return 0, 0

    def _row(self, place: int) -> SymbolRow:
        number = bisect_right(self._starts, place) - 1
        return self._files[number].row(place - self._starts[number])

    def _matching(self, request: ReadSymbols) -> bytes:
        """The mask of all names that a request's filter and kind let through."""
        pattern = typed(request.filter)
        found = b"\1" * len(self)
        if pattern is not None:
            found = self._search(pattern)
            found = found.translate(_OTHERS) if pattern.inverse else found
        if request.kind == _ALL:
            return found
        undefined = self._defined.translate(_OTHERS)
        return _both(found, self._defined if request.kind == "defined" else undefined)

    def _search(self, pattern: Pattern) -> bytes:
        """The mask of the names that a pattern matches, its inversion left aside."""
        needles = _needles(pattern)
        if needles:
            return _either([self._kept(needle, partial(NameText.holding, needle=needle)) for needle in needles])
        return self._kept(f"{pattern.kind} {pattern.expression}", lambda one: one.matching(pattern))

    def _kept(self, name: str, look: Callable[[NameText], bytes]) -> bytes:
        """The mask of one search over all files, kept for the next page."""
        if name in self._searches:
            self._searches.move_to_end(name)
            return self._searches[name]
        found = self._searches[name] = b"".join(look(symbols.text) for symbols in self._files)
        if len(self._searches) > _KEPT_SEARCHES:
            self._searches.popitem(last=False)
        return found


def _needles(pattern: Pattern) -> list[str]:
    """The texts, with `^` where names begin with them, of a pattern that asks for nothing else; empty for any other."""
    if pattern.kind == "text":
        return [pattern.literal]
    parts = set(pattern.expression.lower().split("|"))
    simple = pattern.kind == "regex" and all(_SIMPLE.fullmatch(part) for part in parts)
    return sorted(parts) if simple else []


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
