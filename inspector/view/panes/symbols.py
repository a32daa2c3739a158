"""The pane Symbols: names come from the collector in pages, filtered there; from a recording where there is none."""

import re
from collections.abc import Hashable

from inspector.model.state import Process
from inspector.model.tree import libraries
from inspector.stream.base import Event
from inspector.stream.requests import ReadSymbols, StopSearch, SymbolPage, SymbolRow
from inspector.stream.session import RequestFailed
from inspector.view.pane_context import PaneContext
from inspector.view.tables.absent_names import AbsentNames
from inspector.view.tables.pages import Pages
from inspector.view.tables.row import Table
from inspector.view.tables.sorting import Sorting
from inspector.view.tables.symbol_order import arranged, order_of
from inspector.view.tables.symbols import SymbolTable, heading_of, knowledge, recorded_symbols

from .pane import Asker, Pane


class SymbolsPane(Pane):
    """Symbols of one library or of all that a process maps."""

    name = "symbols"
    title = "Symbols"
    depends = ("symbols", "answer")
    hints = (("c", "count its calls, or not"), ("o", "only this library"), ("O", "all libraries"))

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker
        self._pages: Pages[SymbolRow] | None = None
        """What is shown."""
        self._coming: Pages[SymbolRow] | None = None
        """What will be shown as soon as its first page is here."""
        self._query: Hashable = None
        self._all = 0
        self._absent = 0
        """Names that were asked for in vain, before those of the collector."""
        self._refusal = ""
        self.everything = False
        """All libraries were asked for; otherwise the one that provides a GPU API is shown while none is chosen."""

    def table(self, context: PaneContext) -> Table:
        context = self._focused(context)
        if not context.live:
            self._pages = self._coming = self._query = None
            self._remote_pattern = ""
            known = knowledge(context)
            absent = AbsentNames(context, known)
            rows = arranged(recorded_symbols(context), known, self.listing.sorting)
            return SymbolTable([*absent.blamed, *rows, *absent.others], known, heading_of(context))
        self._ask(context, self._remote_pattern)
        heading = f"{heading_of(context)}: {self._refusal}" if self._refusal else heading_of(context)
        known = knowledge(context)
        ahead = AbsentNames(context, known).matching(self._remote_pattern)
        self._absent = len(ahead)
        return SymbolTable(self._pages or (), known, heading, ahead)

    def narrow(self, context: PaneContext, pattern: str) -> None:
        if context.live:
            self._ask(self._focused(context), pattern)
        else:
            super().narrow(context, pattern)

    def show_everything(self, everything: bool) -> None:
        """Show all libraries of the process, or only the one that matters."""
        self.everything, self._seen = everything, None

    @property
    def progress(self) -> str:
        pages = self._coming or self._pages
        if pages is None or pages.complete:
            return super().progress
        doing = "sorted" if self.listing.sorting.title else "searched"
        return f"{doing} {pages.searched * 100 // max(1, pages.all_total)} %"

    def sort(self, context: PaneContext, sorting: Sorting) -> str:
        """The collector sorts; where only the viewer knows the values, it is told which names come first."""
        self.listing.sorting, self._seen = sorting, None
        return ""

    def widen(self, context: PaneContext) -> None:
        self.narrow(context, "") if context.live else super().widen(context)

    def seek(self, context: PaneContext, key: str) -> bool:
        """Evidence names `file:name`: the filter finds the name in all libraries."""
        self.show_everything(True)
        self.narrow(context, "^" + re.escape(key.rsplit(":", 1)[-1]))
        return True

    def answered(self, event: Event) -> bool:
        if isinstance(event, RequestFailed):
            return self._refused(event)
        if not isinstance(event, SymbolPage):
            return False
        for pages in (self._coming, self._pages):
            if pages is not None and pages.put(event.id, event.total, event.rows, event):
                if event.rows or event.complete or pages is self._pages:
                    self._take(pages, event)
                return True
        return False

    def total(self) -> int:
        return self._all + self._absent if self._pages is not None else super().total()

    def count(self, context: PaneContext) -> int:
        return self._all if context.live else super().count(context)

    def _take(self, pages: Pages[SymbolRow], page: SymbolPage) -> None:
        if pages is self._coming:
            self._pages, self._coming = pages, None
            self.listing.top = 0
            self.listing.move(0)
        self._all, self._refusal = page.all_total or page.total, ""
        self._seen = None

    def _refused(self, event: RequestFailed) -> bool:
        ours = any(pages is not None and pages.refused(event.id) for pages in (self._coming, self._pages))
        if ours:
            self._refusal, self._seen = event.why, None
        return ours

    def _focused(self, context: PaneContext) -> PaneContext:
        """The context with a library chosen: the person's choice, else the first that provides a GPU API."""
        if context.scope.file or self.everything:
            return context
        process = context.process or _main(context)
        apis = context.state.apis
        mapped = libraries(process).values() if process is not None else ()
        provider = next((one.file for one in mapped if one.file in apis and apis[one.file].provides), "")
        return context.narrowed(file=provider)

    def _ask(self, context: PaneContext, pattern: str) -> None:
        process = context.process or _main(context)
        if process is None:
            return
        sorting = self.listing.sorting
        query = (process.pid, process.started, context.scope.file, pattern, sorting, frozenset(process.libraries))
        if query == self._query:
            return
        self._query, self._remote_pattern, self.listing.highlight = query, pattern, pattern.removeprefix("^")
        self._let_go()
        pid, file = process.pid, context.scope.file
        order = order_of(knowledge(context), sorting)

        def ask(first: int, count: int) -> int:
            return self._asker.ask(
                lambda number: ReadSymbols(
                    id=number,
                    pid=pid,
                    file=file,
                    filter=pattern,
                    offset=first,
                    limit=count,
                    sort=order.sort,
                    descending=order.descending,
                    ahead=order.ahead,
                )
            )

        self._coming = Pages(ask)
        self._coming.want(0)

    def _let_go(self) -> None:
        """Nobody waits any more for what was asked before."""
        for pages in (self._coming, self._pages):
            for search in pages.pending() if pages is not None else ():
                self._asker.ask(lambda number, search=search: StopSearch(id=number, search=search))  # type: ignore[misc]


def _main(context: PaneContext) -> Process | None:
    """The process whose symbols are shown while none is chosen: that of the answer, else the oldest."""
    findings = context.answer.findings if context.answer is not None else []
    pid = findings[0].pid if findings else None
    named = context.state.current.get(pid) if pid is not None else None
    return named or (context.state.processes[0] if context.state.processes else None)
