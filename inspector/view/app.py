"""The application: it composes the screens, lets events in, and routes what a person asks for."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from textual import events
from textual.app import SystemCommand
from textual.command import CommandPalette
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from inspector.model.profiles import Profiles
from inspector.stream.processes import ProcessListed
from inspector.stream.recording import Recording

from . import exports
from .ages import SECOND
from .copying_app import CopyingApp
from .feed import Feed, Replay
from .keys import MAIN
from .output import plain_text
from .scheduler import Scheduler
from .screens.main import MainScreen
from .screens.overlay import OverlayScreen
from .session import Session
from .settings import Settings
from .stylesheet import OVER, stylesheet
from .successor import root_of, successor
from .tables.row import Column, Details, Item, ListTable, Note, Row, cell
from .terminal import classes_at, speaks_unicode, wants_no_colour
from .themes import THEMES
from .widgets.styled_text import Charset

if TYPE_CHECKING:
    from .screens.picker import Listed

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that quit the screen as `q` does."""
COMPLETE = 0.5
"""Seconds to wait for the first rows before the rest of the screen is mounted."""
LOOK_AGAIN = 2
"""Seconds between two looks for a process that follows one that has ended."""
ENDINGS = {
    "text": ".txt", "json": ".json", "markdown": ".md", "html": ".html", "perfetto": ".perfetto.json",
    "junit": ".xml", "openmetrics": ".prom",
}  # fmt: skip
"""Formats of a report and how their files end."""


class Connect(Protocol):
    """Opens the feed of a target; raises OSError with a sentence for the user."""

    def __call__(self, target: str) -> Feed: ...


class InspectorApp(CopyingApp):
    """The screen of one observation, or the picker that leads to one."""

    TITLE = "inspector"
    BINDINGS = []

    class Woken(Message):
        """There is something to do."""

    def __init__(
        self,
        feed: Feed | None = None,
        *,
        listed: "Listed | None" = None,
        connect: Connect | None = None,
        profiles: Profiles | None = None,
        target: str = "",
        waits: bool = False,
        started: str = "",
        settings: Settings | None = None,
    ) -> None:
        """`target` is what the feed was asked for; `waits`: it has yet to begin; `started`: a program that we began."""
        super().__init__(css_path=stylesheet(), ansi_color=True if wants_no_colour() else None)
        Charset.unicode = speaks_unicode()
        self.session: Session | None = None
        self.scheduler: Scheduler | None = None
        self._target, self._waits, self._started = target, waits, started
        self._successor: ProcessListed | None = None
        self._looking_for_successor = False
        self._completes: MainScreen | None = None
        """The main screen of which only what the first paint needs is there yet."""
        self._asked = ""
        """The target for which a program that we started would be left, as far as a person was asked."""
        self._feed, self._listed, self._connect, self._profiles = feed, listed, connect, profiles
        self.use(settings)

    # Screens

    def on_mount(self) -> None:
        for number in ENDS:
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_end, number)
        self.set_interval(1.0, self._second)
        if self._feed is not None:
            self._observe(self._feed)
        elif self._listed is not None:
            self._pick()

    def _told_to_end(self, number: int) -> None:
        """End in order: the terminal is given back, the collector and what a demo started are ended."""
        self.keep_settings()
        self.exit(return_code=128 + number)

    def _pick(self, problem: str = "", pattern: str = "") -> None:
        from .screens.picker import PickerScreen

        assert self._listed is not None
        self.push_screen(PickerScreen(self._listed, problem, pattern, self.session), self._picked)

    def action_pick(self) -> None:
        """Back to the picker, while the observation goes on behind it."""
        if self._listed is None or self._connect is None:
            self.say("q quits")
        elif self.screen is self.main:
            self._pick()

    def _picked(self, target: str | None) -> None:
        session = self.session
        if target is None or self._connect is None:
            self.exit(0)
        elif session is None or not _shows(session, target):
            self.switch(target)

    def switch(self, target: str) -> None:
        """Leave what is observed, and observe another target."""
        assert self._connect is not None
        self._leave()
        self._target, self._waits, self._started = target, False, ""
        try:
            self._observe(self._connect(target))
        except OSError as error:
            self._pick(str(error))

    def _leave(self) -> None:
        session, main, self.session, self.scheduler = self.session, self.main, None, None
        self._successor = None
        if session is not None:  # aside: the collector may take a moment to let all probes go
            threading.Thread(target=session.close, name="leave", daemon=True).start()
        if main is not None and main is self.screen:
            self.pop_screen()

    def missed(self) -> bool:
        """The target names nothing, or several trees: the picker opens, narrowed to it. False where there is none."""
        session = self.session
        missing = session.state.missing if session is not None else None
        if session is None or missing is None or missing.kind == "not-permitted" or session.state.processes:
            return False
        if self._listed is None or self._connect is None:
            return False
        why, pattern = missing.why, self._target
        self._leave()
        self._pick(why, "" if pattern.isdecimal() else pattern.partition(":")[2] or pattern)
        return True

    def _observe(self, feed: Feed) -> None:
        self.session = session = Session(feed, lambda: self.post_message(self.Woken()), self._profiles)
        session.waits_for, session.started = self._target if self._waits else "", self._started
        self.settings.read_again()
        main = MainScreen(session, classes_at(*self.size, recorded=feed.recorded), self.settings)
        self.begin_settings(main)
        self.scheduler = Scheduler(session, self.set_timer, lambda: self._paint(session, main), lambda: self.app_focus)
        self.push_screen(main)
        main.call_after_refresh(session.start)  # reading is work: the first paint goes first
        self._completes = main
        self.set_timer(COMPLETE, self.action_complete)

    def action_complete(self) -> None:
        """Mount what neither the first paint nor the first rows need, once these are painted or do not come."""
        main, self._completes = self._completes, None
        if main is not None and main.is_attached:  # else it was ended before it was whole
            main.session.learn_rules()
            self._read_the_other_styles()
            main.compose_hidden()

    def _read_the_other_styles(self) -> None:
        """Those of what opens later: from here on they are at hand."""
        path = stylesheet(OVER)
        if not self.stylesheet.has_source(str(path)):
            self.stylesheet.add_source(path.read_text(encoding="utf-8"), (str(path), ""))

    def _paint(self, session: Session, main: MainScreen) -> None:
        if session is self.session and not self.missed():
            main.news()
            if main is self._completes and session.folded:
                main.call_after_refresh(self.action_complete)

    def on_key(self, event: events.Key) -> None:
        """A letter typed right behind `/` went to the list that had the focus before: it is meant for the filter."""
        if isinstance(self.focused, Input) and event.is_printable and event.character:
            event.prevent_default()
            self.focused.insert_text_at_cursor(event.character)

    def on_inspector_app_woken(self) -> None:
        if self.scheduler is not None:
            self.scheduler.woken()

    def _second(self) -> None:
        """Open calls grow older: the answer is drawn and painted again; with none open nothing happens."""
        session, main = self.session, self.main
        if self.scheduler is None or session is None or main is None or session.feed.recorded or session.paused:
            return
        if session.live and any(one.open_calls and not one.ended for one in session.state.current.values()):
            self.scheduler.aged()
        else:
            main.grow_older(self._successor)
        if root_of(session.state) is not None and session.present // SECOND % LOOK_AGAIN == 0:
            self._look_for_successor(session)

    def _look_for_successor(self, session: Session) -> None:
        """See aside whether the same program runs again."""
        if self._listed is None or self._looking_for_successor:
            return
        self._looking_for_successor, listed = True, self._listed

        def look() -> None:
            try:
                found = successor(session.state, listed())
            except OSError:
                found = None
            self.call_from_thread(self._found_successor, session, found)

        threading.Thread(target=look, name="successor", daemon=True).start()

    def _found_successor(self, session: Session, found: ProcessListed | None) -> None:
        self._looking_for_successor = False
        if session is self.session and self.main is not None:
            self._successor = found
            self.main.grow_older(found)

    def action_switch(self) -> None:
        """Observe the process that follows the one that ended."""
        if self._successor is not None:
            self.switch(str(self._successor.pid))

    def action_observe(self, target: str) -> None:
        """Leave what is observed for another process; a program that would end with it is asked about once."""
        session = self.session
        if self._connect is None or session is None or session.feed.recorded:
            self.say("a recording holds nothing of other processes")
        elif session.ends_with_us and self._asked != target:
            self._asked = target
            self.say(f"{session.ends_with_us} was started here and ends when you leave it: o again leaves it")
        else:
            self.switch(target)

    # What a person asks for

    def action_command_palette(self) -> None:
        """Open the palette with all commands."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="Type a part of a command", id="--command-palette"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key by name, and the themes."""
        for binding in MAIN:
            if binding.action.startswith(("app.focus", "back")):
                continue
            action = binding.action
            yield SystemCommand(binding.description, f"key {binding.key}", lambda action=action: self._act(action))
        for theme in THEMES:
            name = theme.name
            yield SystemCommand(f"Theme: {name}", "change the colours", lambda name=name: self._dress(name))

    def _act(self, action: str) -> None:
        self.call_later(self.run_action, action, self.screen)

    def _dress(self, name: str) -> None:
        self.theme = name
        self.keep_settings()

    def say(self, words: str) -> None:
        """A message for the person, in the last line."""
        from .screens.picker import PickerScreen

        screen = self.screen if isinstance(self.screen, OverlayScreen | PickerScreen) else self.main
        if screen is not None:
            screen.say(words)

    def action_picture(self) -> None:
        """Save the screen as SVG and as text."""
        try:
            picture = exports.fresh("screen", ".svg")
            exports.write(picture, exports.without_fonts(self.export_screenshot(title="inspector", simplify=True)))
            exports.write(picture.with_suffix(".txt"), plain_text(self))
        except OSError as error:
            self.say(str(error))
            return
        self.say(f"saved {picture} and .txt")

    def action_export(self) -> None:
        """Ask for a format and write a report."""
        rows = [Row(name, (cell(name, "name"), cell(ending, "quiet"))) for name, ending in ENDINGS.items()]
        items = [Item(row, Details(row.key, [Note("format", row.key)])) for row in rows]
        table = ListTable((Column("FORMAT", 12), Column("FILE", 20)), items, f"into {exports.folder()}")
        self.push_screen(OverlayScreen("Export", table, enter="write the report", details=False), self._export)

    def _export(self, index: int | None) -> None:
        session = self.session
        if index is None or session is None:
            return
        if session.answer is None:
            self.say("nothing to export yet")
            return
        from inspector.report.formats import export

        name = list(ENDINGS)[index]
        try:
            path = exports.fresh("report", ENDINGS[name])
            size = export(session.state, session.answer, str(path), name)
        except OSError as error:
            self.say(str(error))
            return
        self.say(f"wrote {path} ({size:,} bytes)")

    def action_record(self) -> None:
        """Begin to record, from the first event on, or stop."""
        session = self.session
        if session is None:
            return
        feed = session.feed
        if feed.recording is not None:
            path = feed.recording
            feed.stop_recording()
            self.say(f"recorded to {path}")
            return
        try:
            fresh = exports.fresh("recording", ".jsonl.zst")
            feed.record(fresh)
        except OSError as error:
            self.say(str(error))
            return
        self.say(f"recording to {fresh}, r stops")

    def action_help_quit(self) -> None:
        """Ctrl-C copies what is selected; without a selection it says how to quit."""
        self.say("q quits")

    def action_redraw(self) -> None:
        self.redraw()


def _shows(session: Session, target: str) -> bool:
    """Whether what was chosen is what this session observes, or has observed up to its end."""
    from .tables.candidates import ENDED

    running = (one for one in session.state.current.values() if session.live and not one.ended)
    return target.startswith(ENDED) or any(str(one.pid) == target for one in running)


def run(
    source: Feed | Recording | None = None,
    *,
    listed: "Listed | None" = None,
    connect: Connect | None = None,
    profiles: Profiles | None = None,
    mouse: bool = True,
    target: str = "",
    waits: bool = False,
    started: str = "",
    settings: Settings | None = None,
) -> int:
    """Show a feed or a recording until the person quits; without one, the picker first (`listed` and `connect`).

    `profiles` say what results and log lines mean; without them those of the package. The feed is closed after the
    terminal is given back, so that quitting is prompt. Returns the exit status.
    """
    for name in ("COLUMNS", "LINES"):  # exported by some shells: Textual would never see another size
        os.environ.pop(name, None)
    feed = Replay(source) if isinstance(source, Recording) else source
    app = InspectorApp(
        feed, listed=listed, connect=connect, profiles=profiles, target=target, waits=waits, started=started,
        settings=settings,
    )  # fmt: skip
    try:
        app.run(mouse=mouse)
    finally:
        for number in ENDS:  # we are ending already, in order
            signal.signal(number, signal.SIG_IGN)
        ended = app.session.ends_with_us if app.session is not None else ""
        if app.session is not None:
            app.session.close()
    if ended:
        print(f"inspector: ended {ended}, which it had started", file=sys.stderr)
    for problem in app.settings.config.problems:
        print(f"inspector: {problem}", file=sys.stderr)
    if app.copied:
        print(f"inspector: copied last: {app.copied}", file=sys.stderr)
    return app.return_code or 0
