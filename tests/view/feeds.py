"""Feeds that need no collector: one plays a list of events, one answers requests about very much."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from inspector.stream.base import Request
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import Export
from inspector.stream.log_line import Level
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.requests import FindLine, LineFound, LogPage, ReadLog, ReadSymbols, SymbolPage, SymbolRow

from .sample import SERVER, SHIM, SHIM_PATH, at, main_question


class FakeFeed:
    """A feed that plays a list of events and remembers what it was asked."""

    def __init__(
        self, events: Sequence[AnyEvent] = (), *, recorded: bool = False, error: str = "", ends: bool = False
    ) -> None:
        self.recorded = recorded
        self.error = ""
        self.alive = True
        self.recording: str | None = None
        self.asked: list[Request] = []
        self._coming: list[Sequence[AnyEvent]] = [events]
        self._error, self._ends, self._closed = error, ends or recorded, False

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        while not self._closed:
            if self._coming:
                yield self._coming.pop(0)
            elif self._ends:
                break
            else:
                _pause()
        self.alive, self.error = False, self._error

    def come(self, *events: AnyEvent) -> None:
        """More events, now."""
        self._coming.append(events)

    def hold(self) -> None:
        """A recording that is still being written."""
        self._ends = False

    def die(self, error: str) -> None:
        """The collector goes away with these words."""
        self._error, self._ends = error, True

    def send(self, request: Request) -> None:
        self.asked.append(request)

    def record(self, path: Path) -> None:
        self.recording = str(path)

    def stop_recording(self) -> None:
        self.recording = None

    def close(self) -> None:
        self._closed = True


def _pause() -> None:
    time.sleep(0.005)


class BigCollector(FakeFeed):
    """A collector of a process with very many symbols and of a log with very many lines; answers requests."""

    def __init__(self, symbols: int = 480_000, lines: int = 1_000_000, names: Sequence[str] = ()) -> None:
        found = LogFound(at=at(5), source=7, name="/var/log/flood.log", kind="file", why="fd 2", pids=[SERVER])
        newest = [LogLine(number=lines - 3 + place, text=log_text(lines - 3 + place)) for place in range(3)]
        self.first_events = [*main_question(), found, LogRead(at=at(5), source=7, lines=newest, lines_total=lines)]
        super().__init__(self.first_events)
        self.symbols, self.lines, self.names = symbols, lines, names
        self.silent = False

    def send(self, request: Request) -> None:
        super().send(request)
        if self.silent:
            return
        if isinstance(request, ReadSymbols):
            self.come(self._symbols(request))
        elif isinstance(request, ReadLog):
            self.come(*self._log(request))
        elif isinstance(request, FindLine):
            number = next((one for one in range(request.start + 1, self.lines) if log_level(one) >= request.level), -1)
            self.come(LineFound(at=at(6), id=request.id, source=request.source, number=number))

    def _name(self, number: int) -> str:
        return self.names[number] if self.names else symbol_name(number)

    def _symbols(self, request: ReadSymbols) -> SymbolPage:
        numbers: Sequence[int] = range(self.symbols)
        if request.filter:
            wanted = request.filter.removeprefix("^").lower()
            numbers = [number for number in numbers if wanted in self._name(number).lower()]
        page = numbers[request.offset : request.offset + request.limit]
        rows = [SymbolRow(file=SHIM, path=SHIM_PATH, symbol=Export(name=self._name(number))) for number in page]
        return SymbolPage(
            at=at(6), id=request.id, total=len(numbers), offset=request.offset, rows=rows, all_total=self.symbols
        )

    def _log(self, request: ReadLog) -> list[LogPage]:
        """A search is answered twice: when a third is searched, and at its end."""
        if not request.filter and not request.level:
            return [self._page(request, range(self.lines), self.lines)]
        return [self._page(request, self._matching(request, end), end) for end in (self.lines // 3, self.lines)]

    def _matching(self, request: ReadLog, end: int) -> Sequence[int]:
        wanted = [number for number in range(end) if request.filter in log_text(number)]
        return [number for number in wanted if log_level(number) >= request.level] if request.level else wanted

    def _page(self, request: ReadLog, numbers: Sequence[int], searched: int) -> LogPage:
        page = numbers[request.first : request.first + request.limit]
        lines = [LogLine(number=number, text=log_text(number)) for number in page]
        return LogPage(
            at=at(6), id=request.id, source=request.source, total=len(numbers), lines=lines,
            complete=searched == self.lines, searched=searched, all_total=self.lines,
        )  # fmt: skip


def symbol_name(number: int) -> str:
    """Name of one of very many symbols."""
    return f"_ZN4ggml{number:06d}Ev"


def log_level(number: int) -> int:
    """Level of one of very many lines."""
    return Level.ERROR if number % 100_000 == 5 else Level.INFO


def log_text(number: int) -> str:
    """Text of one of very many lines."""
    if log_level(number) == Level.ERROR:
        return f"[ERROR] line {number} of a flood"
    return f"line {number} of a flood"
