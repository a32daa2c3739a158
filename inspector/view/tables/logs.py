"""The pane Logs: lines of all sources merged by time, or every line of one source, fetched when it is looked at."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from msgspec.structs import replace

from inspector.model.formatting import name_of
from inspector.model.state import LogSource, State
from inspector.stream.log_line import Level, continues, read
from inspector.stream.log_time import stamp
from inspector.stream.logs import LogLine
from inspector.view.clock import moment_of, since_start, wall_ns, wall_of, wall_text

from .logline import is_bad, read_line
from .pages import Pages
from .row import EMPTY, Column, Details, Note, Row, cell

SOURCE = Column("SOURCE", 19)
COLUMNS = (
    Column("SECONDS", 10, right=True),
    Column("TIME", 12, least=100),
    SOURCE,
    Column("LEVEL", 5),
    Column("LINE"),
)
ONE_SOURCE = tuple(column for column in COLUMNS if column.title != "SOURCE")
_UNSTAMPED = 50
"""Lines of a source in which its first stamp is looked for."""
MERGED_AT_MOST = 400_000
"""Lines that a merge holds before it begins anew from what the state still holds."""


def moment_of_line(state: State, source: LogSource, line: LogLine) -> int:
    """When a line was written: what its carrier or its own stamp says, else when it came; 0 when nothing tells."""
    return told_moment(state, line) or source.seen_at.get(line.number, 0)


def told_moment(state: State, line: LogLine) -> int:
    """The moment that a line's carrier or its own stamp tells, negative before the machine was started; 0 for none."""
    near = state.session.wall if state.session is not None else 0
    return moment_of(state, line.wall or stamp(line.text, near))


def is_inferred(state: State, source: LogSource, line: LogLine, at: int) -> bool:
    """Neither the line nor its coming tells the moment with which it is shown: that of a line beside it."""
    return bool(at) and source.seen_at.get(line.number) != at and not told_moment(state, line)


class _Head(NamedTuple):
    """The next line of a source: its moment and its place among the lines that are held."""

    at: int
    place: int


def _number(line: LogLine) -> int:
    return line.number


class MergedLog:
    """Held lines of several sources in one order of time; grows at the end, begins anew when older lines turn up."""

    def __init__(self, state: State, sources: Sequence[int], since: int = 0, level: Level = Level.UNKNOWN) -> None:
        """Of the moment `since` and of a `level` on; 0 and UNKNOWN: all lines."""
        self._state, self._level = state, level
        self._sources = sources
        self._since = since
        self._lines: list[LogLine] = []
        self._at = array("q")
        self._from = array("H")
        self._next = dict.fromkeys(sources, 0)
        """First line number of each source that is not merged yet."""
        self._last: dict[int, int] = {}
        """Moment of the newest merged line of each source: a line without a time has that of the line before it."""
        self._kept_before: set[int] = set()
        """Sources whose last merged line is shown: what continues it is as well."""
        self.epoch: object = object()
        self.heading = ""

    @property
    def columns(self) -> Sequence[Column]:
        """That of the sources is no wider than the names in it."""
        names = (len(source_name(self._state.logs[number])) for number in self._last)
        source, widest = COLUMNS.index(SOURCE), min(SOURCE.width, max(len(SOURCE.title), *names, 0))
        return (*COLUMNS[:source], replace(SOURCE, width=widest), *COLUMNS[source + 1 :])

    def grow(self, budget: float) -> bool:
        """Merge new lines for `budget` seconds; True while there are more."""
        if len(self._lines) > MERGED_AT_MOST:
            self._restart()
        end = perf_counter() + budget
        heads = self._heads()
        while heads:
            for _ in range(500):
                if heads:
                    self._merge_one(heads)
            if perf_counter() >= end:
                break
        return bool(heads)

    def _heads(self) -> dict[int, "_Head"]:
        """The next line of each source that has one."""
        heads = {}
        for number in self._sources:
            lines = self._state.logs[number].lines
            place = bisect_left(lines, self._next[number], key=_number)
            if place < len(lines):
                heads[number] = _Head(self._moment(number, lines[place]), place)
        return heads

    def _merge_one(self, heads: dict[int, "_Head"]) -> None:
        number = min(heads, key=lambda source: heads[source].at)
        at, place = heads.pop(number)
        source = self._state.logs[number]
        line = source.lines[place]
        if self._at and at < self._at[-1] and line.number < source.backlog:
            self._restart()  # an old log was found late: its lines belong before those that we have
            heads.clear()
            heads.update(self._heads())
            return
        if (not self._since or at >= self._since) and self._wanted(number, line):
            self._lines.append(line)
            self._at.append(at)
            self._from.append(number)
        self._next[number], self._last[number] = line.number + 1, at
        if place + 1 < len(source.lines):
            heads[number] = _Head(self._moment(number, source.lines[place + 1]), place + 1)

    def _wanted(self, number: int, line: LogLine) -> bool:
        """Whether its level is; a line that continues another one comes with it."""
        if not self._level:
            return True
        if not (continues(line.text) and number in self._kept_before):
            wanted = read(line.text).rank >= self._level
            (self._kept_before.add if wanted else self._kept_before.discard)(number)
            return wanted
        return True

    def _moment(self, number: int, line: LogLine) -> int:
        """Its moment; a line without a stamp that came together with the line before it has that line's moment."""
        source, last = self._state.logs[number], self._last.get(number)
        told, seen = told_moment(self._state, line), source.seen_at.get(line.number, 0)
        together = last is not None and seen == source.seen_at.get(line.number - 1, 0)
        at = told or (last if last is not None and together else seen)
        if not at and last is None:
            at = self._first_told(number)
        return max(last, at) if last else at

    def _first_told(self, number: int) -> int:
        """The moment of the first line of a source that tells one: those before it are no younger."""
        lines = self._state.logs[number].lines[:_UNSTAMPED]
        return next((at for line in lines if (at := told_moment(self._state, line))), 0)

    def _restart(self) -> None:
        self._lines, self._at, self._from = [], array("q"), array("H")
        self._next = dict.fromkeys(self._sources, 0)
        self._last = {}
        self.epoch = object()

    def __len__(self) -> int:
        return len(self._lines)

    def row(self, index: int) -> Row:
        return row_of_line(self._state, self._from[index], self._lines[index], self._at[index])

    def text(self, index: int) -> str:
        return self._lines[index].text

    def find(self, key: str) -> int | None:
        source, _, number = key.partition(":")
        if not (source.isdecimal() and number.isdecimal()):
            return None
        wanted = (int(source), int(number))
        pairs = enumerate(zip(self._from, self._lines, strict=True))
        return next((place for place, (came, line) in pairs if (came, line.number) == wanted), None)

    def near(self, at: int) -> int | None:
        place = bisect_right(self._at, at)
        return place - 1 if place else None

    def moment(self, index: int) -> int:
        return self._at[index]

    def pid(self, index: int) -> int:
        return self._lines[index].pid

    def bad(self, index: int) -> bool:
        return is_bad(self._state, self._from[index], self._lines[index])

    def details(self, index: int) -> Details:
        return details_of_line(self._state, self._from[index], self._lines[index], self._at[index])


class WholeLog:
    """Every line of one source: those that the state holds, the others fetched in pages."""

    columns = ONE_SOURCE

    def __init__(self, state: State, source: int, pages: Pages[LogLine] | None) -> None:
        self._state = state
        self._number = source
        self._pages = pages
        lines = state.logs[source].lines
        self.epoch: object = (id(state), source, lines[0].number if lines and pages is None else 0)
        self.heading = ""

    @property
    def _source(self) -> LogSource:
        return self._state.logs[self._number]

    def __len__(self) -> int:
        if self._pages is not None:
            return self._source.lines_total
        return len(self._source.lines)

    def line(self, index: int) -> LogLine | None:
        """A line, None while it is on its way."""
        lines = self._source.lines
        if self._pages is None:
            return lines[index]
        place = index if index < len(lines) and lines[index].number == index else _index_of(lines, index)
        return lines[place] if place is not None else self._pages.get(index)

    def row(self, index: int) -> Row:
        line = self.line(index)
        if line is None:
            return _WAITING
        return _without_source(row_of_line(self._state, self._number, line, self._at(line)))

    def text(self, index: int) -> str:
        lines = self._source.lines
        if self._pages is None or (index < len(lines) and lines[index].number == index):
            return lines[index].text
        place = _index_of(lines, index)
        if place is not None:
            return lines[place].text
        held = self._pages.held(index)
        return held.text if held is not None else ""

    def find(self, key: str) -> int | None:
        source, _, number = key.partition(":")
        if source != str(self._number) or not number.isdecimal():
            return None
        if self._pages is not None:
            return int(number) if int(number) < len(self) else None
        return _index_of(self._source.lines, int(number))

    def near(self, at: int) -> int | None:
        lines = self._source.lines
        recent = range(max(0, len(lines) - 2_000), len(lines))
        known = [place for place in recent if (written := self._at(lines[place])) and written <= at]
        if not known:
            return None
        return lines[known[-1]].number if self._pages is not None else known[-1]

    def _at(self, line: LogLine) -> int:
        return moment_of_line(self._state, self._source, line)

    def moment(self, index: int) -> int:
        line = self.line(index)
        return self._at(line) if line is not None else 0

    def pid(self, index: int) -> int:
        line = self.line(index)
        return line.pid if line is not None else 0

    def bad(self, index: int) -> bool:
        line = self.line(index)
        return line is not None and is_bad(self._state, self._number, line)

    def details(self, index: int) -> Details:
        line = self.line(index)
        if line is None:
            return Details("loading…", ())
        return details_of_line(self._state, self._number, line, self._at(line))


class FoundLines:
    """Lines of one source that hold a text, found by the collector in the whole file and fetched in pages."""

    columns = ONE_SOURCE

    def __init__(self, state: State, source: int, pages: Pages[LogLine]) -> None:
        self._state = state
        self._number = source
        self._pages = pages
        self.epoch: object = pages
        self.heading = ""

    def __len__(self) -> int:
        return len(self._pages)

    def row(self, index: int) -> Row:
        line = self._pages.get(index)
        if line is None:
            return _WAITING
        return _without_source(row_of_line(self._state, self._number, line, self._at(line)))

    def _at(self, line: LogLine) -> int:
        return moment_of_line(self._state, self._state.logs[self._number], line)

    def text(self, index: int) -> str:
        line = self._pages.held(index)
        return line.text if line is not None else ""

    def find(self, key: str) -> int | None:
        return None

    def near(self, at: int) -> int | None:
        return None

    def moment(self, index: int) -> int:
        line = self._pages.held(index)
        return self._at(line) if line is not None else 0

    def pid(self, index: int) -> int:
        line = self._pages.held(index)
        return line.pid if line is not None else 0

    def bad(self, index: int) -> bool:
        line = self._pages.held(index)
        return line is not None and is_bad(self._state, self._number, line)

    def details(self, index: int) -> Details:
        line = self._pages.held(index)
        if line is None:
            return Details("loading…", ())
        return details_of_line(self._state, self._number, line, self._at(line))


def _index_of(lines: Sequence[LogLine], number: int) -> int | None:
    place = bisect_left(lines, number, key=_number)
    return place if place < len(lines) and lines[place].number == number else None


_WAITING = Row("", (EMPTY, EMPTY, EMPTY, cell("…", "quiet")))


def _without_source(row: Row) -> Row:
    seconds, time, _, level, words = row.cells
    return Row(row.key, (seconds, time, level, words))


def row_of_line(state: State, source: int, line: LogLine, at: int) -> Row:
    """A line as a row of a table of several sources."""
    read = read_line(line.text)
    about = "~" if is_inferred(state, state.logs[source], line, at) else ""
    return Row(
        f"{source}:{line.number}",
        (
            cell(about + since_start(state, at), "quiet"),
            cell(wall_of(state, at), "quiet"),
            cell(source_name(state.logs[source]), "quiet"),
            cell(read.level, read.tone),
            (("! ", "unknown"), (read.words, "plain")) if is_bad(state, source, line) else cell(read.words),
        ),
    )


def source_name(log: LogSource) -> str:
    """The short name of a source: of a file its last part, else what it is without where it leads."""
    name = log.found.name
    return name_of(name) if name.startswith("/") else name.partition(": ")[0]


def details_of_line(state: State, source: int, line: LogLine, at: int) -> Details:
    """Everything known of a line."""
    log = state.logs[source]
    seen = line.number in log.seen_at
    when = wall_text(wall_ns(state, at), date=True) if at else "unknown: the line has no timestamp"
    if is_inferred(state, log, line, at):
        when = f"about {when}: the line has no timestamp, one beside it was written then"
    elif at and not seen:
        when = f"{when} (from the line)"
    notes = [
        Note("line", line.text),
        Note("time", when),
        Note("source", f"{log.found.name}, line {line.number + 1:,} of {log.lines_total:,}"),
        Note("found", log.found.why),
        Note("written by", str(line.pid) if line.pid else ", ".join(map(str, log.found.pids)) or "unknown"),
    ]
    if line.number < log.backlog:
        notes.append(Note("", "written before we attached", "quiet"))
    if log.found.problem:
        notes.append(Note("problem", log.found.problem, "unknown"))
    notes += [Note(change.what, change.detail, "unknown") for change in log.changes]
    return Details(f"line {line.number + 1:,} of {name_of(log.found.name)}", notes, _by_hand(log))


def _by_hand(log: LogSource) -> list[str]:
    if log.found.kind == "file":
        return [f"tail -F {log.found.name}"]
    if log.found.kind == "journal":
        return [f"journalctl -f -u {log.found.name.removeprefix('journal of ')}"]
    return []
