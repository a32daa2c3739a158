"""Who got no processor did nothing, which says nothing of what he does."""

import os
import subprocess
import sys
import time

import pytest

from inspector.collect.kernel.run_time import RunTime, has_not_run, kept_waiting, run_times

MS = 1_000_000


def test_a_thread_that_runs_has_run_and_one_that_sleeps_does_not_want_to() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
        subprocess.Popen(["sleep", "60"]) as idle,
    ):
        try:
            before = run_times([busy.pid])
            deadline = time.monotonic() + 60
            while has_not_run(before, run_times([busy.pid]), 50 * MS):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert not run_times([idle.pid])[idle.pid].wants
        finally:
            busy.kill()
            idle.kill()
    assert run_times([busy.pid]) == {}


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (RunTime(5 * MS, 2 * MS, True), 0),
        (RunTime(10 * MS, 12 * MS, True), 10 * MS),
        (RunTime(5 * MS, 2 * MS, False), 0),
        (RunTime(15 * MS, 90 * MS, True), 10 * MS),
    ],
)
def test_the_longest_wait_of_all_threads_counts(after: RunTime, kept: int) -> None:
    before = {1: RunTime(5 * MS, 2 * MS, False), 2: RunTime(0, 0, False)}
    stays = RunTime(0, 0, False)
    waits = 20 * MS if after.wants and after.ran == before[1].ran else kept
    assert kept_waiting(before, {1: after, 2: stays, 3: after}, 20 * MS) == waits
    assert os.getpid() in run_times([os.getpid()])
