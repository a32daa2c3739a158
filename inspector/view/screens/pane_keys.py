"""What the keys of the main screen do with the pane that is shown: narrow, mark, go to, ask, filter."""

from collections.abc import Callable

from textual import on
from textual.screen import Screen

from inspector.view.actions import Actions
from inspector.view.session import Session
from inspector.view.tables.sorting import Sorting
from inspector.view.widgets.filter_bar import FilterBar
from inspector.view.widgets.rows import Rows

from .terminal_size import TerminalSized


class PaneKeys(TerminalSized, Screen[None]):
    """The keys of a screen with one pane at a time; a subclass lays it out."""

    session: Session
    actions: Actions
    rows: Rows
    filter_bar: FilterBar

    def load_pane(self) -> None:
        """Show the pane that was turned to, or what it lists now."""
        raise NotImplementedError

    def say(self, words: str) -> None:
        """Show a message in the last line for a while."""
        raise NotImplementedError

    def update_header(self) -> None:
        """Paint the lines around the pane."""
        raise NotImplementedError

    def show_answer_of_pane(self) -> None:
        """Where an answer has put the cursor, and what it said."""
        pane = self.actions.pane
        if pane.moved:
            pane.moved = False
            self.rows.refreshed()
            self.rows.show_cursor()
        if pane.said:
            words, pane.said = pane.said, ""
            self.say(words)

    @property
    def own_hints(self) -> tuple[tuple[str, str], ...]:
        """Keys of this pane; above all how to see the answer again, which a zoom hides, perhaps since the last run."""
        own = self.actions.pane.hints
        return (("z", "show the answer"), *own) if self.has_class("-zoom") else own

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")
        self.update_header()
        self.call_later(self.run_action, "app.keep_settings")

    def action_only(self) -> None:
        other = self.actions.other_tree()
        if other:
            self.app.call_later(self.app.run_action, f"observe('{other}')")
        else:
            self._do(self.actions.only())

    def action_everything(self) -> None:
        self._do(self.actions.everything())

    def action_mark(self) -> None:
        self._do(self.actions.mark())

    def action_follow(self) -> None:
        self._do(self.actions.follow())

    def action_hide_excused(self) -> None:
        self._do(self.actions.hide_excused())

    def action_next_bad(self, step: int) -> None:
        words = self.actions.next_bad(step)
        self.rows.refreshed()
        self.rows.show_cursor()
        self.say(words)

    def action_go_to_time(self) -> None:
        self._ask("Which time? 14:03:21, 2026-01-02 14:03, or +12.5 (seconds since the start)", self.actions.go_to_time)

    def action_columns(self) -> None:
        from .columns import ColumnsScreen

        listing = self.actions.pane.listing
        self.app.push_screen(ColumnsScreen(self.actions.pane.title, listing), lambda sorting: self._arranged(sorting))

    def _arranged(self, sorting: Sorting | None) -> None:
        words = self.actions.sort(sorting) if sorting is not None else ""
        self._arrange(words)

    def action_reverse(self) -> None:
        title, descending = self.actions.pane.listing.sorting
        self._arrange(self.actions.sort(Sorting(title, not descending)) if title else "s chooses a column to sort by")

    @on(Rows.Sorted, "#rows")
    def _title_clicked(self, message: Rows.Sorted) -> None:
        self._arrange(self.actions.sort(self.actions.pane.listing.sorting.turned(message.title)))

    def _arrange(self, words: str) -> None:
        """The list is arranged otherwise, and stays so."""
        self._do(words)
        self.call_later(self.run_action, "app.keep_settings")

    @on(Rows.Folded, "#rows")
    def _fold(self, message: Rows.Folded) -> None:
        if message.listing is not self.actions.pane.listing:
            return  # another pane was turned to meanwhile
        if self.actions.fold(message.step):
            self.load_pane()
        else:
            self.rows.slide(message.step)

    def action_level(self, step: int) -> None:
        self._do(self.actions.turn_level(step))

    def action_this_start(self) -> None:
        self._do(self.actions.this_start())

    def action_watch(self) -> None:
        self._do(self.actions.watch())

    def action_scan(self) -> None:
        self._do(self.actions.scan())

    def action_predict(self) -> None:
        self._ask("File or name to load, as passed to dlopen:", self.actions.predict)

    def action_add_log(self) -> None:
        self._ask("Log file to follow:", self.actions.add_log)

    def _ask(self, question: str, answer: Callable[[str], str]) -> None:
        from .prompt import Prompt

        self.app.push_screen(Prompt(question), lambda text: self._asked(answer(text)) if text else None)

    def _asked(self, words: str) -> None:
        self._do(words)
        self.set_focus(self.rows)

    def _do(self, words: str) -> None:
        self.load_pane()
        self.say(words)

    # Filter

    def action_filter(self) -> None:
        if self.filter_bar.is_mounted:
            self.filter_bar.open(self.actions.pane.pattern)
        else:  # typed before the first rows
            self.call_later(self.run_action, "app.complete")
            self.call_after_refresh(self.action_filter)

    @on(FilterBar.Changed)
    def _filter_typed(self, message: FilterBar.Changed) -> None:
        if message.value != self.actions.pane.pattern:
            self.actions.narrow(message.value)
            self.load_pane()

    @on(FilterBar.Entered)
    def _filter_entered(self) -> None:
        self.filter_bar.close()
        self.set_focus(self.rows)

    def action_next_match(self, step: int) -> None:
        if not self.rows.next_match(step):
            self.say("no match: / sets the filter")

    def action_back(self) -> None:
        """Close what is open, one thing at a time: the filter's line, the filter, the details, the zoom, the screen."""
        if self.filter_bar.display or self.actions.pane.pattern:
            self.filter_bar.close()
            self.actions.widen()
            self.load_pane()
            self.set_focus(self.rows)
        elif self.has_class("-detail"):
            self.remove_class("-detail")
            self.set_focus(self.rows)
        elif self.has_class("-zoom"):
            self.remove_class("-zoom")
            self.update_header()
        else:
            self.app.call_later(self.app.run_action, "pick")

    # Time

    def action_pause(self) -> None:
        self.session.toggle_pause()
        self.update_header()

    def action_step(self, direction: int) -> None:
        self.session.step(direction)

    def action_speed(self, factor: float) -> None:
        playback = self.session.playback
        if playback is not None:
            playback.speed = min(64.0, max(1 / 16, playback.speed * factor))
            self.update_header()

    def action_seek(self) -> None:
        if self.session.playback is None:
            self.say("only a recording can go to a time")
            return
        listing = self.actions.pane.listing
        at = listing.table.moment(listing.chosen) if listing.chosen is not None else 0
        if at:
            self.session.seek(at)
        self.say("" if at else "this row has no time")
