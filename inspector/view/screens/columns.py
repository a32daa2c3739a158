"""Which columns a list shows, and by which its rows are sorted."""

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from inspector.view.header import Line
from inspector.view.stylesheet import OVER, stylesheet
from inspector.view.tables.listing import Listing
from inspector.view.tables.row import Cell, Column, Details, Item, ListTable, Row, cell
from inspector.view.tables.sorting import Sorting
from inspector.view.widgets.lines import Lines
from inspector.view.widgets.rows import Rows

from .terminal_size import TerminalSized

_COLUMNS = (Column("COLUMN", 20), Column("SHOWN", 7), Column("SORTED"))


class ColumnsScreen(TerminalSized, ModalScreen[Sorting | None]):
    """Shows or hides columns at once; gives back the order that was chosen, None where none was."""

    CSS_PATH = stylesheet(OVER)
    BINDINGS = [
        Binding("escape,q,s", "dismiss", "Back", show=False, id="columns-back"),
        Binding("space", "show_or_hide", "Show or hide", show=False, id="columns-toggle"),
    ]

    def __init__(self, title: str, listing: Listing) -> None:
        super().__init__()
        self._title, self._listing = title, listing

    def compose(self) -> ComposeResult:
        with Vertical(id="overlay-box"):
            yield Lines(id="overlay-top")
            yield Rows(id="overlay-rows")
            yield Lines(id="overlay-status")

    def on_mount(self) -> None:
        heading: Cell = ((" Columns ", "here"), (f"  {self._title}", "quiet"))
        self.query_one("#overlay-top", Lines).tell([Line(heading)])
        keys = " Enter sort by it, again the other way   Space show or hide   Esc back"
        self.query_one("#overlay-status", Lines).tell([Line(((keys, "quiet"),))])
        self._rows.load(Listing(self._table()))
        self._rows.focus()

    @property
    def _rows(self) -> Rows:
        return self.query_one("#overlay-rows", Rows)

    def _table(self) -> ListTable:
        sorting, chosen = self._listing.sorting, self._listing.chosen_columns
        items = []
        for column in self._listing.table.columns:
            shown = column.title in chosen if chosen else True
            state = cell("✓ yes", "yes") if shown else cell("· no", "quiet")
            if shown and column.least and not chosen:
                state = cell("wide", "quiet")
            order = ("downwards" if sorting.descending else "upwards") if column.title == sorting.title else ""
            row = Row(column.title, (cell(column.title), state, cell(order, "name")))
            items.append(Item(row, Details(column.title, ())))
        return ListTable(_COLUMNS, items)

    def action_show_or_hide(self) -> None:
        """Show or hide the column under the cursor; the last one stays."""
        index = self._rows.listing.chosen
        if index is None:
            return
        titles = [one.title for one in self._listing.table.columns]
        chosen = list(self._listing.chosen_columns or titles)
        title = titles[index]
        chosen = [one for one in titles if (one in chosen) != (one == title)]
        if chosen:
            self._listing.chosen_columns = (
                () if chosen == titles and not self._listing.chosen_columns else tuple(chosen)
            )
        self._rows.show(self._table())

    @on(Rows.Chosen, "#overlay-rows")
    def _sort(self, message: Rows.Chosen) -> None:
        index = message.rows.listing.chosen
        if index is not None:
            self.dismiss(self._listing.sorting.turned(self._listing.table.columns[index].title))
