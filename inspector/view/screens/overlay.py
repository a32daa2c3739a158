"""A list that opens over the main screen: evidence, ladders, rights, limits, keys, formats of a report."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from inspector.view.header import Line
from inspector.view.tables.listing import Listing
from inspector.view.tables.row import Cell, Table
from inspector.view.widgets.detail import DetailPanel
from inspector.view.widgets.lines import Lines
from inspector.view.widgets.rows import Rows


class OverlayScreen(ModalScreen[int | None]):
    """Shows a table under a title; gives back the index of the row that was opened, or None."""

    BINDINGS = [
        Binding("escape,q", "dismiss", "Back", id="back"),
        Binding("tab", "app.focus_next", "Next", show=False, id="overlay-next"),
        Binding("y", "app.copy_row", "Copy row", show=False, id="overlay-copy-row"),
        Binding("Y", "app.copy_command", "Copy command", show=False, id="overlay-copy-command"),
        Binding("question_mark,d,l,a,A,L", "dismiss", "Back", show=False, id="overlay-back"),
    ]

    def __init__(self, title: str, table: Table, *, intro: Sequence[Line] = (), enter: str = "", details: bool = True):
        super().__init__()
        self._title, self._table, self._intro, self._enter = title, table, intro, enter
        self._with_details = details

    def compose(self) -> ComposeResult:
        with Vertical(id="overlay-box"):
            yield Lines(id="overlay-top")
            yield Lines(id="overlay-intro", height=len(self._intro))
            yield Rows(id="overlay-rows", titles=any(column.title for column in self._table.columns))
            if self._with_details:
                yield DetailPanel(id="overlay-detail")
            yield Lines(id="overlay-status")

    def on_mount(self) -> None:
        heading: Cell = ((f" {self._title} ", "here"), (f"  {self._table.heading}", "quiet"))
        self.query_one("#overlay-top", Lines).tell([Line(heading)])
        self.query_one("#overlay-intro", Lines).tell(self._intro)
        keys = f" Enter {self._enter}   " if self._enter else " "
        self.query_one("#overlay-status", Lines).tell(
            [Line(((f"{keys}y copy   Y copy the command   Esc back", "quiet"),))]
        )
        rows = self.query_one("#overlay-rows", Rows)
        rows.load(Listing(self._table))
        rows.focus()

    @on(Rows.Moved, "#overlay-rows")
    def show_details(self, message: Rows.Moved) -> None:
        index = message.rows.listing.chosen
        if self._with_details and index is not None:
            self.query_one("#overlay-detail", DetailPanel).tell(message.rows.listing.table.details(index))

    @on(Rows.Chosen, "#overlay-rows")
    def open_row(self, message: Rows.Chosen) -> None:
        if self._enter:
            self.dismiss(message.rows.listing.chosen)

    def say(self, words: str) -> None:
        """A message for the person, in the last line."""
        self.query_one("#overlay-status", Lines).tell([Line(((f" {words}", "strong"),))])
