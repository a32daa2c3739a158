"""Counters of processes that end at an awkward moment, and what is said where there are none left."""

import os
from collections.abc import Callable

import pytest

from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.membership import CONTROL_LOST_STACKS, SLOTS
from inspector.collect.kernel.records import Exited, Forked, Lost

from .conftest import Targets
from .counted import Watcher

pytestmark = pytest.mark.live


def _child(engine: Engine, work: Callable[[], None]) -> int:
    """A member that does this and ends; it stays a zombie until it is waited for."""
    with engine.adopting():
        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0)
    return pid


def _has_ended(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _lost(engine: Engine, source: str) -> int:
    return sum(record.count for record in engine.drain() if isinstance(record, Lost) and record.source == source)


def test_calls_of_one_that_ended_before_it_was_followed_once_more_are_kept(
    engine: Engine, counting: Counting, targets: Targets
) -> None:
    Watcher(engine, counting).watch(targets.library, "stride")
    pid = _child(engine, lambda: os.execv(targets.program, [str(targets.program), "calls:1:7"]))
    assert any(isinstance(record, Forked) for record in engine.drain())
    os.waitpid(pid, 0)
    engine.follow(pid)
    records = [*engine.drain(), *engine.drain()]
    assert [record.pid for record in records if isinstance(record, Exited)] == [pid]
    assert [(count.pid, count.count) for count in counting.counts()] == [(pid, 7)]


def test_who_is_followed_as_a_zombie_takes_no_slot_for_ever(engine: Engine) -> None:
    for _ in range(SLOTS + 10):
        pid = _child(engine, lambda: None)
        _has_ended(pid)
        engine.follow(pid)
        os.waitpid(pid, 0)
        engine.drain()
        engine.drain()
        assert engine.members.slot_of(pid) is None
    assert engine.members.crowded == 0


def test_a_process_that_was_found_when_no_slot_was_free_is_said_to_have_no_counters(engine: Engine) -> None:
    for number in range(SLOTS):
        engine.members.add(10_000_000 + number)
    assert engine.members.crowded == 2
    assert _lost(engine, "processes without counters") == 2
    assert _lost(engine, "processes without counters") == 0


def test_a_stack_for_which_there_was_no_room_is_no_lost_birth(engine: Engine) -> None:
    engine.members._words[CONTROL_LOST_STACKS // 8] = 5
    assert [(record.source, record.count) for record in engine.drain() if isinstance(record, Lost)] == [
        ("call stacks", 5)
    ]
