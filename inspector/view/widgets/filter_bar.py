"""The line in which a filter is typed: what kind of pattern it is, and the patterns before it."""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from inspector.stream.patterns import typed
from inspector.view.header import Line

from .lines import Lines

KEPT = 100
"""Patterns that are remembered."""
_KINDS = {"text": "", "regex": "regular expression", "fuzzy": "fuzzy"}
_HELP = "regex   ! not   ~ fuzzy   ' plain   ↑ earlier "


class FilterBar(Horizontal):
    """Hidden until it is opened; every screen with a list has one."""

    history: ClassVar[list[str]] = []
    """What was looked for in this run, the newest last; the same in all lists."""

    class Changed(Message):
        """The pattern in the line has changed."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    class Entered(Message):
        """Enter was pressed: the pattern stays and the list has the focus again."""

    def __init__(self) -> None:
        super().__init__(id="filter")
        self.display = False
        self.input = Input(id="filter-text", compact=True, select_on_focus=False)
        self._mark, self._kind = Lines(id="filter-mark"), Lines(id="filter-kind")
        self._place = 0
        """Place in the history; behind its end while a new pattern is typed."""

    def compose(self) -> ComposeResult:
        yield from (self._mark, self.input, self._kind)

    def on_mount(self) -> None:
        self.input.cursor_blink = False
        self._mark.tell([Line(((" /", "name"),))])

    def open(self, value: str) -> None:
        """Show the line with a pattern in it, and give it the keys at once: the next one is meant for it."""
        self.input.value = value
        self.input.cursor_position = len(value)
        self._place = len(self.history)
        self.display = True
        self.screen.set_focus(self.input)
        self._tell_kind(value)

    def close(self) -> None:
        """Hide the line; its pattern is remembered."""
        value = self.input.value
        if self.display and value:
            self.history[:] = [*[one for one in self.history if one != value][-KEPT + 1 :], value]
        self.display = False

    def on_key(self, event: events.Key) -> None:
        """Up and down go through the patterns of before."""
        step = {"up": -1, "down": 1}.get(event.key, 0)
        if not step:
            return
        event.stop()
        event.prevent_default()
        self._place = max(0, min(self._place + step, len(self.history)))
        value = self.history[self._place] if self._place < len(self.history) else ""
        self.input.value = value
        self.input.cursor_position = len(value)

    @on(Input.Changed, "#filter-text")
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._tell_kind(message.value)
        if self.display:
            self.post_message(self.Changed(message.value))

    @on(Input.Submitted, "#filter-text")
    def _entered(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Entered())

    def _tell_kind(self, value: str) -> None:
        pattern = typed(value)
        words = _HELP
        if pattern is not None:
            kind = _KINDS[pattern.kind]
            words = pattern.note or " ".join(filter(None, ("not" if pattern.inverse else "", kind)))
        self._kind.tell([Line((), ((words, "quiet"),))])
