"""The part of the application that copies: rows, tagged rows, what the mouse selected, the answer, commands."""

from collections.abc import Sequence

from inspector.stream.own_command import runnable

from . import clipboard
from .settings_app import SettingsApp
from .tables.row import plain
from .widgets.rows import Rows
from .widgets.styled_text import shown


class CopyingApp(SettingsApp):
    """Copies by OSC 52, and into tmux where it runs in one."""

    copied = ""
    """The text that was copied last, while it is not known whether the terminal took it."""

    def action_copy_row(self) -> None:
        """Copy what is selected with the mouse, the answer when it has the focus, else the row under the cursor."""
        rows, main = self.screen.query(Rows).first(), self.main
        selected = self.screen.get_selected_text()
        if selected is None and main is not None and main.on_answer:
            selected = main.answer_text()
        if selected is None and rows.listing.tags:
            self._copy_lines(list(rows.listing.tags.values()))
            return
        if selected is None and rows.listing.chosen is not None:
            selected = plain(rows.listing.table.row(rows.listing.chosen)).strip()
        self._copy(selected or "", "row")

    def action_copy_command(self) -> None:
        """Copy the command of the answer when it has the focus, else the one that shows the row by hand."""
        main, rows = self.main, self.screen.query(Rows).first()
        if main is not None and main.on_answer:
            finding = main.actions.current_finding()
            self._copy(runnable(finding.command) if finding is not None else "", "command")
            return
        by_hand = rows.listing.table.details(rows.listing.chosen).by_hand if rows.listing.chosen is not None else ()
        self._copy(by_hand[0] if by_hand else "", "command")

    def _copy(self, text: str, what: str) -> None:
        if text:
            self._copy_lines([text])
        else:
            self.say(f"no {what} to copy here")

    def _copy_lines(self, texts: Sequence[str]) -> None:
        """Copy texts, each of them harmless and on a line of its own."""
        self.copied = "\n".join(map(shown, texts))
        text = f"{len(texts)} rows" if texts[1:] else texts[0]
        self.copy_to_clipboard(self.copied)
        if clipboard.tmux_took(self.copied):
            self.copied = ""
            self.say(f"copied, in tmux paste with prefix ]: {text}")
        else:
            self.say(f"copied (and printed when you quit): {text}")
