"""The collector gives way to programs while they start, and has its turn when it falls behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from inspector.collect.reactor.collector_pace import CollectorPace


@dataclass
class Ring:
    """Where records wait, or not."""

    waiting_since: int | None = None


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def worker() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.kill()
    process.wait()


def test_it_runs_where_no_program_wants_to_and_afterwards_as_before(sleeper: int) -> None:
    pace = CollectorPace(sleeper, [])
    pace.give_way(True)
    assert os.sched_getscheduler(sleeper) == os.SCHED_IDLE
    pace.give_way(False)
    assert os.sched_getscheduler(sleeper) == os.SCHED_OTHER


def test_it_has_its_turn_while_records_wait_and_it_does_not_get_at_them(sleeper: int) -> None:
    ring = Ring(4096)
    pace = CollectorPace(sleeper, [ring])
    pace.give_way(True)
    pace.look()
    assert os.sched_getscheduler(sleeper) == os.SCHED_IDLE
    pace.look()
    assert os.sched_getscheduler(sleeper) == os.SCHED_OTHER
    ring.waiting_since = None
    pace.look()
    time.sleep(0.06)
    pace.look()
    assert os.sched_getscheduler(sleeper) == os.SCHED_IDLE


def test_records_that_move_on_are_no_reason(sleeper: int) -> None:
    ring = Ring()
    pace = CollectorPace(sleeper, [ring])
    pace.give_way(True)
    for place in range(5):
        ring.waiting_since = place
        pace.look()
    assert os.sched_getscheduler(sleeper) == os.SCHED_IDLE


def test_a_thread_that_is_before_programs_stays_there(worker: int) -> None:
    os.sched_setscheduler(worker, os.SCHED_BATCH, os.sched_param(0))
    CollectorPace(worker, []).give_way(True)
    assert os.sched_getscheduler(worker) == os.SCHED_BATCH
