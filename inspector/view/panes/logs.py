"""The pane Logs: all sources merged by time, or the whole of one, in which the collector searches."""

from collections.abc import Hashable

from inspector.model.state import State
from inspector.stream.base import Event
from inspector.stream.logs import LogLine
from inspector.stream.requests import LogPage, ReadLog
from inspector.stream.session import RequestFailed
from inspector.view.pane_context import PaneContext
from inspector.view.tables.logs import FoundLines, MergedLog, WholeLog, heading_of
from inspector.view.tables.pages import Pages
from inspector.view.tables.row import Table

from .pane import Asker, Pane

MERGE = 0.008
"""Seconds of merging between two keys."""


class LogsPane(Pane):
    """Log lines; follows the newest until the cursor leaves it."""

    name = "logs"
    title = "Logs"
    depends = ("logs",)
    hints = (
        ("f", "follow"),
        ("o", "one source"),
        ("O", "all sources"),
        ("+", "add a log"),
        ("i", "this start only"),
        ("t", "mark"),
    )

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker
        self.source: int | None = None
        """The chosen source, None for all merged."""
        self.wanted = ""
        """Path of a log that was asked for and is not known yet."""
        self.this_start = False
        self.merging = False
        """There are lines that are not merged yet: look again soon."""
        self._merged: MergedLog | None = None
        self._merged_for: Hashable = None
        self._whole: Pages[LogLine] | None = None
        self._whole_for: Hashable = None
        self._found: Pages[LogLine] | None = None
        self._coming: Pages[LogLine] | None = None
        self.listing.follow = True

    def look(self, context: PaneContext) -> bool:
        if self.merging:
            self._seen = None
        if self.wanted:
            self._choose_wanted(context)
        return super().look(context)

    def table(self, context: PaneContext) -> Table:
        number = self._number(context.state)
        table = self._merge(context) if number is None else self._one(context, number)
        table.heading = heading_of(context, number, self.merging, self.this_start)
        return table

    def next_source(self, context: PaneContext) -> None:
        """Show the next source alone; after the last one all of them merged."""
        numbers = sorted(context.state.logs)
        after = [number for number in numbers if self.source is None or number > self.source]
        self.choose(context, after[0] if after else None)

    def choose(self, context: PaneContext, source: int | None) -> None:
        """Show one source alone, or all merged with None."""
        self.source = source
        self._drop_search()
        self.listing.narrow("")
        self.listing.follow = True
        self._seen = None

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

    def narrow(self, context: PaneContext, pattern: str) -> None:
        number = self._number(context.state)
        if number is None or not context.live or self._holds_all(context.state, number):
            self._drop_search()
            super().narrow(context, pattern)
            return
        self._remote_pattern, self.listing.highlight, self._seen = pattern, pattern, None
        if not pattern:
            self._drop_search()
            return
        self._coming = self._pages(number, pattern)
        self._coming.want(0)

    def widen(self, context: PaneContext) -> None:
        if self._remote_pattern:
            self._drop_search()
        else:
            super().widen(context)

    def seek(self, context: PaneContext, key: str) -> bool:
        self._drop_search()
        if super().seek(context, key):
            return True
        source = key.partition(":")[0]
        if not source.isdecimal() or int(source) not in context.state.logs:
            return False
        self.choose(context, int(source))
        self.look(context)
        return super().seek(context, key)

    def answered(self, event: Event) -> bool:
        pools = [pages for pages in (self._coming, self._found, self._whole) if pages is not None]
        if isinstance(event, RequestFailed):
            return any(pages.refused(event.id) for pages in pools)
        if not isinstance(event, LogPage):
            return False
        for pages in pools:
            if pages.put(event.id, event.total, event.lines):
                if pages is self._coming:
                    self._found, self._coming = pages, None
                self._seen = None
                return True
        return False

    def count(self, context: PaneContext) -> int:
        return sum(log.lines_total for log in context.state.logs.values())

    def total(self) -> int:
        return self._whole.total if self._remote_pattern and self._whole is not None else super().total()

    def _number(self, state: State) -> int | None:
        """The source that is shown alone: the chosen one, or the only one there is."""
        if self.source in state.logs:
            return self.source
        if len(state.logs) == 1 and not self.this_start:
            return next(iter(state.logs))
        return None

    def _merge(self, context: PaneContext) -> MergedLog:
        since = _birth(context) if self.this_start else 0
        wanted = (context.generation, tuple(context.state.logs), since)
        if self._merged is None or self._merged_for != wanted:
            self._merged, self._merged_for = MergedLog(context.state, tuple(context.state.logs), since), wanted
        self.merging = self._merged.grow(MERGE)
        return self._merged

    def _one(self, context: PaneContext, number: int) -> "WholeLog | FoundLines":
        self.merging = False
        if self._found is not None and self._remote_pattern:
            return FoundLines(context.state, number, self._found)
        if not context.live:
            return WholeLog(context.state, number, None)
        if self._whole is None or self._whole_for != (context.generation, number):
            self._whole, self._whole_for = self._pages(number, ""), (context.generation, number)
        return WholeLog(context.state, number, self._whole)

    def _pages(self, number: int, pattern: str) -> Pages[LogLine]:
        def ask(first: int, count: int) -> int:
            return self._asker.ask(
                lambda request: ReadLog(id=request, source=number, first=first, limit=count, filter=pattern)
            )

        return Pages(ask)

    def _drop_search(self) -> None:
        self._remote_pattern, self._found, self._coming, self._seen = "", None, None, None
        self.listing.highlight = self.listing.pattern

    def _holds_all(self, state: State, number: int) -> bool:
        return len(state.logs[number].lines) >= state.logs[number].lines_total


def _birth(context: PaneContext) -> int:
    """When this start of the program began: the birth of the chosen process, or of the oldest one."""
    if context.process is not None:
        return context.process.started
    return min((one.started for one in context.state.processes), default=0)
