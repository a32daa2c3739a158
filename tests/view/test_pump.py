"""The pace of news: small bites, few paints, few answers, and rest when there is nothing to do."""

from collections.abc import Callable

import pytest

from inspector.model.profiles import Profiles
from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.processes import Vitals
from inspector.view import pump as pump_module
from inspector.view import session as session_module
from inspector.view.pump import Pump
from inspector.view.session import Session

from .feeds import FakeFeed
from .sample import SERVER, at, main_question
from .stage import fixed_answer


class Bench:
    """A pump on a clock that only moves when its timers fire."""

    def __init__(self, feed: FakeFeed, monkeypatch: pytest.MonkeyPatch, fold_cost: float = 0.0) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.painted: list[float] = []
        self.answered: list[float] = []
        self.seen = True
        self.session = Session(feed, lambda: None)
        monkeypatch.setattr(pump_module, "perf_counter", lambda: self.now)
        monkeypatch.setattr(session_module, "perf_counter", self._spend(fold_cost))
        monkeypatch.setattr(session_module, "diagnose", self._diagnose)
        self.pump = Pump(self.session, self._later, lambda: self.painted.append(self.now), lambda: self.seen)
        self.session.inbox.start()

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

    def run(self, seconds: float) -> None:
        """Let timers fire for a while."""
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            moment, call = self.timers.pop(0)
            self.now = max(self.now, moment)
            call()
        self.now = max(self.now, end)


def filled(feed: FakeFeed, monkeypatch: pytest.MonkeyPatch, fold_cost: float = 0.0) -> Bench:
    """A bench whose reader has read all of an ending feed."""
    bench = Bench(feed, monkeypatch, fold_cost)
    bench.session.inbox.thread.join(5)
    return bench


def test_after_the_last_event_the_pump_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = filled(FakeFeed(main_question(), ends=True), monkeypatch)
    bench.pump.woken()
    bench.run(10)
    assert not bench.timers
    assert len(bench.painted) <= 3 and len(bench.answered) == 1


def test_under_a_flood_it_paints_ten_times_a_second_and_answers_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed([*main_question(), *flood], ends=True), monkeypatch, fold_cost=0.010)
    bench.pump.woken()
    start = bench.now
    bench.run(3)
    spent = bench.now - start
    assert 10 <= len(bench.painted) <= spent * 10 + 2
    assert len(bench.answered) <= spent * 2 + 2


def test_unseen_it_paints_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed([*main_question(), *flood], ends=True), monkeypatch, fold_cost=0.010)
    bench.seen = False
    bench.pump.woken()
    bench.run(3)
    assert len(bench.painted) <= 8


def test_a_bite_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [Vitals(at=at(2) + number, pid=SERVER, cpu=1, rss=1, threads=1) for number in range(40_000)]
    bench = filled(FakeFeed(flood, ends=True), monkeypatch, fold_cost=0.010)
    bench.pump.woken()
    assert 0 < bench.session.folded < 2_000
    assert len(bench.timers) == 1
