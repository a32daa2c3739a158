"""The pace of news: small bites, few paints, few answers, and rest when there is nothing to do."""

from collections.abc import Callable
from threading import Event

import pytest

from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.events import AnyEvent
from inspector.stream.processes import Vitals
from inspector.view import scheduler as scheduler_module
from inspector.view import session as session_module
from inspector.view.scheduler import AT_ONCE, BREATH, QUIET, Scheduler
from inspector.view.session import Drawing, Session

from .app_harness import drawn, fixed_answer
from .feeds import FakeFeed
from .sample import SERVER, at, main_question


def _moment(timer: tuple[float, Callable[[], None]]) -> float:
    return timer[0]


VITALS = Vitals(at=at(3), pid=SERVER, cpu=1, rss=1, threads=1)


class Bench:
    """A scheduler on a clock that only moves when its timers fire."""

    def __init__(self, feed: FakeFeed, monkeypatch: pytest.MonkeyPatch, fold_cost: float = 0.0) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.painted: list[float] = []
        self.answered: list[float] = []
        self.seen = True
        self._feed, self._woken = feed, Event()
        self.session = Session(feed, self._woken.set)
        monkeypatch.setattr(scheduler_module, "perf_counter", lambda: self.now)
        monkeypatch.setattr(session_module, "perf_counter", self._spend(fold_cost))
        monkeypatch.setattr(session_module, "draw", drawn(self._diagnose))
        self.scheduler = Scheduler(self.session, self._later, lambda: self.painted.append(self.now), lambda: self.seen)
        self.session.event_queue.start()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + seconds, call))

    def _diagnose(self, state: State, profiles: Profiles) -> Answer:
        self.answered.append(self.now)
        return fixed_answer(state, profiles)

    def _spend(self, cost: float) -> Callable[[], float]:
        def clock() -> float:
            self.now += cost
            return self.now

        return clock

    def news(self, *events: AnyEvent) -> None:
        """Let events come, and tell the scheduler."""
        self._feed.come(*events)
        self.hear()

    def hear(self) -> None:
        """Wait until the reader has put something into the queue."""
        assert self._woken.wait(5)
        self._woken.clear()
        self.scheduler.woken()

    def run(self, seconds: float) -> None:
        """Let timers fire for a while."""
        end = self.now + seconds
        while self.timers and min(self.timers, key=_moment)[0] <= end:
            moment, call = min(self.timers, key=_moment)
            self.timers.remove((moment, call))
            self.now = max(self.now, moment)
            call()
        self.now = max(self.now, end)


def filled(feed: FakeFeed, monkeypatch: pytest.MonkeyPatch, fold_cost: float = 0.0) -> Bench:
    """A bench whose reader has read all of an ending feed."""
    bench = Bench(feed, monkeypatch, fold_cost)
    bench.session.event_queue.thread.join(5)
    return bench


def test_after_the_last_event_the_pump_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = filled(FakeFeed(main_question(), ends=True), monkeypatch)
    bench.scheduler.woken()
    bench.run(10)
    assert not bench.timers
    assert len(bench.painted) <= 3 and len(bench.answered) == 1


def test_under_a_flood_it_paints_ten_times_a_second_and_answers_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed([*main_question(), *flood], ends=True), monkeypatch, fold_cost=0.010)
    bench.scheduler.woken()
    start = bench.now
    bench.run(3)
    spent = bench.now - start
    assert 10 <= len(bench.painted) <= spent * 10 + AT_ONCE
    assert len(bench.answered) <= spent * 2 + 2


def test_unseen_it_paints_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed([*main_question(), *flood], ends=True), monkeypatch, fold_cost=0.010)
    bench.seen = False
    bench.scheduler.woken()
    bench.run(3)
    assert len(bench.painted) <= 3 * 2 + AT_ONCE


def test_a_bite_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed(flood, ends=True), monkeypatch, fold_cost=0.010)
    bench.scheduler.woken()
    assert 0 < bench.session.folded < 2_000
    assert len(bench.timers) == 1


def test_news_after_a_rest_are_painted_at_once_also_while_an_answer_is_still_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(FakeFeed(main_question()), monkeypatch)
    bench.hear()
    bench.run(3)
    for _ in range(6):
        bench.run(0.25)
        painted = len(bench.painted)
        bench.news(VITALS)
        assert bench.painted[painted:] == [bench.now]


def test_an_answer_that_takes_long_is_drawn_in_bites_and_nothing_is_folded_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(FakeFeed(main_question()), monkeypatch)

    def draw(state: State, profiles: Profiles) -> Drawing:
        folded = bench.session.folded
        for _ in range(20):
            bench.now += 0.010
            yield
            assert bench.session.folded == folded
        bench.answered.append(bench.now)
        return fixed_answer(state, profiles)

    monkeypatch.setattr(session_module, "draw", draw)
    bench.hear()
    while not bench.session.drawing:
        bench.run(BREATH)
    bench.news(VITALS)
    bench.run(0.3)
    assert not bench.answered
    bench.run(0.3)
    assert bench.answered and bench.session.folded == len(main_question()) + 1


def test_a_recording_is_answered_when_it_is_read_or_when_no_more_of_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(4_000)]
    bench = filled(FakeFeed([*main_question(), *flood], recorded=True), monkeypatch, fold_cost=0.010)
    bench.scheduler.woken()
    bench.run(0.2)
    assert bench.session.reading and not bench.answered and bench.painted
    bench.run(5)
    assert not bench.session.reading and len(bench.answered) == 1
    unended = FakeFeed(main_question(), recorded=True)
    unended.hold()
    bench = Bench(unended, monkeypatch)
    bench.hear()
    bench.run(QUIET / 2)
    assert not bench.answered
    bench.run(QUIET)
    assert bench.session.reading and len(bench.answered) == 1
