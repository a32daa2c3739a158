"""What a person can ask of the collector by hand: follow a log, predict a load; and what time alone changes."""

import pytest
from msgspec.structs import replace

from inspector.model.fold import apply
from inspector.model.state import State
from inspector.model.verdict import Answer, Mode
from inspector.stream.calls import CallsInside, CountingStopped, OpenCall
from inspector.stream.libraries import LoadPredicted
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import ProcessStarted
from inspector.stream.requests import AddLog, PredictLoad
from inspector.stream.session import RequestFailed
from inspector.view import clipboard
from inspector.view.chain_lines import answer_lines
from inspector.view.pane_context import PaneContext
from inspector.view.session import Session
from inspector.view.tables.symbols import SymbolTable, knowledge, recorded_symbols

from .app_harness import AppHarness, running_app
from .feeds import FakeFeed
from .sample import SERVER, at, main_question
from .test_tables import context_of


async def typed(ui: AppHarness, text: str) -> None:
    """Type a line and enter it."""
    await ui.press(*("slash" if letter == "/" else "full_stop" if letter == "." else letter for letter in text))
    await ui.press("enter")


async def test_plus_follows_one_more_log_and_shows_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("plus")
        assert "Log file to follow" in ui.text
        await typed(ui, "/tmp/x.log")
        assert feed.asked[-1] == AddLog(id=feed.asked[-1].id, path="/tmp/x.log")
        feed.come(
            LogFound(at=at(4), source=9, name="/tmp/x.log", kind="file", why="given"),
            LogRead(at=at(4), source=9, lines=[LogLine(number=0, text="first words")], lines_total=1),
        )
        await ui.until_shown("/tmp/x.log (1 line)")
        assert "first words" in ui.cursor


async def test_p_predicts_a_load_and_the_cursor_goes_to_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("p")
        await typed(ui, "libnone.so")
        assert feed.asked[-1] == PredictLoad(id=feed.asked[-1].id, pid=SERVER, name="libnone.so")
        words = "libnone.so: cannot open shared object file: No such file or directory"
        feed.come(LoadPredicted(at=at(4), pid=SERVER, name="libnone.so", asked=True, ok=False, words=words))
        await ui.until_shown("would fail")
        assert "libnone.so" in ui.cursor


async def test_a_question_can_be_left_and_an_empty_one_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("p", "x", "escape")
        await ui.press("plus", "enter")
        assert not [one for one in feed.asked if isinstance(one, AddLog | PredictLoad)]


async def test_a_request_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        feed.come(RequestFailed(at=at(4), id=77, why="PID 4711 is not under observation"))
        await ui.until_shown("PID 4711 is not under observation")


async def test_a_recording_can_answer_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question(), recorded=True), monkeypatch) as ui:
        await ui.press("p")
        await typed(ui, "x")
        assert "running processes only" in ui.lines[-1]
        await ui.press("plus")
        await typed(ui, "x")
        assert "a recording cannot follow a log" in ui.lines[-1]


def test_a_load_that_a_person_asked_about_is_no_evidence_of_what_the_program_does() -> None:
    state = State()
    apply(state, LoadPredicted(at=at(1), pid=SERVER, name="libnone.so", asked=True, ok=False, words="none"))
    process = state.current[SERVER]
    assert not process.predictions and process.asked_loads["libnone.so"].words == "none"


def test_a_function_that_was_let_go_is_not_said_to_be_uncalled() -> None:
    context = context_of(CountingStopped(at=at(4), functions=[2], why="asked by the user"))
    context = replace(context, live=False)
    table = SymbolTable(recorded_symbols(context), knowledge(context), "")
    names = {function.name for function in context.state.functions.values() if function.id == 2}
    rows = [table.row(index) for index in range(len(table)) if table.text(index).split()[0] in names]
    assert rows and all("no longer counted" in str(row.cells) for row in rows)


def test_time_alone_makes_an_answer_old_while_a_call_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = CallsInside(at=at(4), open=[OpenCall(pid=SERVER, tid=SERVER, function=3, entered=at(3))])
    session = Session(FakeFeed(), lambda: None)
    for event in (*main_question(), inside):
        apply(session.state, event)
    before = session.state.now
    monkeypatch.setattr("inspector.view.session.monotonic_ns", lambda: session._heard + 5_000_000_000)
    session.pass_time()
    assert session.state.now == before + 5_000_000_000


async def test_a_copy_that_nobody_confirms_is_kept_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("y")
        assert ui.app.clipboard.startswith("The backend libggml-cuda.so") and ui.app.copied
        assert "copied (and printed when you quit)" in ui.lines[-1]
        await ui.press("Y")
        assert ui.app.clipboard == "find / -xdev -name 'libcublas.so.12*' 2>/dev/null"
        monkeypatch.setattr(clipboard, "tmux_took", lambda text: True)
        await ui.press("y")
        assert not ui.app.copied and "tmux" in ui.lines[-1]


def test_without_tmux_nothing_is_started() -> None:
    assert not clipboard.tmux_took("text", {})


def test_a_tmux_that_is_gone_took_nothing() -> None:
    assert not clipboard.tmux_took("text", {"TMUX": "/nonexistent,1,0", "PATH": ""})


def test_without_a_finding_the_answer_still_says_what_was_seen() -> None:
    state = State()
    apply(state, ProcessStarted(at=at(1), pid=SERVER, ppid=1, started=at(1), origin="attach"))
    nothing = Answer(mode=Mode(verdict="undecided", confidence="guess"), ladders=[], findings=[], coverage="1 process")
    words = "".join(
        text for line in answer_lines(PaneContext(state=state, answer=nothing), 0, 80, 4) for text, _ in line.left
    )
    assert "nothing was observed" in words and "1 process" in words


async def test_the_answer_offers_its_command_while_the_key_copies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        assert "Y copies" in ui.line_with(" run  $ find")
        await ui.press("1")
        assert "Y copies" not in ui.text
