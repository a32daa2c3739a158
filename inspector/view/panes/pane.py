"""A pane: a named list, rebuilt only when something that it shows has changed."""

from collections.abc import Callable, Hashable
from typing import Protocol

from inspector.model.state import State
from inspector.model.verdict import PaneName
from inspector.stream.base import Event, Request
from inspector.view.clock import SECOND
from inspector.view.pane_context import PaneContext
from inspector.view.tables.listing import Listing
from inspector.view.tables.process_groups import Folds
from inspector.view.tables.row import ListTable, Table
from inspector.view.tables.sorting import Sorting


class Asker(Protocol):
    """Whoever passes requests down."""

    def ask(self, make: Callable[[int], Request]) -> int:
        """Send the request that `make` builds for a fresh id; returns the id."""


def went_round(before: int, now: int, step: int) -> str:
    """Words for a search that went on from the other end; empty where it did not."""
    if (now - before) * step > 0:
        return ""
    return "went on from the top" if step > 0 else "went on from the end"


class Pane:
    """A listing of one kind of thing."""

    name: PaneName
    title: str
    depends: tuple[str, ...]
    """Revisions of the state that it shows."""
    ticks = False
    """It shows how long calls have been open."""
    hints: tuple[tuple[str, str], ...] = ()
    """Keys that mean something here, for the line at the bottom."""

    def __init__(self) -> None:
        self.listing = Listing(ListTable((), ()))
        self._seen: Hashable = None
        self._remote_pattern = ""
        """The filter, while the collector does the filtering."""
        self.said = ""
        """Words for the person about something that was asked for; whoever says them empties it."""
        self.over = False
        """Everything has ended: no row will come."""
        self.moved = False
        """An answer has put the cursor elsewhere."""

    def look(self, context: PaneContext) -> bool:
        """Bring the listing up to date; False when nothing that it shows has changed."""
        state = context.state
        all_ended = bool(state.processes) and all(one.ended for one in state.current.values())
        self.over = all_ended or state.ended is not None
        seen = (self._stamp(context), self._second(context))
        if seen == self._seen:
            return False
        self._seen = seen
        self.listing.show(self.table(context))
        self.listing.mark = self.listing.table.near(context.scope.at) if context.scope.at else None
        return True

    def table(self, context: PaneContext) -> Table:
        """The rows for what is known now."""
        raise NotImplementedError

    def count(self, context: PaneContext) -> int:
        """How many things it has, for its tab; must be cheap."""
        return len(self.listing.table)

    @property
    def pattern(self) -> str:
        """The filter in force."""
        return self._remote_pattern or (self.listing.pattern if self.listing.narrowed else "")

    def narrow(self, context: PaneContext, pattern: str) -> None:
        """Show only rows that match."""
        self.listing.narrow(pattern)

    def widen(self, context: PaneContext) -> None:
        """Show all rows again; the pattern stays for `n` and `N`."""
        self.listing.widen()

    def seek(self, context: PaneContext, key: str) -> bool:
        """Put the cursor on the row of a piece of evidence; False when it is not here."""
        index = self.listing.table.find(key)
        if index is not None:
            self.listing.follow = False
            self.listing.reveal(index)
        return index is not None

    @property
    def progress(self) -> str:
        """How far a search has come, in a few words; empty when none is under way."""
        listing = self.listing
        if listing.sorts and listing.sorter is not None:
            return f"sorting, {listing.sorter.percent} % read"
        return f"searched {listing.searched * 100 // max(1, listing.total)} %" if listing.scanning else ""

    def next_bad(self, context: PaneContext, step: int) -> str:
        """Put the cursor on the next or previous row that tells of trouble; returns words to say."""
        before = self.listing.cursor
        if not self.listing.next_bad(step):
            return "no other error here" if before >= 0 and self._is_bad(before) else "no error here"
        return went_round(before, self.listing.cursor, step)

    def _is_bad(self, position: int) -> bool:
        return position < len(self.listing) and self.listing.table.bad(self.listing.index(position))

    def go_to(self, context: PaneContext, at: int) -> str:
        """Put the cursor on the last row at or before a moment; returns words to say."""
        place = self.listing.table.near(at)
        if place is None:
            return "no row is that old here"
        self.listing.follow = False
        self.listing.reveal(place)
        return ""

    def sort(self, context: PaneContext, sorting: Sorting) -> str:
        """Sort the rows by a column; returns words to say."""
        self.listing.sorting, self.listing.follow, self._seen = sorting, False, None
        return ""

    def fold(self, context: PaneContext, step: int) -> bool:
        """Fold (-1) or unfold (1) the row under the cursor; False when there is nothing to fold."""
        return False

    def answered(self, event: Event) -> bool:
        """Take the answer to a request; False when it is not ours."""
        return False

    def total(self) -> int:
        """Rows without the filter."""
        return self.listing.total

    def _stamp(self, context: PaneContext) -> Hashable:
        revisions = context.state.revisions
        answer = context.answer if "answer" in self.depends else None
        return (
            id(context.state),
            id(answer),
            context.scope,
            context.live,
            *(revisions.get(name, 0) for name in self.depends),
        )

    def _second(self, context: PaneContext) -> int:
        """Changes each second while a call is open, otherwise never."""
        if not self.ticks or not any(one.open_calls for one in context.state.current.values()):
            return 0
        return context.now // SECOND


class ListPane(Pane):
    """A pane whose rows are few and made by one function."""

    def __init__(
        self,
        name: PaneName,
        title: str,
        depends: tuple[str, ...],
        build: Callable[[PaneContext, Folds], ListTable],
        *,
        count: Callable[[State], int] = lambda state: 0,
        ticks: bool = False,
        foldable: bool = False,
        hints: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__()
        self.name, self.title, self.depends, self.ticks, self.hints = name, title, depends, ticks, hints
        self._build, self._count = build, count
        self._folds = Folds()
        self.listing.foldable = foldable

    def table(self, context: PaneContext) -> ListTable:
        if self.listing.sorting.title:
            self._folds.everything = True
        return self._build(context, self._folds).sorted_by(self.listing.sorting)

    def sort(self, context: PaneContext, sorting: Sorting) -> str:
        self.listing.sorting, self._seen = sorting, None
        self._folds.everything = bool(self.listing.pattern or sorting.title)
        return ""

    def fold(self, context: PaneContext, step: int) -> bool:
        chosen = self.listing.chosen
        if not self.listing.foldable or chosen is None or self.listing.sorting.title:
            return False
        key = self._folds.turn(self.listing.table.row(chosen).key, step)
        if key is None:
            return False
        self._seen = None
        self.look(context)
        return self.seek(context, key)

    def narrow(self, context: PaneContext, pattern: str) -> None:
        """What is folded away is looked for as well."""
        everything = bool(pattern or self.listing.sorting.title)
        if everything != self._folds.everything:
            self._folds.everything, self._seen = everything, None
            self.look(context)
        super().narrow(context, pattern)

    def widen(self, context: PaneContext) -> None:
        super().widen(context)
        self._folds.everything, self._seen = bool(self.listing.sorting.title), None

    def count(self, context: PaneContext) -> int:
        return self._count(context.state)
