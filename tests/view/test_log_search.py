"""Filters, levels, the next error and times in logs whose lines are mostly elsewhere."""

import pytest

from inspector.stream.base import Request
from inspector.stream.requests import FindLine, ReadLog, StopSearch

from .app_harness import running_app
from .feeds import BigCollector, FakeFeed
from .sample import main_question


def asked(feed: FakeFeed) -> list[ReadLog]:
    """The searches that were asked for."""
    return [one for one in feed.asked if isinstance(one, ReadLog) and (one.filter or one.level)]


async def test_a_filter_over_all_sources_searches_the_whole_files(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    async with running_app(feed, monkeypatch, (120, 36)) as ui:
        await ui.press("5", "slash")
        ui.filter("31337")
        await ui.until_shown("line 31337 of a flood")
        assert "line 131337 of a flood" in ui.text and "3 of 300,00" in ui.text
        ui.filter("inference")
        await ui.until_shown("inference compute")
        assert "flood" not in ui.text.split("inference compute")[1]
        await ui.press("escape")
        await ui.until_shown("line 299999 of a flood")
    assert [one.filter for one in asked(feed)] == ["31337", "inference"]


async def test_a_pattern_that_is_typed_on_lets_the_search_before_it_go(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(BigCollector(symbols=1, lines=300_000).first_events)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "slash", *"abc")
        searches = {one.id for one in asked(feed)}
        stopped = {one.search for one in feed.asked if isinstance(one, StopSearch)}
        assert len(searches) == 3 and len(stopped) == 2 and stopped < searches
        await ui.press("escape")
        assert {one.search for one in feed.asked if isinstance(one, StopSearch)} == searches


async def test_a_search_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    monkeypatch.setattr(feed, "_log", lambda request: BigCollector._log(feed, request)[:1])
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "slash")
        ui.filter("4242")
        await ui.until_shown("searched 33 %")


async def test_a_least_level_shows_errors_of_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    async with running_app(feed, monkeypatch, (120, 36)) as ui:
        await ui.press("5", "V")
        await ui.until_shown("line 200005 of a flood")
        assert "error and worse" in ui.text and "line 100005 of a flood" in ui.text and "299999" not in ui.text
        await ui.press("v")
        await ui.until_shown("line 299999 of a flood")


async def test_e_goes_to_the_next_error_of_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "o", "o", "g", "e")
        await ui.until(lambda: "[ERROR] line 5 of" in ui.cursor or "line 5 of a flood" in ui.cursor)
        await ui.press("e")
        await ui.until(lambda: "line 100005 of a flood" in ui.cursor)
    assert isinstance(next(one for one in feed.asked if isinstance(one, FindLine)), FindLine)


async def test_e_goes_through_the_refusals_of_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "g", "e")
        assert "✗" in ui.cursor
        first = ui.cursor
        await ui.press("e")
        assert "✗" in ui.cursor and ui.cursor != first
        await ui.press("E")
        assert ui.cursor == first


async def test_behind_the_last_error_e_goes_on_from_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "g", "e")
        first = ui.cursor
        await ui.press("G", "e")
        assert ui.cursor == first and "went on from the top" in ui.text


async def test_behind_the_last_error_of_a_file_e_goes_on_from_its_top(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("5", "o", "o", "G", "e")
        await ui.until(lambda: "line 5 of a flood" in ui.cursor)


async def test_a_colon_asks_for_a_time_and_goes_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question()), monkeypatch) as ui:
        await ui.press("4", "colon", *"+2.5", "enter")
        assert "+2." in ui.cursor
        await ui.press("colon", *"nonsense", "enter")
        assert "no time: nonsense" in ui.lines[-1]


async def test_a_filter_that_was_typed_before_the_log_was_read_searches_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = BigCollector(symbols=1, lines=300_000)
    *before, lines = feed.first_events
    late = FakeFeed(before)

    def send(request: Request) -> None:
        if isinstance(request, ReadLog):
            late.come(*feed._log(request))

    monkeypatch.setattr(late, "send", send)
    async with running_app(late, monkeypatch) as ui:
        await ui.press("5", "slash")
        ui.filter("line 31337")
        await ui.pilot.pause()
        late.come(lines)
        await ui.until_shown("line 31337 of a flood")
