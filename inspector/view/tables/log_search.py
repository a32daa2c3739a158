"""What the collector finds in the whole files of several logs: asked for in pages, merged by time as it comes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

from msgspec import Struct

from inspector.model.state import LogSource, State
from inspector.stream.base import Request
from inspector.stream.log_line import Level, read
from inspector.stream.logs import LogLine
from inspector.stream.patterns import SEARCHED, typed
from inspector.stream.requests import LogPage, ReadLog, StopSearch

from .logline import is_bad
from .logs import COLUMNS, details_of_line, row_of_line, told_moment
from .row import Details, Row

MOST = 20_000
"""Lines of one log that are fetched and merged; a log alone shows all of them."""
PAGE = 1_000


class Asker(Protocol):
    """Whoever passes requests down."""

    def ask(self, make: Callable[[int], Request]) -> int: ...


class Query(NamedTuple):
    """What is looked for."""

    pattern: str
    level: Level = Level.UNKNOWN

    def filter(self) -> Callable[[str], bool]:
        """Whether a line that we hold is wanted."""
        pattern = typed(self.pattern)
        found = pattern.search() if pattern is not None else None
        level = self.level
        return lambda text: (found is None or bool(found(text[:SEARCHED]))) and (not level or read(text).rank >= level)


class _Found(Struct):
    """What is known of one source."""

    lines: list[LogLine] = []
    total: int = 0
    searched: int = 0
    all_total: int = 0
    asked: int = -1
    """The request that is not answered to its end; -1: none."""
    first: int = 0
    """Place of its first line."""
    begun: bool = False


class LogSearch:
    """One search through some logs; lives until another pattern or level is asked for."""

    def __init__(self, asker: Asker, sources: Iterable[int], query: Query) -> None:
        self.query = query
        self._asker = asker
        self._found = {source: _Found() for source in sources}
        for source in self._found:
            self._ask(source)

    @property
    def begun(self) -> bool:
        """Some answer has come."""
        return any(one.begun for one in self._found.values())

    @property
    def complete(self) -> bool:
        """Everything is searched."""
        return all(one.asked < 0 for one in self._found.values())

    @property
    def searched(self) -> int:
        """Lines that were looked at."""
        return sum(one.searched for one in self._found.values())

    @property
    def all_total(self) -> int:
        """Lines that there are."""
        return sum(one.all_total for one in self._found.values())

    @property
    def left_out(self) -> int:
        """Lines that match and are too many to be merged."""
        return sum(max(0, one.total - MOST) for one in self._found.values())

    def lines(self) -> Mapping[int, Sequence[LogLine]]:
        """What was found, by source."""
        return {source: one.lines for source, one in self._found.items()}

    def put(self, event: LogPage) -> bool:
        """Take an answer; False when it belongs to somebody else."""
        for source, one in self._found.items():
            if one.asked == event.id:
                one.lines[one.first :] = event.lines
                one.total, one.searched, one.all_total, one.begun = event.total, event.searched, event.all_total, True
                if event.complete:
                    one.asked = -1
                    if len(one.lines) < min(one.total, MOST) and event.lines:
                        self._ask(source)
                return True
        return False

    def refused(self, request: int) -> bool:
        """A source cannot be searched; False when the request belongs to somebody else."""
        for one in self._found.values():
            if one.asked == request:
                one.asked, one.begun = -1, True
                return True
        return False

    def follow(self, logs: Mapping[int, LogSource]) -> None:
        """Ask for what came since."""
        for source, one in self._found.items():
            if one.asked < 0 and len(one.lines) < MOST and logs[source].lines_total > one.all_total > 0:
                self._ask(source)

    def stop(self) -> None:
        """Nobody wants the answers any more."""
        for one in self._found.values():
            if one.asked >= 0:
                search, one.asked = one.asked, -1
                self._asker.ask(lambda number, search=search: StopSearch(id=number, search=search))  # type: ignore[misc]

    def _ask(self, source: int) -> None:
        one, (pattern, level) = self._found[source], self.query
        one.first = len(one.lines)
        one.asked = self._asker.ask(
            lambda number: ReadLog(
                id=number, source=source, first=one.first, limit=PAGE, filter=pattern, level=int(level)
            )
        )


class _Entry(NamedTuple):
    """A line at its moment."""

    at: int
    source: int
    line: LogLine


class FoundInAll:
    """Lines of several sources that match, in one order of time."""

    columns = COLUMNS

    def __init__(self, state: State, found: Mapping[int, Sequence[LogLine]], since: int = 0) -> None:
        self._state = state
        self.heading = ""
        self.epoch: object = object()
        entries = [one for source, lines in found.items() for one in self._timed(source, lines)]
        self._entries = sorted((one for one in entries if not since or one.at >= since), key=attrgetter("at"))
        self._places: dict[str, int] = {}

    def _timed(self, source: int, lines: Sequence[LogLine]) -> Iterable[_Entry]:
        """Lines with their moments: one without a stamp has that of the line before it."""
        last, seen = 0, self._state.logs[source].seen_at
        for line in lines:
            last = told_moment(self._state, line) or seen.get(line.number, 0) or last
            yield _Entry(last, source, line)

    def __len__(self) -> int:
        return len(self._entries)

    def row(self, index: int) -> Row:
        at, source, line = self._entries[index]
        return row_of_line(self._state, source, line, at)

    def text(self, index: int) -> str:
        return self._entries[index].line.text

    def find(self, key: str) -> int | None:
        if not self._places:
            self._places = {f"{one.source}:{one.line.number}": place for place, one in enumerate(self._entries)}
        return self._places.get(key)

    def near(self, at: int) -> int | None:
        places = [place for place, one in enumerate(self._entries) if one.at <= at]
        return places[-1] if places else None

    def moment(self, index: int) -> int:
        return self._entries[index].at

    def pid(self, index: int) -> int:
        return self._entries[index].line.pid

    def bad(self, index: int) -> bool:
        _, source, line = self._entries[index]
        return is_bad(self._state, source, line)

    def details(self, index: int) -> Details:
        at, source, line = self._entries[index]
        return details_of_line(self._state, source, line, at)
