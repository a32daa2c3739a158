"""Very much of everything: only what is looked at is made, asked for or drawn."""

import pytest

from inspector.model.fold import apply_all
from inspector.model.state import LogSource, State
from inspector.stream.logs import LogFound, LogLine
from inspector.stream.requests import ReadLog, ReadSymbols, StopSearch
from inspector.view.pane_context import PaneContext
from inspector.view.panes.logs import LogsPane
from inspector.view.session import Session

from .app_harness import running_app
from .feeds import BigCollector, log_text
from .sample import at, main_question

MILLION = 1_000_000


async def test_480_thousand_symbols_scroll_and_filter_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector()
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3")
        await ui.until_shown("_ZN4ggml000000Ev")
        assert "480,000" in ui.text
        await ui.press("G")
        await ui.until_shown("_ZN4ggml479999Ev")
        await ui.press("slash")
        ui.filter("4242")
        await ui.until_shown("_ZN4ggml004242Ev")
        assert "of 480,000 · /4242" in ui.text
        await ui.press("escape")
        await ui.until_shown("_ZN4ggml000000Ev")
    asked = [one for one in feed.asked if isinstance(one, ReadSymbols)]
    assert len(asked) <= 8 and all(one.limit == 200 for one in asked)


async def test_symbols_are_sorted_by_the_collector_and_what_only_we_know_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = BigCollector()
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3", "O")
        await ui.until_shown("_ZN4ggml000000Ev")
        await ui.press("s", "enter")
        await ui.until(lambda: _asked(feed)[-1].sort == "name")
        await ui.press("s", "enter")
        await ui.until(lambda: _asked(feed)[-1].descending)
        await ui.press("s", "j", "j", "enter")
        await ui.until(lambda: bool(_asked(feed)[-1].ahead))
        assert not _asked(feed)[-1].sort
        assert _asked(feed)[-1].ahead[-1].endswith(":cuInit")
        await ui.press("S")
        await ui.until(lambda: _asked(feed)[-1].ahead[0].endswith(":cuInit"))


async def test_a_search_for_symbols_that_nobody_waits_for_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector()
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3")
        await ui.until_shown("_ZN4ggml000000Ev")
        feed.silent = True
        await ui.press("slash")
        ui.filter("~zn")
        await ui.until(lambda: _asked(feed)[-1].filter == "~zn")
        search = _asked(feed)[-1].id
        ui.filter("~zng")
        await ui.until(lambda: any(isinstance(one, StopSearch) and one.search == search for one in feed.asked))


def _asked(feed: BigCollector) -> list[ReadSymbols]:
    return [one for one in feed.asked if isinstance(one, ReadSymbols)]


@pytest.mark.longer
async def test_a_log_of_a_million_lines_scrolls_and_filters_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "o", "o")
        await ui.until_shown("line 999999 of a flood")
        await ui.press("pageup", "pageup")
        await ui.until_shown("line 999975 of a flood")
        await ui.press("g")
        await ui.until_shown("line 0 of a flood")
        await ui.press("slash")
        ui.filter("31337")
        await ui.until_shown("line 31337 of a flood")
        assert "of 1,000,000 · /31337" in ui.text
    assert len([one for one in feed.asked if isinstance(one, ReadLog)]) <= 12


class NoFeed(BigCollector):
    """A collector that never answers."""


@pytest.mark.longer
def test_a_million_held_lines_are_filtered_in_small_pieces() -> None:
    state = apply_all(main_question())
    lines = [LogLine(number=number, text=log_text(number)) for number in range(MILLION)]
    found = LogFound(at=at(0), source=1, name="flood.log", kind="file", why="fd 2")
    state.logs[1] = LogSource(found=found, lines=lines, lines_total=MILLION)
    pane = LogsPane(Session(NoFeed(symbols=1, lines=1), lambda: None))
    context = PaneContext(state=state)
    assert pane.look(context) and len(pane.listing) == MILLION
    pane.narrow(context, "99999")
    pieces = 1
    while pane.listing.scan(0.008):
        pieces += 1
    assert pieces > 3
    assert pane.listing.matching == 19
    assert pane.listing.row(0).key == "1:99999"


def test_a_pane_is_not_made_again_while_nothing_it_shows_changes() -> None:
    pane = LogsPane(Session(NoFeed(symbols=1, lines=1), lambda: None))
    context = PaneContext(state=apply_all(main_question(), State()))
    assert pane.look(context)
    assert not pane.look(context)
    context.state.revisions["logs"] += 1
    assert pane.look(context)
