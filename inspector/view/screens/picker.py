"""The picker: which process? Those that have to do with a GPU first; looks again every two seconds."""

from collections.abc import Callable, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import get_current_worker

from inspector.model.state import Process
from inspector.stream.processes import ProcessListed
from inspector.view.header import Line, hints, quitting
from inspector.view.header import problem as problem_lines
from inspector.view.keys import picker_help
from inspector.view.session import Session
from inspector.view.stylesheet import OVER, stylesheet
from inspector.view.tables.candidates import ENDED, candidates
from inspector.view.tables.row import Cell, ListTable
from inspector.view.tables.sorting import Sorting
from inspector.view.widgets.detail import NOTHING, DetailPanel
from inspector.view.widgets.lines import Lines
from inspector.view.widgets.rows import Rows

from .columns import ColumnsScreen
from .overlay import OverlayScreen
from .terminal_size import TerminalSized

AGAIN = 2.0
"""Seconds between two looks."""

Listed = Callable[[], Sequence[ProcessListed]]
"""Looks at the machine; may take its time, raises OSError with a sentence for the user."""


class PickerScreen(TerminalSized, Screen[str | None]):
    """Gives back the chosen target, or a key with ENDED for what is observed already; None for none."""

    CSS_PATH = stylesheet(OVER)
    BINDINGS = [
        Binding("slash", "filter", "Filter the rows", id="picker-filter"),
        Binding("n", "next_match(1)", "Next match", show=False, id="picker-next"),
        Binding("N", "next_match(-1)", "Previous match", show=False, id="picker-previous"),
        Binding("escape", "back", "Back", show=False, id="picker-back"),
        Binding("s", "columns", "Sort by a column, choose columns", show=False, id="picker-columns"),
        Binding("S", "reverse", "Reverse the order", show=False, id="picker-reverse"),
        Binding("y", "app.copy_row", "Copy the row", show=False, id="picker-copy"),
        Binding("question_mark", "keys", "Help", id="picker-help"),
        Binding("q", "app.quit", "Quit", id="picker-quit"),
        Binding("ctrl+l", "app.redraw", "Redraw the screen", show=False, id="picker-redraw"),
    ]

    def __init__(
        self,
        listed: Listed,
        problem: str = "",
        pattern: str = "",
        observed: Session | None = None,
    ) -> None:
        """`problem` says why the last choice led nowhere; the list is narrowed to `pattern`.

        `observed` goes on behind the picker: its process is under the cursor, and stays in the list when it has ended.
        """
        super().__init__()
        self._observed, self._asked = observed, ""
        self._narrow, self._points = pattern, observed is not None
        self._listed = listed
        self._problem = problem
        self._said_ends = ""
        """The program that would end, when the keys were last told."""
        self._stood = ""
        """The row under the cursor: what was said of it goes with it."""
        self._words = "listing processes"
        self._table = ListTable((), ())
        """As it was found, whatever the rows are sorted by."""
        self.filter_bar = Horizontal(id="filter")
        self.filter_bar.display = False
        self.pattern = Input(id="filter-text", compact=True, select_on_focus=False)
        self.rows = Rows(id="picker-rows")

    def compose(self) -> ComposeResult:
        yield Lines(id="picker-top")
        yield self.rows
        yield DetailPanel(id="picker-detail")
        with self.filter_bar:
            yield Lines(id="filter-mark")
            yield self.pattern
        yield Lines(id="picker-status")

    def on_mount(self) -> None:
        self.pattern.cursor_blink = False
        self.query_one("#filter-mark", Lines).tell([Line(((" /", "name"),))])
        self._say(self._problem)
        self.set_focus(self.rows)
        self._headline()
        self.look()
        self.set_interval(AGAIN, self.look)

    def action_keys(self) -> None:
        bindings = [one for one in self.BINDINGS if isinstance(one, Binding)]
        self.app.push_screen(OverlayScreen("Help", picker_help(bindings, {}), details=False))

    def _say(self, problem: str) -> None:
        """Why a choice leads nowhere, or the keys."""
        self._said_ends = self._ends()
        keys = (
            ("Enter", "inspect"),
            ("/", "filter"),
            ("s", "sort"),
            ("y", "copy"),
            ("?", "keys"),
            quitting(self._ends())[-1],
        )
        lines = problem_lines(problem, self.size.width) if problem else [hints(keys, self.size.width, ())]
        self.query_one("#picker-status", Lines).tell(lines, grow=True)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def look(self) -> None:
        """List the processes again, beside the keys."""
        worker = get_current_worker()
        try:
            found: Sequence[ProcessListed] | str = self._listed()
        except OSError as error:
            found = str(error)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._found, found)

    def _found(self, found: Sequence[ProcessListed] | str) -> None:
        if isinstance(found, str):
            self._words = f"cannot list processes: {found}"
        else:
            root = self._root()
            self._table = candidates(found, root if root is not None and root.ended else None)
            self._words = self._table.heading
            self._sort(self.rows.listing.sorting)
            self._begin()
        if self._said_ends != self._ends():  # it ended meanwhile
            self._say("")
        self._headline()

    def _root(self) -> Process | None:
        """The process that is observed behind the picker: the oldest of its tree."""
        processes = self._observed.state.processes if self._observed is not None else []
        return processes[0] if processes else None

    def _ends(self) -> str:
        """The program that ends when it is left."""
        return self._observed.ends_with_us if self._observed is not None else ""

    def _begin(self) -> None:
        """What was asked for is narrowed to, and what is observed is under the cursor, once there is a list."""
        pattern, self._narrow = self._narrow, ""
        table = self.rows.listing.table
        if pattern and any(pattern.lower() in table.text(index).lower() for index in range(len(table))):
            self.pattern.value = pattern
            self.rows.listing.narrow(pattern)
            self.rows.refreshed()
        root, self._points = self._root() if self._points else None, False
        index = self.rows.listing.table.find(f"{ENDED if root.ended else ''}{root.pid}") if root is not None else None
        if index is not None:
            self.rows.listing.reveal(index)
            self.rows.show_cursor()

    def _sort(self, sorting: Sorting | None) -> None:
        if sorting is not None:
            self.rows.listing.sorting = sorting
            self.rows.show(self._table.sorted_by(sorting))

    @on(Rows.Sorted, "#picker-rows")
    def _title_clicked(self, message: Rows.Sorted) -> None:
        self._sort(self.rows.listing.sorting.turned(message.title))

    def action_columns(self) -> None:
        self.app.push_screen(ColumnsScreen("Processes", self.rows.listing), self._sort)

    def action_reverse(self) -> None:
        title, descending = self.rows.listing.sorting
        if title:
            self._sort(Sorting(title, not descending))
        else:
            self.say("s chooses a column to sort by")

    def say(self, words: str) -> None:
        """A message for the person, in the last line."""
        self.query_one("#picker-status", Lines).tell([Line(((f" {words}", "strong"),))])

    def _headline(self) -> None:
        rows = self.rows
        pattern = rows.listing.pattern
        right = f"{len(rows.listing):,} match {pattern} " if pattern and rows.listing.narrowed else ""
        left: Cell = ((" inspector ", "here"), ("  Which process? ", "strong"), (f" {self._words}", "quiet"))
        self.query_one("#picker-top", Lines).tell([Line(left, ((right, "quiet"),))])

    @on(Rows.Moved, "#picker-rows")
    def _moved(self, message: Rows.Moved) -> None:
        index = message.rows.listing.chosen
        stood, self._stood = self._stood, message.rows.listing.table.row(index).key if index is not None else ""
        if stood and stood != self._stood:
            self._say("")
        details = message.rows.listing.table.details(index) if index is not None else NOTHING
        self.query_one("#picker-detail", DetailPanel).tell(details)

    @on(Rows.Chosen, "#picker-rows")
    def _chosen(self, message: Rows.Chosen) -> None:
        index = message.rows.listing.chosen
        if index is None:
            return
        details = message.rows.listing.table.details(index)
        refused = next((note.text for note in details.notes if note.label == "no"), "")
        if refused:
            self._say(f"cannot be observed: {refused}")
            return
        key = message.rows.listing.table.row(index).key
        stays = {str(one.pid) for one in self._observed.state.processes} if self._observed is not None else ()
        ends = self._ends()
        if ends and key not in stays and key != self._asked:
            self._asked = key
            self._say(f"{ends} was started here and ends when you leave it: Enter again leaves it")
        else:
            self.dismiss(key)

    def action_filter(self) -> None:
        self.filter_bar.display = True
        self.set_focus(self.pattern)  # at once: the next key is meant for it

    @on(Input.Changed, "#filter-text")
    def _typed(self, message: Input.Changed) -> None:
        rows = self.rows
        rows.listing.narrow(message.value)
        rows.refreshed()
        self._headline()

    @on(Input.Submitted, "#filter-text")
    def _entered(self) -> None:
        self.filter_bar.display = False
        self.set_focus(self.rows)

    def action_next_match(self, step: int) -> None:
        self.rows.next_match(step)

    def action_back(self) -> None:
        """All rows again; there is nothing behind the picker."""
        if not self.filter_bar.display and not self.rows.listing.narrowed:
            self._say("")
            return
        self.filter_bar.display = False
        self.pattern.value = ""
        self.rows.listing.widen()
        self.rows.refreshed()
        self._headline()
        self.set_focus(self.rows)
