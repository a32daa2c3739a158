"""The pane Logs: all sources merged by time, or the whole of one; the collector searches in what is not held here."""

from collections.abc import Callable, Hashable

from inspector.model.state import State
from inspector.stream.base import Event
from inspector.stream.log_line import Level
from inspector.stream.logs import LogLine
from inspector.stream.requests import FindLine, LineFound, LogPage, ReadLog, StopSearch
from inspector.stream.session import RequestFailed
from inspector.view.clock import wall_ns
from inspector.view.pane_context import PaneContext
from inspector.view.tables.log_heading import heading_of
from inspector.view.tables.log_search import FoundInAll, LogSearch, Query
from inspector.view.tables.logline import level_word
from inspector.view.tables.logs import FoundLines, MergedLog, WholeLog
from inspector.view.tables.pages import Pages
from inspector.view.tables.row import Table
from inspector.view.tables.sorted_table import Sorter
from inspector.view.tables.sorting import Sorting

from .pane import Asker, Pane, went_round

MERGE = 0.008
"""Seconds that merging may take before keys are handled."""
LEVELS = (Level.UNKNOWN, Level.INFO, Level.WARN, Level.ERROR)
"""Minimum levels in the order in which a key goes through them; the first one shows all lines."""


class LogsPane(Pane):
    """Log lines; follows the newest until the cursor leaves it."""

    name = "logs"
    title = "Logs"
    depends = ("logs",)
    hints = (
        ("v", "level"),
        ("e", "next error"),
        ("f", "follow"),
        ("o", "one source"),
        (":", "time"),
        ("O", "all sources"),
        ("i", "this run only"),
        ("+", "add a log"),
    )

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker
        self.source: int | None = None
        """The chosen source, None for all merged."""
        self.wanted = ""
        """Path of a log that was asked for and is not known yet."""
        self.this_start = False
        self.level = Level.UNKNOWN
        """The least level that is shown; UNKNOWN shows all lines."""
        self.merging = False
        """There are lines that are not merged yet: look again soon."""
        self._merged: MergedLog | None = None
        self._merged_for: Hashable = None
        self._whole: Pages[LogLine] | None = None
        self._whole_for: Hashable = None
        self._found: Pages[LogLine] | None = None
        """Lines of one source that match, as far as the collector has told them."""
        self._coming: Pages[LogLine] | None = None
        self._search: LogSearch | None = None
        """A search through several sources."""
        self._sorter = Sorter()
        self._line = -1
        """The request for a line to go to; -1: none."""
        self._round: tuple[int, int, int] | None = None
        """Source, line and direction of a search for an error that has yet to go on from the other end."""
        self.listing.follow = True

    def look(self, context: PaneContext) -> bool:
        if self.merging:
            self._seen = None
        if self.wanted:
            self._choose_wanted(context)
        if self._is_partial(context):
            self._query(context, self.pattern)
        return super().look(context)

    def _is_partial(self, context: PaneContext) -> bool:
        """Only lines that are here are filtered, and by now there are others."""
        searching = self._search is not None or self._coming is not None or self._found is not None
        if searching or not context.live or not (self.pattern or self.level):
            return False
        number = self._number(context.state)
        sources = [number] if number is not None else list(context.state.logs)
        return any(not _holds_all(context.state, one) for one in sources)

    def table(self, context: PaneContext) -> Table:
        number = self._number(context.state)
        table = self._rows(context, number)
        self.listing.sorter = self._sorter if isinstance(table, MergedLog) else None  # else not all lines are here
        table.heading = heading_of(context, number, self.merging, self._choices(), self._search is not None)
        return table

    def sort(self, context: PaneContext, sorting: Sorting) -> str:
        words = super().sort(context, sorting)
        if sorting.title and not isinstance(self._rows(context, self._number(context.state)), MergedLog):
            return "these lines are fetched in their order; all sources together (o) can be sorted"
        return words

    def _choices(self) -> str:
        level = f"{level_word(self.level)} and worse, " if self.level else ""
        return level + ("this run only, " if self.this_start else "")

    def _rows(self, context: PaneContext, number: int | None) -> "WholeLog | FoundLines | FoundInAll | MergedLog":
        logs = context.state.logs
        if self._found is not None and number is not None:
            self.merging = False
            self._found.follow(logs[number].lines_total)
            return FoundLines(context.state, number, self._found)
        if self._search is not None and self._search.begun:
            self.merging = False
            self._search.follow(logs)
            return self._all_found(context, self._search)
        if number is None or self.level:
            return self._merge(context, number)
        self.merging = False
        return self._one(context, number)

    def _all_found(self, context: PaneContext, search: LogSearch) -> FoundInAll:
        """What the collector found, and the same of sources that are all here."""
        logs, wanted = context.state.logs, search.query.filter()
        found = dict(search.lines())
        for source in logs.keys() - found.keys():
            found[source] = [line for line in logs[source].lines if wanted(line.text)]
        return FoundInAll(context.state, found, _birth(context) if self.this_start else 0)

    # Choices

    def next_source(self, context: PaneContext) -> None:
        """Show the next source alone; after the last one all of them merged."""
        numbers = sorted(context.state.logs)
        after = [number for number in numbers if self.source is None or number > self.source]
        self.choose(context, after[0] if after else None)

    def choose(self, context: PaneContext, source: int | None) -> None:
        """Show one source alone, or all merged with None."""
        self.source = source
        self._query(context, "")
        self.listing.follow = True

    def _choose_wanted(self, context: PaneContext) -> None:
        logs = context.state.logs.items()
        number = next((number for number, log in logs if log.found.name.endswith(self.wanted)), None)
        if number is not None:
            self.wanted = ""
            self.choose(context, number)

    def toggle_start(self) -> None:
        """Show or hide lines from before this start of the program."""
        self.this_start = not self.this_start
        self._seen = None

    def turn_level(self, context: PaneContext, step: int) -> str:
        """Show the next minimum level; returns words to say."""
        place = (LEVELS.index(self.level) + step) % len(LEVELS)
        self.level = LEVELS[place]
        self._query(context, self.pattern)
        if not self.level:
            return "lines of all levels"
        return f"{level_word(self.level)} and worse, and lines without a level that tell of trouble"

    # Filter

    def narrow(self, context: PaneContext, pattern: str) -> None:
        self._query(context, pattern)

    def widen(self, context: PaneContext) -> None:
        if self._remote_pattern:
            self._query(context, "")
        else:
            super().widen(context)

    def _query(self, context: PaneContext, pattern: str) -> None:
        """Look for a pattern and a level: here where all lines are here, else in the whole files."""
        self._drop_search()
        state, number = context.state, self._number(context.state)
        sources = [number] if number is not None else list(state.logs)
        missing = [one for one in sources if not _holds_all(state, one)] if context.live else []
        if not missing or not (pattern or self.level):
            self._remote_pattern = ""
            self.listing.narrow(pattern)
            return
        self.listing.narrow("")
        self._remote_pattern, self.listing.highlight = pattern, pattern
        if number is not None:
            self._coming = self._pages(number, pattern)
            self._coming.want(0)
        else:
            self._search = LogSearch(self._asker, missing, Query(pattern, self.level))

    def _drop_search(self) -> None:
        for pages in (self._coming, self._found):
            for request in pages.pending() if pages is not None else ():
                self._asker.ask(lambda number, request=request: StopSearch(id=number, search=request))  # type: ignore[misc]
        if self._search is not None:
            self._search.stop()
        self._remote_pattern, self._found, self._coming, self._search, self._seen = "", None, None, None, None
        self.listing.highlight = self.listing.pattern

    @property
    def progress(self) -> str:
        if self._search is not None:
            more = f"{self._search.left_out:,} more, o shows all of one source" if self._search.left_out else ""
            return more if self._search.complete else _part(self._search.searched, self._search.all_total)
        pages = self._coming or self._found
        return "" if pages is None or pages.complete else _part(pages.searched, pages.all_total)

    # Going to a line

    def seek(self, context: PaneContext, key: str) -> bool:
        self.level = Level.UNKNOWN
        self._drop_search()
        if super().seek(context, key):
            return True
        source = key.partition(":")[0]
        if not source.isdecimal() or int(source) not in context.state.logs:
            return False
        self.choose(context, int(source))
        self.look(context)
        return super().seek(context, key)

    def next_bad(self, context: PaneContext, step: int) -> str:
        number, chosen = self._paged(context), self.listing.chosen
        if number is None or chosen is None:
            return super().next_bad(context, step)
        self._look_for_error(number, chosen, step)
        self._round = number, chosen, step
        return ""

    def _look_for_error(self, source: int, start: int, step: int) -> None:
        self._find(
            lambda request: FindLine(id=request, source=source, start=start, backwards=step < 0, level=int(Level.ERROR))
        )

    def go_to(self, context: PaneContext, at: int) -> str:
        number, self._round = self._paged(context), None
        if number is None:
            return super().go_to(context, at)
        wall = wall_ns(context.state, at)
        self._find(lambda request: FindLine(id=request, source=number, wall=wall))
        return ""

    def _paged(self, context: PaneContext) -> int | None:
        """The source whose lines are shown one by one and are not all here; None where no question is needed."""
        table = self.listing.table
        number = self._number(context.state)
        whole = isinstance(table, WholeLog) and not self.listing.narrowed and context.live
        return number if number is not None and whole and not _holds_all(context.state, number) else None

    def _find(self, make: Callable[[int], FindLine]) -> None:
        if self._line >= 0:
            search = self._line
            self._asker.ask(lambda number: StopSearch(id=number, search=search))
        self._line = self._asker.ask(make)

    def _go(self, number: int) -> None:
        if number < 0 and self._round is not None:
            source, chosen, step = self._round
            self._round = None
            self._look_for_error(source, -1 if step > 0 else len(self.listing.table), step)
            self.said = went_round(chosen, chosen - step, step)
            return
        if number < 0:
            self.said = "there is none"
            return
        self._round = None
        self.listing.follow = False
        self.listing.reveal(number)
        self.moved = True

    # Answers

    def answered(self, event: Event) -> bool:
        if isinstance(event, LineFound) and event.id == self._line:
            self._line = -1
            self._go(event.number)
            return True
        pools = [pages for pages in (self._coming, self._found, self._whole) if pages is not None]
        if isinstance(event, RequestFailed):
            refused = self._search is not None and self._search.refused(event.id)
            return refused or any(pages.refused(event.id) for pages in pools)
        if not isinstance(event, LogPage):
            return False
        if self._search is not None and self._search.put(event):
            self._seen = None
            return True
        for pages in pools:
            if pages.put(event.id, event.total, event.lines, event):
                if pages is self._coming:
                    self._found, self._coming = pages, None
                self._seen = None
                return True
        return False

    def count(self, context: PaneContext) -> int:
        return sum(log.lines_total for log in context.state.logs.values())

    def total(self) -> int:
        if self._search is not None:
            return max(self._search.all_total, len(self.listing))
        if self._found is not None:
            return max(self._found.all_total, len(self.listing))
        return super().total()

    def _number(self, state: State) -> int | None:
        """The source that is shown alone: the chosen one, or the only one there is."""
        if self.source in state.logs:
            return self.source
        if len(state.logs) == 1 and not self.this_start:
            return next(iter(state.logs))
        return None

    def _merge(self, context: PaneContext, number: int | None) -> MergedLog:
        since = _birth(context) if self.this_start else 0
        sources = tuple(context.state.logs) if number is None else (number,)
        wanted = (context.generation, sources, since, self.level)
        if self._merged is None or self._merged_for != wanted:
            self._merged, self._merged_for = MergedLog(context.state, sources, since, self.level), wanted
        self.merging = self._merged.grow(MERGE)
        return self._merged

    def _one(self, context: PaneContext, number: int) -> WholeLog:
        if not context.live:
            return WholeLog(context.state, number, None)
        if self._whole is None or self._whole_for != (context.generation, number):
            self._whole, self._whole_for = self._pages(number, ""), (context.generation, number)
        return WholeLog(context.state, number, self._whole)

    def _pages(self, number: int, pattern: str) -> Pages[LogLine]:
        level = int(self.level) if self.level or pattern else 0

        def ask(first: int, count: int) -> int:
            return self._asker.ask(
                lambda request: ReadLog(
                    id=request, source=number, first=first, limit=count, filter=pattern, level=level
                )
            )

        return Pages(ask)


def _part(done: int, total: int) -> str:
    return f"searched {done * 100 // total} %" if total else "searching"


def _holds_all(state: State, number: int) -> bool:
    return len(state.logs[number].lines) >= state.logs[number].lines_total


def _birth(context: PaneContext) -> int:
    """When this start of the program began: the birth of the chosen process, or of the oldest one."""
    if context.process is not None:
        return context.process.started
    return min((one.started for one in context.state.processes), default=0)
