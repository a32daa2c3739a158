"""The main screen: header, one pane, its details. It maps keys to actions and repaints what changed."""

from textual import events, on
from textual.app import ComposeResult
from textual.timer import Timer

from inspector.model.verdict import Evidence
from inspector.stream.processes import ProcessListed
from inspector.view import header, ladder_lines
from inspector.view.actions import Actions
from inspector.view.ages import SECOND, since
from inspector.view.chain_lines import answer_lines, in_full, without_copy
from inspector.view.clock import since_start
from inspector.view.header import Line
from inspector.view.keys import MAIN, help_table, rebound
from inspector.view.pane_context import PaneContext
from inspector.view.session import Session
from inspector.view.settings import Settings
from inspector.view.successor import ended_words
from inspector.view.tables.answers import evidence_of, findings, ladders, limits, rights
from inspector.view.tables.row import Cell
from inspector.view.terminal import HEIGHTS, WIDTHS
from inspector.view.widgets.companion import Companion
from inspector.view.widgets.detail import NOTHING, DetailPanel
from inspector.view.widgets.filter_bar import FilterBar
from inspector.view.widgets.frame import Frame
from inspector.view.widgets.lines import FocusLines, Lines, cell_at
from inspector.view.widgets.rows import Rows

from .overlay import OverlayScreen
from .pane_keys import PaneKeys

LEFT = 40
"""Per cent of the columns that answer, ladder and processes have on a large screen (stylesheet: #left)."""
ROOM_FOR_KEYS = 40
"""Columns beside a message from which on the keys stay there."""
SAID = 6.0
"""Seconds that a message stands in the last line."""


class MainScreen(PaneKeys):
    """Everything about one observation."""

    BINDINGS = [*MAIN]
    HORIZONTAL_BREAKPOINTS, VERTICAL_BREAKPOINTS = WIDTHS, HEIGHTS

    def __init__(self, session: Session, classes: str, settings: Settings | None = None) -> None:
        """With the classes of its size, which Textual would find later, after styling everything twice."""
        super().__init__(classes=classes)
        self.session = session
        self.actions = Actions(session)
        self._config = (settings or Settings()).config
        (settings or Settings()).apply(self.actions.panes)
        self._problem = self._config.first_problem
        self._said, self._seen = "", False
        self._silence: Timer | None = None
        self.top, self.gap, self.tabs = Lines(id="top"), Lines(id="gap"), Lines(id="tabs")
        self.answer, self.ladder = FocusLines(id="answer", height=3), FocusLines(id="ladder")
        self.pane_title, self.rows, self.detail = Lines(id="pane-title"), Rows(id="rows"), DetailPanel(id="detail")
        self.at_left, self.at_right = Companion(id="at-left"), Companion(id="at-right")
        """Panes beside the answer and below the list, on a large screen."""
        self.filter_bar = FilterBar()
        self.notice = FocusLines(id="notice")
        """What is said when the target has ended."""
        self._aged: object = None
        self.control, self.hints, self.small = Lines(id="control"), Lines(id="status"), Lines(id="small")

    # What is on it

    def compose(self) -> ComposeResult:
        both = (self.at_left, self.at_right) if self.in_columns else (None, None)
        yield self.top
        with Frame(id="middle"):
            with Frame(id="left"):
                yield from filter(None, (self.answer, self.ladder, both[0]))
            with Frame(id="right"):
                yield from (self.gap, self.tabs, self.pane_title)
                with Frame(id="body"):
                    yield from filter(None, (self.rows, both[1], self.detail))
        if self.session.feed.recorded:
            yield self.control
        yield self.hints

    @property
    def zoomed(self) -> bool:
        """The pane has the whole screen."""
        return self.has_class("-zoom")

    def on_mount(self) -> None:
        self.set_class(self._config.zoom, "-zoom")
        self.answer.focus()
        if self.in_columns:
            self.actions.show(self.actions.named("timeline"))
        self.load_pane()

    def compose_hidden(self) -> None:
        """Mount what is hidden at first, so that the first paint does not wait for it."""
        self.mount(self.filter_bar, self.notice, after="#middle")
        self.mount(self.small)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Skip Textual's restyling: what was just mounted is styled already."""
        event.refresh_styles, self._seen = self._seen, True

    @property
    def wide(self) -> bool:
        """The details stand beside the list."""
        return self.size.width >= 120

    @property
    def in_columns(self) -> bool:
        """There is room for two panes beside the answer."""
        return self.has_class("-vast") and self.has_class("-lofty")

    def _companions(self) -> None:
        """Show the panes beside the one that has the keys: processes and logs, or what stands in for them."""
        if not self.in_columns or not self.at_left.is_mounted or not self.at_right.is_mounted:
            return
        actions, context = self.actions, self.actions.context()
        for companion, names in ((self.at_left, ("processes", "libraries")), (self.at_right, ("logs", "timeline"))):
            name = names[0] if actions.pane.name != names[0] else names[1]
            number = actions.named(name)
            companion.tell(actions.panes[number], str(number + 1), context)

    @on(Companion.Clicked)
    def _companion_clicked(self, message: Companion.Clicked) -> None:
        self.action_pane(self.actions.named(message.name))

    # News

    def news(self) -> None:
        """Paint whatever changed since the last time."""
        if not self.is_mounted:
            return
        if self.actions.look():
            self._repaint_rows()
        self.show_answer_of_pane()
        self.update_header()
        if self.actions.refusal:
            words, self.actions.refusal = self.actions.refusal, ""
            self.say(words)

    def grow_older(self, found: ProcessListed | None) -> None:
        """A second has passed in which nothing else happened: ages move, and what has ended offers what follows it."""
        session, context = self.session, self.actions.context()
        last = context.state.timeline[-1].at if context.state.timeline else 0
        waits = context.waits_for and not context.state.processes
        words = ended_words(session.state, session.present, found, focused=self.notice.has_focus)
        aged = (words, context.now // SECOND if waits else since(context.now - last))
        if aged == self._aged or not self.is_mounted:
            return
        self._aged = aged
        if words:
            appears = found is not None and not self.notice.can_focus
            self.notice.can_focus = found is not None
            self.notice.display = True
            self.notice.tell([Line(((f" {words}", "strong"),))])
            if appears and self.focused is self.answer and self.is_current:
                self.set_focus(self.notice)
        self.update_header()

    def on_descendant_focus(self) -> None:
        """What `Y` copies depends on what has the focus."""
        self.update_header()

    def on_resize(self, event: events.Resize) -> None:
        words = f"terminal too small: {event.size.width}x{event.size.height}"
        self.small.tell([Line(((words, "strong"),))])
        if self.in_columns and not self.at_left.is_attached:
            self.query_one("#left").mount(self.at_left)
            self.query_one("#body").mount(self.at_right, after=self.rows)
        self.call_after_refresh(self.update_header)

    def update_header(self) -> None:
        """The lines around the pane."""
        size, context = self.size, self.actions.context()
        if size.width < 10 or not self.is_mounted:
            return
        mark = f"{since_start(context.state, context.scope.at)} s" if context.scope.at else ""
        recording = self.session.feed.recording is not None
        self.top.tell([header.top(context, header.status_of(self.session), recording, mark, size.width)])
        self._tell_answer(context)
        self._companions()
        self.tabs.tell([Line(tuple(span for tab in self._tabs() for span in tab))])
        self.pane_title.tell([header.pane_title(self.actions.pane)])
        self.hints.tell(self._status_lines(), grow=True)
        self._paint_control()

    def _tell_answer(self, context: PaneContext) -> None:
        """The answer and the ladders, across the screen or in a column of their own."""
        size, finding = self.size, self.actions.current_finding()
        pid = finding.pid if finding is not None else None
        if not self.in_columns:
            told = answer_lines(context, self.actions.finding, size.width, header.answer_room(size.height))
            rails = ladder_lines.table(context, pid, size.width, header.ladder_room(size.height))
        else:
            width = self._left_width
            told = [*answer_lines(context, self.actions.finding, width, size.height // 3), Line()]
            rails = ladder_lines.in_column(context, pid, width, size.height * 2 // 5)
        self.answer.tell(told if self.on_answer else without_copy(told), grow=True)
        self.ladder.tell(rails, grow=True)

    @property
    def _left_width(self) -> int:
        return self.size.width * LEFT // 100 if self.in_columns else self.size.width

    def action_back(self) -> None:
        """What was wrong with the settings is read: it goes first."""
        if self._problem:
            self._problem = ""
            self.update_header()
        else:
            super().action_back()

    def _tabs(self) -> list[Cell]:
        return header.tabs(self.actions.panes, self.actions.number, self.actions.context(),
                           self.size.width - (self._left_width if self.in_columns else 0))  # fmt: skip

    def _status_lines(self) -> list[Line]:
        """What was just said, what is wrong, or the keys that mean something here."""
        keys = self._config.keys
        everywhere = rebound(header.quitting(self.session.ends_with_us), keys)
        if self._said:
            left = self.size.width - len(self._said) - 3
            own = rebound(self.own_hints, keys)
            beside = header.hints(own, left, everywhere).left if left >= ROOM_FOR_KEYS else ()
            return [Line(((f" {self._said}  ", "strong"), *beside))]
        waits = self.session.state.collector_waits if self.session.live else ""
        waits = f"the collector is stuck, waiting for {waits}" if waits else ""
        error = self.session.feed.error or self.session.event_queue.failure or self.session.trouble or waits
        if error and self.session.state.missing is None:  # else the answer says it
            return header.problem(error, self.size.width)
        if self._problem:
            return header.problem(self._problem, self.size.width)
        return [header.hints(rebound(self.own_hints, keys), self.size.width, everywhere)]

    def _paint_control(self) -> None:
        playback = self.session.playback
        if playback is not None:
            rail = (playback.now, playback.begin, playback.end)
            self.control.tell([header.control(*rail, not playback.paused, playback.speed, self.size.width)])

    def say(self, words: str) -> None:
        """Show a message in the last line for a while."""
        self._said = words
        if self._silence is not None:
            self._silence.stop()
        self._silence = self.set_timer(SAID, self._fall_silent) if words else None
        self.update_header()

    def _fall_silent(self) -> None:
        self._said = ""
        self.update_header()

    # Panes

    def load_pane(self) -> None:
        self.actions.look()
        self.rows.load(self.actions.pane.listing)
        self.show_answer_of_pane()
        self._show_details()
        self.update_header()

    def _repaint_rows(self) -> None:
        if self.rows.listing is not self.actions.pane.listing:
            self.rows.load(self.actions.pane.listing)
        else:
            self.rows.refreshed()

    def _show_details(self) -> None:
        if self.wide or self.has_class("-detail"):
            self.detail.tell(self.actions.details() or NOTHING)

    @on(Rows.Moved, "#rows")
    def _row_moved(self) -> None:
        self.pane_title.tell([header.pane_title(self.actions.pane)])
        self._show_details()
        listing = self.actions.pane.listing
        if self.in_columns and listing.chosen is not None and self.at_right.is_mounted:
            self.at_right.go_to(listing.table.moment(listing.chosen))

    @on(Rows.Counted, "#rows")
    def _rows_counted(self) -> None:
        self.update_header()

    @on(Rows.Chosen, "#rows")
    def _row_chosen(self) -> None:
        self.add_class("-detail")
        self._show_details()
        self.set_focus(self.detail)

    @on(Lines.Clicked, "#tabs")
    def _tab_clicked(self, message: Lines.Clicked) -> None:
        number = cell_at(self._tabs(), message.x)
        if number is not None:
            self.action_pane(number)

    @on(Lines.Clicked, "#answer")
    def action_evidence(self) -> None:
        finding = self.actions.current_finding()
        if finding is None:
            self.say("no findings yet")
            return
        table, leads = evidence_of(self.actions.context(), finding)
        intro = in_full(finding, self.size.width, max(4, self.size.height // 2))
        screen = OverlayScreen("Evidence", table, intro=intro, enter="jump to the row")
        self.app.push_screen(screen, lambda index: self._jump(leads[index] if index is not None else None))

    @on(Lines.Clicked, "#control")
    def _control_clicked(self, message: Lines.Clicked) -> None:
        playback = self.session.playback
        if playback is not None:
            part = max(0, message.x - 3) / max(1, self.size.width - 30)
            self.session.seek(playback.begin + int(min(1.0, part) * (playback.end - playback.begin)))

    def on_key(self, event: events.Key) -> None:
        """From the headlines: Enter opens them, arrows lead into the pane."""
        focused = self.focused
        if not isinstance(focused, FocusLines) or not self.is_current:
            return
        if event.key == "enter":
            event.stop()
            opens = {"answer": self.action_evidence, "ladder": self.action_ladders, "notice": self.action_successor}
            opens[focused.id or ""]()
        elif event.key in ("down", "j", "up", "k", "pagedown", "pageup", "home", "end", "g", "G"):
            self.set_focus(self.rows)
            if event.key in ("pagedown", "pageup", "end", "G", "home", "g"):
                return
            event.stop()

    def action_pane(self, number: int) -> None:
        marked = bool(self.session.scope.at)
        self.actions.show(number)
        if marked:
            self.actions.to_mark()
        self.remove_class("-detail")
        self.filter_bar.close()
        self.load_pane()
        self.set_focus(self.rows)

    def action_successor(self) -> None:
        """Go on to the process that follows the one that has ended."""
        self.app.call_later(self.app.run_action, "switch")

    @on(Lines.Clicked, "#notice")
    def _notice_clicked(self) -> None:
        self.action_successor()

    # Answers

    @property
    def on_answer(self) -> bool:
        """The answer has the focus: what is copied is meant to be its words."""
        return self.is_current and self.focused is self.answer

    def answer_text(self) -> str | None:
        """The answer as a person would pass it on."""
        finding = self.actions.current_finding()
        return f"{finding.title}. {finding.cause}" if finding is not None else None

    def action_finding(self, step: int) -> None:
        self.say(self.actions.turn_finding(step))

    def action_findings(self) -> None:
        screen = OverlayScreen("Findings", findings(self.actions.context()), enter="show it as the answer")
        self.app.push_screen(screen, self._choose_finding)

    def _choose_finding(self, index: int | None) -> None:
        if index is not None:
            self.actions.finding = index
            self.update_header()

    def action_ladders(self) -> None:
        table, leads = ladders(self.actions.context())
        screen = OverlayScreen("Ladders", table, enter="jump to the row")
        self.app.push_screen(screen, lambda index: self._jump(leads[index] if index is not None else None))

    def _jump(self, lead: Evidence | None) -> None:
        if lead is None:
            return
        words = self.actions.jump(lead)
        self.remove_class("-detail")
        self.load_pane()
        self.rows.show_cursor()
        self.set_focus(self.rows)
        self.say(words)

    def action_doctor(self) -> None:
        session = self.session.state.session
        self.app.push_screen(OverlayScreen("Doctor", rights(session.capabilities if session is not None else [])))

    def action_limits(self) -> None:
        state = self.session.state
        self.app.push_screen(OverlayScreen("Limits", limits(state.limits, state.lost)))

    def action_keys(self) -> None:
        pane = self.actions.pane
        table = help_table(pane.name, pane.title, self._config.keys)
        self.app.push_screen(OverlayScreen("Help", table, details=False))
