"""The line in which a filter is typed, in the panes and in the lists that open over them; the help that it filters."""

import pytest

from inspector.view.keys import LIST, MAIN, OWN, key_name
from inspector.view.widgets.filter_bar import FilterBar

from .app_harness import running_app
from .feeds import FakeFeed
from .sample import main_question


@pytest.fixture(autouse=True)
def forgotten() -> None:
    FilterBar.history.clear()


async def test_a_filter_may_be_an_expression_inverted_or_fuzzy_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "slash")
        assert "! not" in stage.text and "~ fuzzy" in stage.text
        stage.filter("^47.*ended .*code [12]")
        await stage.until_shown("1 of 14")
        assert "regular expression" in stage.text and "code 2" in stage.text
        stage.filter("!ended")
        await stage.until_shown("12 of 14")
        stage.filter("~cint")
        await stage.until_shown("fuzzy")
        assert "cuInit" in stage.text and "born" not in stage.text
        stage.filter("cuInit(")
        await stage.until_shown("not a valid regex")


async def test_patterns_of_before_come_back_with_the_arrows_in_any_list(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "slash", *"born")
        await stage.press("enter", "escape", "slash", *"ended")
        await stage.press("enter", "2", "slash", "up")
        main = stage.app.main
        assert main is not None and main.filter_bar.input.value == "ended"
        await stage.press("up")
        assert main.filter_bar.input.value == "born"
        await stage.press("down", "down")
        assert main.filter_bar.input.value == ""


async def test_the_help_shows_the_keys_of_this_pane_first_and_can_be_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch, (120, 36)) as stage:
        await stage.press("5", "question_mark")
        rows = stage.lines[2:18]
        assert "Logs" in rows[0] and any("this run only" in row for row in rows)
        await stage.press("slash", *"palette")
        await stage.press("enter")
        assert "Ctrl-P" in stage.text and "this run only" not in stage.text and "1 of" in stage.lines[0]
        await stage.press("escape")
        assert "this run only" in stage.text
        await stage.press("escape")
        assert "1 Processes" in stage.text


async def test_half_pages_move_the_cursor_by_half_of_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("question_mark")
        first = stage.cursor
        await stage.press("ctrl+d")
        below = stage.cursor
        await stage.press("ctrl+d")
        assert len({first, below, stage.cursor}) == 3
        await stage.press("ctrl+u")
        assert stage.cursor == below
        await stage.press("ctrl+u")
        assert stage.cursor == first


def test_keys_are_named_as_on_the_keyboard() -> None:
    assert key_name("question_mark") == "?" and key_name("ctrl+d") == "Ctrl-D"
    assert key_name("pageup,ctrl+b") == "PgUp Ctrl-B" and key_name("G") == "G" and key_name("shift+tab") == "Shift-Tab"


def test_panes_name_only_keys_that_there_are() -> None:
    assert set(OWN) <= {one.id for one in MAIN}
    assert not {one.id for one in MAIN} & {one.id for one in LIST}


async def test_the_line_of_the_filter_stands_below_the_list_and_above_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as stage:
        await stage.press("4", "slash")
        main = stage.app.main
        assert main is not None
        assert main.rows.region.bottom <= main.filter_bar.region.y < main.hints.region.y
