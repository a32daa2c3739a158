"""All dynamic symbols of many files, searched at typing speed: answers `ReadSymbols` with a `SymbolPage`.

A search gives a mask, one byte a name: two masks are joined as two big integers, counted and cut without a Python loop.
"""

import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Final

from inspector.stream.patterns import Pattern, typed
from inspector.stream.requests import ReadSymbols, SymbolPage, SymbolRow
from inspector.stream.stepwise_sort import StepwiseSort
from inspector.stream.text import decode

from .demangle import demangle
from .file import ElfFile
from .name_text import NameText, lowered
from .symbol_search import SymbolSearch
from .symbols import SymbolTable

_KEPT_SEARCHES: Final = 8
_BLOCK: Final = 8_000
"""Names that are searched in one go: a pattern takes 1 to 50 ms for them."""
_WHOLE: Final = 3600.0
"""Seconds of a search that is not interrupted."""
_CHUNK: Final = 4096
_ALL: Final = "all"
_OTHERS: Final = bytes([1, 0, *range(2, 256)])


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
        ordered = [names[i] for i in self.order]
        self.blocks = [NameText(ordered[first : first + _BLOCK]) for first in range(0, len(ordered), _BLOCK)]
        self.defined = bytes([defined[i] for i in self.order])

    def __len__(self) -> int:
        return len(self.order)

    @property
    def name(self) -> str:
        """The file's, without its folders."""
        return self.path.rpartition("/")[2]

    def names(self) -> list[bytes]:
        """They all, in order, as they are searched."""
        return [name for block in self.blocks for name in block.names()]

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
        self._blocks = [block for symbols in self._files for block in symbols.blocks]
        self._count_of_files = len(files)
        self._starts: list[int] = []
        self._count = 0
        for symbols in self._files:
            self._starts.append(self._count)
            self._count += len(symbols)
        self._defined = b"".join(symbols.defined for symbols in self._files)
        self._searches: OrderedDict[str, SymbolSearch] = OrderedDict()
        self._by_name: StepwiseSort[bytes] | None = None
        self._arranged: tuple[Hashable, Sequence[int]] = ((), ())
        """The rows of the list that was sorted last, and what it was sorted from."""

    def __len__(self) -> int:
        return self._count

    def page(self, request: ReadSymbols, at: int, seconds: float = _WHOLE) -> SymbolPage:
        """The rows that a request asks for, as far as they are found and sorted in about so many seconds."""
        until = time.monotonic() + seconds
        first, end = self._span(request.file)
        mask, searched = self._matching(request, until)
        complete = searched == len(self)
        skip, limit = max(request.offset, 0), max(request.limit, 0)
        if not (request.sort or request.ahead):
            places: Iterable[int] = (first + place for place in _set_places(mask[first:end], skip, limit))
        else:
            arranged = self._arrange(request, mask, until) if complete else None
            if arranged is None:
                complete, searched = False, self._by_name.merged if self._by_name is not None else 0
            places = (arranged or ())[skip : skip + limit]
        return SymbolPage(
            at=at,
            id=request.id,
            total=mask.count(1, first, end),
            offset=skip,
            rows=[self._row(place) for place in places],
            files=int(end > first) if request.file else self._count_of_files,
            all_total=end - first,
            complete=complete,
            searched=min(searched, end - first),
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

    def _matching(self, request: ReadSymbols, until: float) -> tuple[bytes, int]:
        """The mask of the names that a request's filter and kind let through, and how many were looked at."""
        pattern = typed(request.filter)
        if pattern is None:
            found, searched = b"\1" * len(self), len(self)
        else:
            search = self._search(request.filter, pattern)
            search.go_on(until)
            searched = search.searched
            found = search.mask().ljust(len(self), b"\0")
        if request.kind == _ALL:
            return found, searched
        undefined = self._defined.translate(_OTHERS)
        return _both(found, self._defined if request.kind == "defined" else undefined), searched

    def _search(self, text: str, pattern: Pattern) -> SymbolSearch:
        """The search for a pattern, kept for its next pages; what was typed before it narrows it."""
        search = self._searches.pop(text, None)
        if search is None:
            before = next((one for one in reversed(self._searches.values()) if one.narrows_to(pattern)), None)
            search = SymbolSearch(self._blocks, pattern, before)
        self._searches[text] = search
        if len(self._searches) > _KEPT_SEARCHES:
            self._searches.popitem(last=False)
        return search

    def _arrange(self, request: ReadSymbols, mask: bytes, until: float) -> Sequence[int] | None:
        """The places of all rows in the order that is asked for; None while that is not known yet."""
        key = (request.filter, request.kind, request.file, request.sort, request.descending, tuple(request.ahead))
        if key == self._arranged[0]:
            return self._arranged[1]
        places: Iterable[int] = range(len(self))
        if request.sort == "name":
            if self._by_name is None:
                self._by_name = StepwiseSort(self._runs())
            if not self._by_name.go_on(until):
                return None
            places = self._by_name.places
        elif request.sort == "library":
            files = zip(self._starts, self._files, strict=True)
            ordered = sorted(files, key=lambda one: one[1].name.casefold(), reverse=request.descending)
            places = chain.from_iterable(range(start, start + len(symbols)) for start, symbols in ordered)
        first, end = self._span(request.file)
        wanted = [place for place in places if mask[place] and first <= place < end]
        if request.sort == "name" and request.descending:
            wanted.reverse()
        ahead = [place for place in self._places_of(request.ahead) if mask[place] and first <= place < end]
        if ahead:
            named = frozenset(ahead)
            wanted = [*ahead, *(place for place in wanted if place not in named)]
        self._arranged = key, array("I", wanted)
        return self._arranged[1]

    def _runs(self) -> list[list[tuple[bytes, int]]]:
        number = count()
        return [[(name, next(number)) for name in symbols.names()] for symbols in self._files]

    def _places_of(self, keys: Sequence[str]) -> Iterator[int]:
        """Of `file:name`, in their order."""
        files = {symbols.file: (start, symbols) for start, symbols in zip(self._starts, self._files, strict=True)}
        names: dict[str, dict[bytes, int]] = {}
        for key in keys:
            file, _, name = key.rpartition(":")
            if file not in files:
                continue
            start, symbols = files[file]
            if file not in names:
                names[file] = {one: start + place for place, one in enumerate(symbols.names())}
            place = names[file].get(lowered([name.encode(errors="replace")])[0])
            if place is not None:
                yield place


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
