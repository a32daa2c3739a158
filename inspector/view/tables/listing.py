"""A table of any length with a cursor, a filter and a search: the state of a list, without its drawing."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import chain, islice
from time import perf_counter

from msgspec.structs import replace

from inspector.stream.patterns import typed

from .row import Column, Row, Table, plain
from .sorted_table import Sorter
from .sorting import Sorting

LOOKED_AT = 50_000
"""Rows that are searched at most for the next one that tells of a problem."""
STRIDE = 2_000
"""Rows that a scan reads between two looks at the clock."""


class Listing:
    """Position 0.. counts the rows shown, index 0.. the rows of the table; they differ while a filter narrows."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.cursor = 0
        self.top = 0
        """Position of the first visible row."""
        self.shift = 0
        """Characters by which the last column is slid to the left."""
        self.mark: int | None = None
        """Index of the row that holds the moment chosen elsewhere."""
        self.follow = False
        """The cursor stays on the last row while rows are added."""
        self.pattern = ""
        self.highlight = ""
        """What is marked in the rows: the pattern, also where somebody else does the filtering."""
        self.chosen_columns: Sequence[str] = ()
        """Titles of the columns that a person chose; empty: those that there is room for."""
        self.sorting = Sorting()
        self.sorter: Sorter | None = None
        """Sorts the rows where whoever makes them does not."""
        self._made: Table = table
        """The table before it was sorted."""
        self.tags: dict[str, str] = {}
        """Rows that are to be copied together: key -> text."""
        self.wrap = False
        """Long rows take several lines."""
        self.foldable = False
        """Left and right fold rows, before they slide the last column."""
        self.narrowed = False
        self._matches = array("Q")
        self._scanned = 0
        self._length = len(table)

    def __len__(self) -> int:
        return len(self._matches) if self.narrowed else self._length

    @property
    def scanning(self) -> bool:
        """The filter has not seen all rows yet, or they are not all sorted."""
        return self.sorts or (bool(self.pattern) and self._scanned < self._length)

    @property
    def sorts(self) -> bool:
        """Rows are being sorted."""
        return self.sorter is not None and bool(self.sorting.title) and self.sorter.busy

    @property
    def searched(self) -> int:
        """Rows that the filter has seen."""
        return self._scanned

    @property
    def total(self) -> int:
        return self._length

    @property
    def matching(self) -> int:
        """How many of the rows seen so far match."""
        return len(self._matches)

    def index(self, position: int) -> int:
        """Row of the table at a position."""
        return self._matches[position] if self.narrowed else position

    def position(self, index: int) -> int | None:
        """Position of a row of the table, None while the filter hides it."""
        if not self.narrowed:
            return index if 0 <= index < self._length else None
        place = bisect_left(self._matches, index)
        return place if place < len(self._matches) and self._matches[place] == index else None

    def row(self, position: int) -> Row:
        row = self.table.row(self.index(position))
        columns = self.table.columns
        if not self.chosen_columns or len(row.cells) != len(columns):
            return row
        pairs = zip(row.cells, columns, strict=True)
        return row._replace(cells=tuple(one for one, column in pairs if column.title in self.chosen_columns))

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that are shown; the title of the one that rows are sorted by has an arrow."""
        columns = self.table.columns
        if self.chosen_columns:
            columns = tuple(replace(one, least=0) for one in columns if one.title in self.chosen_columns) or columns
        if not self.sorting.title:
            return columns
        sign = " ▾" if self.sorting.descending else " ▴"
        return tuple(_with_sign(one, sign) if one.title == self.sorting.title else one for one in columns)

    def tag(self) -> None:
        """Tag the row under the cursor, or take its tag away, and go on to the next one."""
        if self.chosen is not None:
            row = self.table.row(self.chosen)
            if self.tags.pop(row.key, None) is None:
                self.tags[row.key] = plain(row).strip()
            self.move(self.cursor + 1)

    @property
    def chosen(self) -> int | None:
        """Index of the row under the cursor, None in an empty list."""
        return self.index(self.cursor) if 0 <= self.cursor < len(self) else None

    def move(self, position: int) -> None:
        """Put the cursor on a position, as far as there are rows."""
        self.cursor = max(0, min(position, len(self) - 1))

    def show(self, table: Table) -> None:
        """Take a newer table; the cursor stays on its row."""
        self._made = table
        if self.sorter is not None and self.sorting.title:
            table = self.sorter.arranged(table, self.sorting)
        same = table.epoch == self.table.epoch and len(table) >= self._length
        key = None if same else self._key()
        self.table, self._length = table, len(table)
        if not same:
            self._matches, self._scanned = array("Q"), 0
            self.scan(0.01)
            self._return_to(key)
        elif self.narrowed:
            self.scan(0.004)
        if self.follow:
            self.move(len(self) - 1)

    def narrow(self, pattern: str, budget: float = 0.02) -> None:
        """Show only rows that match; an empty pattern shows all. Scans for `budget` seconds, `scan` does the rest."""
        chosen = self.chosen
        refines = self.pattern and _refines(self.pattern, pattern) and not self.scanning
        self.narrowed = typed(pattern) is not None
        self.pattern = self.highlight = pattern if self.narrowed else ""
        if refines and self.narrowed:
            self._refine()
        else:
            self._matches, self._scanned = array("Q"), 0
            self.scan(budget)
        self._near(chosen)

    def widen(self) -> None:
        """Show all rows again and keep the pattern: it is what `n` looks for."""
        chosen = self.chosen
        self.narrowed = False
        self._near(chosen)

    def scan(self, budget: float) -> bool:
        """Go on sorting and looking for matches for `budget` seconds; True while there is more to look at."""
        if self.sorts and self.sorter is not None and self.sorter.go_on(budget):
            self.show(self._made)
        pattern = typed(self.pattern)
        if pattern is None:
            return self.scanning
        end, text, search = perf_counter() + budget, self.table.text, pattern.search()
        while self._scanned < self._length:
            stop = min(self._scanned + STRIDE, self._length)
            self._matches.extend(index for index in range(self._scanned, stop) if search(text(index)))
            self._scanned = stop
            if perf_counter() >= end:
                break
        return self.scanning

    def next(self, step: int) -> bool:
        """Put the cursor on the next (1) or previous (-1) match, around the ends; False when nothing matches."""
        if self.narrowed:
            count = len(self)
            self.move((self.cursor + step) % count if count else 0)
            return bool(count)
        if not self._matches:
            return False
        place = bisect_right(self._matches, self.cursor) if step > 0 else bisect_left(self._matches, self.cursor) - 1
        self.move(self._matches[place % len(self._matches)])
        return True

    def next_bad(self, step: int) -> bool:
        """Put the cursor on the next (1) or previous (-1) row that tells of trouble; False when there is none.

        Behind the last one it goes on from the other end.
        """
        count = len(self)
        ahead = range(self.cursor + step, count if step > 0 else -1, step)
        others = range(self.cursor) if step > 0 else range(count - 1, self.cursor, -1)
        for place in islice(chain(ahead, others), LOOKED_AT):
            if self.table.bad(self.index(place)):
                self.follow = False
                self.move(place)
                return True
        return False

    def reveal(self, index: int) -> None:
        """Put the cursor on a row of the table; a filter that hides it is cleared."""
        if self.position(index) is None:
            self.widen()
        self.move(self.position(index) or 0)

    def _refine(self) -> None:
        pattern = typed(self.pattern)
        assert pattern is not None
        text, search = self.table.text, pattern.search()
        self._matches = array("Q", [index for index in self._matches if search(text(index))])

    def _key(self) -> str | None:
        chosen = self.chosen
        return self.table.row(chosen).key if chosen is not None and chosen < len(self.table) else None

    def _return_to(self, key: str | None) -> None:
        index = self.table.find(key) if key is not None else None
        place = self.position(index) if index is not None else None
        self.move(self.cursor if place is None else place)

    def _near(self, index: int | None) -> None:
        if index is None:
            self.move(0)
        elif self.narrowed:
            self.move(bisect_left(self._matches, index))
        else:
            self.move(index)


def _with_sign(column: Column, sign: str) -> Column:
    width = max(column.width, len(column.title) + len(sign)) if column.width else 0
    return replace(column, title=column.title + sign, width=width)


def _refines(before: str, after: str) -> bool:
    """Whether all that the longer pattern lets through is among what the shorter one did."""
    one, other = typed(before), typed(after)
    if one is None or other is None or one.inverse or other.inverse:
        return False
    return one.kind == other.kind == "text" and one.literal in other.literal
