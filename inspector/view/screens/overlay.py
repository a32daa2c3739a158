"""A list that opens over the main screen: evidence, ladders, rights, limits, keys, formats of a report."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from inspector.view.header import Line
from inspector.view.stylesheet import OVER, stylesheet
from inspector.view.tables.listing import Listing
from inspector.view.tables.row import Cell, Table
from inspector.view.widgets.detail import DetailPanel
from inspector.view.widgets.filter_bar import FilterBar
from inspector.view.widgets.lines import Lines
from inspector.view.widgets.rows import Rows

from .terminal_size import TerminalSized


class OverlayScreen(TerminalSized, ModalScreen[int | None]):
    """Shows a table under a title; gives back the index of the row that was opened, or None."""

    CSS_PATH = stylesheet(OVER)
    BINDINGS = [
        Binding("escape", "back", "Back", id="back"),
        Binding("q", "dismiss", "Back", show=False, id="overlay-quit"),
        Binding("slash", "filter", "Filter the rows", id="filter"),
        Binding("n", "next_match(1)", "Next match", show=False, id="next-match"),
        Binding("N", "next_match(-1)", "Previous match", show=False, id="previous-match"),
        Binding("tab", "app.focus_next", "Next", show=False, id="overlay-next"),
        Binding("y", "app.copy_row", "Copy row", show=False, id="overlay-copy-row"),
        Binding("Y", "app.copy_command", "Copy command", show=False, id="overlay-copy-command"),
        Binding("question_mark,d,l,a,A,L", "dismiss", "Back", show=False, id="overlay-back"),
    ]

    def __init__(self, title: str, table: Table, *, intro: Sequence[Line] = (), enter: str = "", details: bool = True):
        super().__init__()
        self._title, self._table, self._intro, self._enter = title, table, intro, enter
        self._with_details = details
        self.filter_bar = FilterBar()

    def compose(self) -> ComposeResult:
        with Vertical(id="overlay-box"):
            yield Lines(id="overlay-top")
            yield Lines(id="overlay-intro", height=len(self._intro))
            yield Rows(id="overlay-rows", titles=any(column.title for column in self._table.columns))
            if self._with_details:
                yield DetailPanel(id="overlay-detail")
            yield self.filter_bar
            yield Lines(id="overlay-status")

    def on_mount(self) -> None:
        self._tell_heading()
        self.query_one("#overlay-intro", Lines).tell(self._intro)
        keys = f" Enter {self._enter}   " if self._enter else " "
        self.query_one("#overlay-status", Lines).tell(
            [Line(((f"{keys}/ filter   y copy   Y copy the command   Esc back", "quiet"),))]
        )
        self.rows.load(Listing(self._table))
        self.rows.focus()

    @property
    def rows(self) -> Rows:
        """The list."""
        return self.query_one("#overlay-rows", Rows)

    def _tell_heading(self) -> None:
        """The title, and what the filter leaves of the list."""
        listing = self.rows.listing
        pattern = listing.pattern
        found = f"{listing.matching:,} of {listing.total:,} match {pattern} " if pattern else ""
        heading: Cell = ((f" {self._title} ", "here"), (f"  {self._table.heading}", "quiet"))
        self.query_one("#overlay-top", Lines).tell([Line(heading, ((found, "quiet"),))])

    def action_filter(self) -> None:
        self.filter_bar.open(self.rows.listing.pattern)

    @on(FilterBar.Changed)
    def _filter_typed(self, message: FilterBar.Changed) -> None:
        self.rows.listing.narrow(message.value)
        self.rows.refreshed()
        self._tell_heading()

    @on(FilterBar.Entered)
    def _filter_entered(self) -> None:
        self.filter_bar.close()
        self.set_focus(self.rows)

    def action_next_match(self, step: int) -> None:
        self.rows.next_match(step)

    def action_back(self) -> None:
        """First the filter goes, then the list."""
        if not self.rows.listing.pattern and not self.filter_bar.display:
            self.dismiss()
            return
        self.filter_bar.close()
        self.rows.listing.narrow("")
        self.rows.refreshed()
        self._tell_heading()
        self.set_focus(self.rows)

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
