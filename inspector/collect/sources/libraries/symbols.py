"""Answers `ReadSymbols`: pages of the dynamic symbols of a process's files, searched in the background."""

from collections import OrderedDict
from collections.abc import Sequence

from inspector.stream.base import Event, Request
from inspector.stream.requests import ReadSymbols, StopSearch, SymbolPage
from inspector.stream.session import RequestFailed

from ...elf.file import ElfError
from ...elf.symbol_index import FileSymbols, SymbolIndex
from ..contract import Mapping, Session, Tracked

PIECE = 0.03
"""Seconds of a search or of sorting between two answers."""
_FILES_KEPT = 512
_INDEXES_KEPT = 4


class SymbolsSource:
    """Keeps the symbol tables that were asked for; all work is done in the worker thread, and only there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._files: OrderedDict[str, FileSymbols | None] = OrderedDict()
        """None for a file without readable symbols."""
        self._running: set[int] = set()
        """Requests that somebody waits for."""
        self._indexes: OrderedDict[tuple[str, ...], SymbolIndex] = OrderedDict()

    def handle(self, request: Request) -> bool:
        """True when the request was ours."""
        if isinstance(request, StopSearch) and request.search in self._running:
            self._running.discard(request.search)
            return True
        if not isinstance(request, ReadSymbols):
            return False
        process = self._session.tree.find(request.pid)
        if process is None:
            why = f"PID {request.pid} is not under observation"
            self._session.sink.send(RequestFailed(at=self._session.loop.now(), id=request.id, why=why))
            return True
        mappings = _one_per_file(process)
        self._running.add(request.id)
        self._go_on(request, mappings)
        return True

    def _go_on(self, request: ReadSymbols, mappings: Sequence[Mapping]) -> None:
        """Search for a moment: between two of them other requests have their turn."""

        def told(event: Event) -> None:
            if request.id not in self._running:
                return
            self._session.sink.send(event)
            if isinstance(event, SymbolPage) and not event.complete:
                self._go_on(request, mappings)
            else:
                self._running.discard(request.id)

        self._session.loop.in_background(lambda: self._answer(request, mappings), told)

    def _answer(self, request: ReadSymbols, mappings: Sequence[Mapping]) -> Event:
        if request.id not in self._running:
            return RequestFailed(at=self._session.loop.now(), id=request.id, why="the request is no longer wanted")
        if request.file and all(mapping.file != request.file for mapping in mappings):
            why = f"PID {request.pid} no longer maps that file"
            return RequestFailed(at=self._session.loop.now(), id=request.id, why=why)
        return self._index(mappings).page(request, self._session.loop.now(), PIECE)

    def _index(self, mappings: Sequence[Mapping]) -> SymbolIndex:
        key = tuple(mapping.file for mapping in mappings)
        index = self._indexes.get(key)
        if index is None:
            files = [found for mapping in mappings if (found := self._symbols(mapping)) is not None]
            index = self._indexes[key] = SymbolIndex(files)
            _trim(self._indexes, _INDEXES_KEPT)
        self._indexes.move_to_end(key)
        return index

    def _symbols(self, mapping: Mapping) -> FileSymbols | None:
        if mapping.file not in self._files:
            try:
                self._files[mapping.file] = FileSymbols(mapping.open_path, mapping.path, mapping.file)
            except ElfError:
                self._files[mapping.file] = None
            _trim(self._files, _FILES_KEPT)
        return self._files[mapping.file]


def _one_per_file(process: Tracked) -> list[Mapping]:
    """The mapped files in order of appearance (link-map order where it is known), each once."""
    return list({mapping.file: mapping for mapping in process.mappings.values()}.values())


def _trim(kept: OrderedDict[str, FileSymbols | None] | OrderedDict[tuple[str, ...], SymbolIndex], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
