"""A pane that is seen beside the one that the keys are for: its title and its rows, at the same moment."""

from textual.app import ComposeResult
from textual.message import Message

from inspector.view.header import Line, pane_title
from inspector.view.pane_context import PaneContext
from inspector.view.panes.pane import Pane

from .frame import Frame
from .lines import Lines
from .rows import Rows

_HEAD = 2
"""Lines of its title and its columns."""
_LEAST, _MOST = 6, 60
"""Lines that it takes, whatever it shows: few rows that come and go do not move the list, more than a screen is all."""


class Companion(Frame):
    """Shows a pane without taking keys; a click turns to it."""

    class Clicked(Message):
        """The pane that is shown was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="companion")
        self._title, self._rows = Lines(id=f"{id}-title", classes="companion-title"), Rows(id=f"{id}-rows")
        self._rows.can_focus = False
        self._pane: Pane | None = None
        self._lines = 0

    def compose(self) -> ComposeResult:
        yield from (self._title, self._rows)

    def tell(self, pane: Pane, key: str, context: PaneContext) -> None:
        """Show this pane as it is now; `key` turns to it."""
        changed = pane.look(context)
        if self._rows.listing is not pane.listing:
            self._rows.load(pane.listing)
        elif changed or pane is not self._pane:
            self._rows.refreshed()
        self._pane = pane
        line = pane_title(pane)
        left = ((f" {key} {pane.title} ", "strong"), *line.left)
        self._title.tell([Line(left, line.right)])
        self._take(len(pane.listing.table) + _HEAD)

    def _take(self, lines: int) -> None:
        """Take no more lines than it has rows: what it does not need is the list's."""
        most = max(_LEAST, min(lines, _MOST))
        if self._lines != most:
            self._lines = self.styles.max_height = most

    def go_to(self, at: int) -> None:
        """Put its cursor on the last row at or before a moment, as far as the row is at hand."""
        pane = self._pane
        place = pane.listing.table.near(at) if pane is not None and at else None
        if pane is not None and place is not None:
            pane.listing.follow = False
            pane.listing.reveal(place)
            self._rows.refreshed()
            self._rows.show_cursor()

    def on_click(self) -> None:
        if self._pane is not None:
            self.post_message(self.Clicked(self._pane.name))
