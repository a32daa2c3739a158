"""A long table in the order of one of its columns, sorted in steps beside the keys."""

import time
from array import array
from collections.abc import Sequence

from inspector.stream.stepwise_sort import StepwiseSort

from .row import Column, Details, Row, Table
from .sorting import Sorting, Value, value_of

_RUN = 2_000
"""Rows whose values are read and sorted in one step."""


class SortedTable:
    """The rows of a table in another order."""

    def __init__(self, table: Table, order: Sequence[int]) -> None:
        self._table, self._order = table, order
        self.epoch: object = order

    @property
    def columns(self) -> Sequence[Column]:
        return self._table.columns

    @property
    def heading(self) -> str:
        return self._table.heading

    def __len__(self) -> int:
        return len(self._order)

    def row(self, index: int) -> Row:
        return self._table.row(self._order[index])

    def text(self, index: int) -> str:
        return self._table.text(self._order[index])

    def find(self, key: str) -> int | None:
        return self._position(self._table.find(key))

    def near(self, at: int) -> int | None:
        return self._position(self._table.near(at))

    def moment(self, index: int) -> int:
        return self._table.moment(self._order[index])

    def pid(self, index: int) -> int:
        return self._table.pid(self._order[index])

    def bad(self, index: int) -> bool:
        return self._table.bad(self._order[index])

    def details(self, index: int) -> Details:
        return self._table.details(self._order[index])

    def _position(self, index: int | None) -> int | None:
        try:
            return self._order.index(index) if index is not None else None
        except ValueError:  # it has come since
            return None


class Sorter:
    """Sorts the table of a list, and again when rows have come; until it is done the order of before stays."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._sorting = Sorting()
        self._runs: list[list[tuple[tuple[bool, Value], int]]] = []
        self._read = 0
        """Rows whose values are read."""
        self._merging: StepwiseSort[tuple[bool, Value]] | None = None
        self._order: Sequence[int] = ()
        self._epoch: object = None

    def arranged(self, table: Table, sorting: Sorting) -> Table:
        """The table as far as it is sorted; `go_on` does the rest."""
        if (table.epoch, sorting) != (self._epoch, self._sorting):
            self._epoch, self._sorting = table.epoch, sorting
            self._runs, self._read, self._merging, self._order = [], 0, None, ()
        self._table = table
        return SortedTable(table, self._order) if self._order else table

    @property
    def busy(self) -> bool:
        """There are rows that are not in their place."""
        return self._table is not None and bool(self._sorting.title) and len(self._order) < len(self._table)

    @property
    def percent(self) -> int:
        """How far it is."""
        return self._read * 100 // max(1, len(self._table)) if self._table is not None else 0

    def go_on(self, budget: float) -> bool:
        """Sort for some seconds; True when an order is done."""
        table, until = self._table, time.monotonic() + budget
        if table is None or not self.busy:
            return False
        while self._merging is None and self._read < len(table):
            self._read_run(table)
            if time.monotonic() >= until:
                return False
        if self._merging is None:
            self._merging = StepwiseSort([run[:] for run in self._runs])
        if not self._merging.go_on(until):
            return False
        places, self._merging = self._merging.places, None
        self._order = array("Q", reversed(places)) if self._sorting.descending else places
        return True

    def _read_run(self, table: Table) -> None:
        """The values of some rows; those without one are last both ways."""
        titles = [one.title for one in table.columns]
        column = titles.index(self._sorting.title) if self._sorting.title in titles else 0
        run = []
        for place in range(self._read, min(self._read + _RUN, len(table))):
            cells = table.row(place).cells
            value = value_of("".join(text for text, _ in cells[column]) if column < len(cells) else "")
            run.append(((value.empty != self._sorting.descending, value), place))
        run.sort()
        self._runs.append(run)
        self._read += len(run)
