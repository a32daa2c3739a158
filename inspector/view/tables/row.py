"""Rows, cells and tables: the plain data that every list on the screen is made of."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from .sorting import Sorting, Value, value_of

Tone = Literal["plain", "quiet", "strong", "yes", "no", "unknown", "name", "head", "here"]
"""What a text means; the theme decides how it looks. Meaning never rests on it alone."""

Span = tuple[str, Tone]
Cell = tuple[Span, ...]


class Row(NamedTuple):
    """One line of a table."""

    key: str
    """Stable name of the row: the cursor and jumps from evidence find it again by it."""
    cells: tuple[Cell, ...]
    """One cell a column; in a row with fewer, the last one takes all the room that is left."""


class Column(Struct, frozen=True):
    """How one column is drawn."""

    title: str
    width: int = 0
    """Terminal cells; 0 takes what the others leave (one column only)."""
    right: bool = False
    """Numbers are aligned to the right."""
    keep_end: bool = False
    """Crop at the beginning: the end of a path says more."""
    least: int = 0
    """Left out in lists of fewer terminal cells."""
    tree: bool = False
    """Its first span is the branch that leads to the row: it means nothing once rows are sorted."""


class Note(NamedTuple):
    """One line of a row's details: a label and a value that may be long."""

    label: str
    text: str
    tone: Tone = "plain"


class Details(NamedTuple):
    """Everything known of one row, and the commands that show the same by hand."""

    title: str
    notes: Sequence[Note]
    by_hand: Sequence[str] = ()


class Table(Protocol):
    """A list of any length that makes rows only when they are looked at."""

    @property
    def columns(self) -> Sequence[Column]: ...

    @property
    def heading(self) -> str:
        """One line that says what is listed and with which choices."""

    @property
    def epoch(self) -> object:
        """Equal epochs promise: the rows that were there are the same, new ones came at the end."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> Row: ...

    def text(self, index: int) -> str:
        """What a filter looks at."""

    def find(self, key: str) -> int | None:
        """Index of the row with this key."""

    def near(self, at: int) -> int | None:
        """Index of the row at or last before a moment; None where rows are no moments or none is that early."""

    def moment(self, index: int) -> int:
        """CLOCK_MONOTONIC ns of a row; 0 when it is not a time."""

    def pid(self, index: int) -> int:
        """The process that a row is about; 0 when it is about none."""

    def bad(self, index: int) -> bool:
        """Whether the row tells of trouble: what `next error` goes to."""

    def details(self, index: int) -> Details: ...


def cell(text: str, tone: Tone = "plain") -> Cell:
    """A cell of one text."""
    return ((text, tone),)


EMPTY: Cell = ()


class Item(NamedTuple):
    """A row of a short table, made at once, with its details."""

    row: Row
    details: Details | Callable[[], Details]
    """A function where they cost more than the row: they are made when somebody looks."""
    at: int = 0
    also: Sequence[str] = ()
    """Other keys that lead to this row."""
    pid: int = 0


class ListTable:
    """A table of some hundred rows that are all there."""

    def __init__(self, columns: Sequence[Column], items: Sequence[Item], heading: str = "") -> None:
        self.columns = fitted(columns, items)
        self.heading = heading
        self.epoch: object = self
        self._items = items
        self._places = {key: place for place, item in enumerate(items) for key in (item.row.key, *item.also)}

    def sorted_by(self, sorting: Sorting) -> "ListTable":
        """The same rows in another order; those of another length than the columns stay at the end."""
        place = next((place for place, one in enumerate(self.columns) if one.title == sorting.title), None)
        if place is None:
            return self
        column = place

        def value(item: Item) -> Value:
            cells = item.row.cells
            return value_of("".join(text for text, _ in cells[column]) if column < len(cells) else "")

        items = sorted((_flat(item, self.columns) for item in self._items), key=value, reverse=sorting.descending)
        items.sort(key=lambda item: value(item).empty)  # last both ways
        return ListTable(self.columns, items, self.heading)

    def __len__(self) -> int:
        return len(self._items)

    def row(self, index: int) -> Row:
        return self._items[index].row

    def text(self, index: int) -> str:
        return plain(self._items[index].row)

    def find(self, key: str) -> int | None:
        return self._places.get(key)

    def near(self, at: int) -> int | None:
        return None

    def moment(self, index: int) -> int:
        return self._items[index].at

    def pid(self, index: int) -> int:
        return self._items[index].pid

    def bad(self, index: int) -> bool:
        return any(tone == "no" for one in self._items[index].row.cells for _, tone in one)

    def details(self, index: int) -> Details:
        details = self._items[index].details
        return details() if callable(details) else details


def _flat(item: Item, columns: Sequence[Column]) -> Item:
    """The item without the branch that leads to it in a tree."""
    cells = tuple(
        one[1:] if column.tree and len(one) > 1 else one for one, column in zip(item.row.cells, columns, strict=False)
    )
    return item._replace(row=item.row._replace(cells=cells))


def fitted(columns: Sequence[Column], items: Sequence[Item]) -> Sequence[Column]:
    """The columns, each fixed one no wider than its widest cell."""
    widest = [len(column.title) for column in columns]
    for item in items:
        cells = item.row.cells
        for place, one in enumerate(cells if len(cells) == len(columns) else cells[:-1]):
            widest[place] = max(widest[place], sum(len(text) for text, _ in one))
    return tuple(replace(column, width=min(column.width, most)) for column, most in zip(columns, widest, strict=True))


def plain(row: Row) -> str:
    """The text of a row, cells apart by two spaces."""
    return "  ".join("".join(text for text, _ in one) for one in row.cells)
