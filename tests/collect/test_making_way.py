"""A program that has just begun has the processors for itself, for a bounded time and only where all are busy."""

import time

import pytest

from inspector.collect import making_way
from inspector.collect.making_way import MakingWay
from inspector.collect.sources.contract import Tracked


@pytest.fixture
def runnable(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    threads = [1000]
    monkeypatch.setattr(making_way, "_runnable", lambda: threads[0])
    return threads


def _process(age: float) -> Tracked:
    return Tracked(pid=1, ppid=0, started=time.monotonic_ns() - int(age * 1e9))


def test_way_is_made_for_a_young_program_where_all_processors_are_busy(runnable: list[int]) -> None:
    way = MakingWay()
    assert not way.wanted()
    way.executed(_process(age=0.0))
    assert way.wanted()
    runnable[0] = 1
    assert not way.wanted()


def test_no_way_is_made_for_a_program_that_has_run_for_long(runnable: list[int]) -> None:
    way = MakingWay()
    way.executed(_process(age=60.0))
    assert not way.wanted()


def test_programs_that_begin_all_the_time_leave_half_of_it_to_us(
    runnable: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    way, made = MakingWay(), 0
    for _ in range(6000):
        now[0] += 0.001
        way.executed(Tracked(pid=1, ppid=0, started=int(now[0] * 1e9)))
        made += way.wanted()
    assert 0.4 < made / 6000 < 0.6


def test_a_machine_that_hides_how_many_threads_run_has_no_way_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making_way, "_LOADAVG", "/no/such/file")
    way = MakingWay()
    way.executed(_process(age=0.0))
    assert not way.wanted()
