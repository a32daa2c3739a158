"""One line that a person types: the path of a log, the name of a library."""

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from inspector.view.header import Line
from inspector.view.stylesheet import OVER, stylesheet
from inspector.view.widgets.lines import Lines

from .terminal_size import TerminalSized


class Prompt(TerminalSized, ModalScreen[str | None]):
    """Asks for one line over the last lines of the screen; gives it back, or None."""

    CSS_PATH = stylesheet(OVER)
    BINDINGS = [Binding("escape", "dismiss", "Back", show=False, id="prompt-back")]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question, self._value = question, value

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt"):
            yield Lines(id="prompt-words")
            yield Input(self._value, id="prompt-text", compact=True, select_on_focus=False)
            yield Lines(id="prompt-keys")

    def on_mount(self) -> None:
        text = self.query_one("#prompt-text", Input)
        text.cursor_blink = False
        text.focus()
        self.query_one("#prompt-words", Lines).tell([Line(((f" {self._question}", "strong"),))])
        self.query_one("#prompt-keys", Lines).tell([Line(((" Enter ask   Esc back", "quiet"),))])

    @on(Input.Submitted, "#prompt-text")
    def _entered(self, message: Input.Submitted) -> None:
        self.dismiss(message.value.strip() or None)
