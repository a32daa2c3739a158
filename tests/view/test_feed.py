"""Between a feed and the screen: one wake-up for many events, patience for a slow screen, every ending said."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.calls import LookedUp
from inspector.stream.events import AnyEvent
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import Vitals
from inspector.stream.session import SessionEnded, TargetMissing
from inspector.view import session as session_module
from inspector.view.feed import EventQueue, Replay
from inspector.view.session import Session

from .app_harness import drawn, running_app
from .feeds import BigCollector, FakeFeed
from .sample import BACKEND_PATH, SERVER, at, main_question


class Broken(FakeFeed):
    """A feed whose reading raises."""

    def __iter__(self) -> Iterator[Sequence[AnyEvent]]:
        yield main_question()
        raise ValueError("line 9: damaged event")


async def test_a_collector_that_dies_is_said_with_its_reason_and_the_screen_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        feed.die("the collector was killed by SIGKILL (9)")
        await ui.until_shown("✗ collector died")
        assert "killed by SIGKILL" in ui.lines[-1]
        await ui.press("2", "j")
        assert "libvgpu-cuda.so.1" in ui.cursor


async def test_a_reader_that_fails_is_said_and_the_screen_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(Broken(), monkeypatch) as ui:
        await ui.until_shown("line 9: damaged event")
        await ui.press("4", "g")
        assert "discovering" in ui.text


async def test_a_faulty_rule_is_said_and_the_screen_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:

        def fault(*_: object) -> Answer:
            raise KeyError("rule")

        monkeypatch.setattr(session_module, "draw", drawn(fault))
        feed.come(Vitals(at=at(4), pid=SERVER, cpu=1, rss=1, threads=1))
        await ui.until_shown("the diagnosis failed: KeyError")
        assert "✗ CPU (likely)" in ui.lines[0]


async def test_an_end_in_order_is_said_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed([*main_question(), SessionEnded(at=at(9), reason="the target ended")], recorded=False)
    async with running_app(feed, monkeypatch) as ui:
        feed.die("")
        await ui.until_shown("ended: the target ended")


async def test_a_missing_target_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = TargetMissing(at=at(0), kind="no-such-target", why="no process 99999", help="inspector list")
    async with running_app(FakeFeed([missing], recorded=True), monkeypatch) as ui:
        await ui.until_shown("✗ no process 99999")
        assert "fix  inspector list" in ui.text


async def test_pause_holds_the_screen_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FakeFeed(main_question())
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("2", "space")
        feed.come(LibraryMapped(at=at(8), pid=SERVER, path="/opt/late.so", base=5, file="fe:1:8"))
        await ui.until_shown("paused, 1 waiting")
        assert "late.so" not in ui.text
        await ui.press("space")
        await ui.until_shown("late.so")
        assert "live" in ui.lines[0]


def test_many_events_wake_the_screen_once() -> None:
    woken = threading.Semaphore(0)
    feed = FakeFeed(main_question())
    feed.come(*main_question())
    event_queue = EventQueue(feed, woken.release)
    event_queue.start()
    assert woken.acquire(timeout=5)
    taken: list[AnyEvent] = []
    while len(taken) < 2 * len(main_question()):
        taken += event_queue.take(7)
    assert not woken.acquire(blocking=False)
    assert event_queue.rest()
    feed.come(*main_question())
    assert woken.acquire(timeout=5)
    event_queue.close()


def test_a_slow_screen_makes_the_reader_wait() -> None:
    batches: list[list[AnyEvent]] = [
        [Vitals(at=at(number), pid=1, cpu=0, rss=0, threads=1)] * 10 for number in range(5)
    ]
    feed = FakeFeed(batches[0])
    for batch in batches[1:]:
        feed.come(*batch)
    woken = threading.Semaphore(0)
    event_queue = EventQueue(feed, woken.release, room=15)
    event_queue.start()
    assert woken.acquire(timeout=5)
    seen = 0
    while seen < 50:
        batch = event_queue.take(100)
        assert len(batch) <= 25
        seen += len(batch)
    event_queue.close()


def test_closing_lets_a_waiting_reader_go() -> None:
    feed = FakeFeed([Vitals(at=at(0), pid=1, cpu=0, rss=0, threads=1)] * 10)
    feed.come(*[Vitals(at=at(0), pid=1, cpu=0, rss=0, threads=1)] * 10)
    event_queue = EventQueue(feed, lambda: None, room=5)
    event_queue.start()
    event_queue.close()
    event_queue.thread.join(5)
    assert not event_queue.thread.is_alive()


class Reading:
    """A recording of the main question with a torn last line."""

    def __init__(self) -> None:
        self.troubles: list[str] = []

    def __iter__(self) -> Iterator[AnyEvent]:
        yield from main_question()
        self.troubles.append("line 31, the last one, is torn")


def played(events: Sequence[AnyEvent]) -> Session:
    """A session whose recording is read to its end."""
    session = Session(FakeFeed(events, recorded=True), lambda: None)
    session.event_queue.start()
    session.event_queue.thread.join(5)
    while session.playback is None:
        session.advance(1)
    return session


def test_events_that_come_while_the_end_is_noticed_belong_to_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    events = main_question()
    batches: list[list[AnyEvent]] = [list(events[:5]), [], list(events[5:])]
    session = Session(FakeFeed(recorded=True), lambda: None)
    monkeypatch.setattr(session.event_queue, "take", lambda most: batches.pop(0) if batches else [])
    session.event_queue.ended = True
    while session.playback is None:
        session.advance(1)
    assert list(session.playback.events) == list(events)


def test_a_recording_ends_where_it_ended_and_can_be_wound_back_and_forth() -> None:
    session = played(main_question())
    whole = session.state
    assert session.playback is not None and session.playback.finished
    session.seek(at(0.5))
    session.advance(1)
    assert session.state is not whole and len(session.state.processes) == 1
    session.seek(at(2.2))
    session.advance(1)
    assert len(session.state.processes) == 2 and not session.state.processes[1].ended
    session.seek(at(99))
    session.advance(1)
    assert _known(session.state) == _known(whole)


def test_steps_go_from_moment_to_moment_in_both_directions() -> None:
    session = played(main_question())
    session.seek(at(2.31))
    session.advance(1)
    assert session.state.processes[1].ended
    session.step(-1)
    session.advance(1)
    assert not session.state.processes[1].ended
    session.step(1)
    session.advance(1)
    assert session.state.processes[1].ended


def test_a_replay_tells_what_is_wrong_with_its_file() -> None:
    replay = Replay(Reading())
    assert sum(len(batch) for batch in replay) == len(main_question())
    assert replay.error == "line 31, the last one, is torn" and not replay.alive


async def test_a_recording_has_a_control_bar_and_keys_for_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question(), recorded=True), monkeypatch) as ui:
        await ui.until_shown("recorded")
        assert "3.0 s of 3.0 s  x1" in ui.line_with("━")
        await ui.press("4", "slash", *"cuInit")
        await ui.press("enter", "T")
        await ui.until_shown("2.0 s of 3.0 s")
        assert "2 processes" in ui.lines[0]
        await ui.press("greater_than_sign")
        assert "x2" in ui.line_with("━")
        await ui.press("space")
        await ui.until_shown("3.0 s of 3.0 s")


async def test_a_recording_shows_the_symbols_that_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_app(FakeFeed(main_question(), recorded=True), monkeypatch) as ui:
        await ui.until_shown("recorded")
        await ui.press("3", "slash", *"mem")
        await ui.press("enter")
        assert "· never executed" in ui.line_with("cuMemAlloc_v2")
        assert "1 of 7 · /mem" in ui.text


def in_vain(name: str) -> LookedUp:
    """A symbol that the backend asked for and did not get."""
    return LookedUp(at=at(2.5), pid=SERVER, tid=SERVER, via="dlsym", name=name, requester=BACKEND_PATH, found=False)


async def test_a_name_that_no_file_defines_is_found_by_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [*main_question(), in_vain("cuDeviceGetUuid")]
    async with running_app(FakeFeed(events, recorded=True), monkeypatch, size=(160, 50)) as ui:
        await ui.until_shown("recorded")
        await ui.press("3", "slash", *"getuuid")
        await ui.press("enter")
        assert "libggml-cuda.so" in ui.cursor and "asked for, not found" in ui.cursor
        assert "no library of these processes is known to define it" in ui.text
        await ui.press("c")
        assert "cuDeviceGetUuid was not found" in ui.text


async def test_a_name_that_no_file_defines_comes_before_what_the_collector_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = BigCollector(names=["cuDeviceGet", "cuDeviceGetName"], symbols=2)
    feed.first_events.append(in_vain("cuDeviceGetUuid"))
    async with running_app(feed, monkeypatch) as ui:
        await ui.press("3")
        await ui.until_shown("cuDeviceGetName")
        assert "cuDeviceGetUuid" not in ui.text, "it is optional: nothing of the answer"
        await ui.press("slash", *"cudeviceget")
        await ui.until_shown("cuDeviceGetUuid")
        await ui.press("enter")
        assert "cuDeviceGetUuid" in ui.cursor and "3 · /cudeviceget" in ui.text
        await ui.press("o")
        assert "no library is known to define cuDeviceGetUuid" in ui.text


def _known(state: State) -> tuple[int, int, list[str]]:
    return len(state.processes), len(state.timeline), [moment.text for moment in state.timeline]
