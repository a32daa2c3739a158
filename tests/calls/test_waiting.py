"""Counts while a program is waited for: those of programs that were only looked at belong to nobody."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.records import Executed

from .conftest import Targets
from .counted import Watcher

pytestmark = pytest.mark.live


def test_a_program_that_was_looked_at_and_is_not_the_awaited_one_leaves_no_counts_to_anybody(
    engine: Engine, counting: Counting, targets: Targets
) -> None:
    watcher = Watcher(engine, counting)
    watcher.watch(targets.library, "stride")
    engine.wait_for(lambda record: False)
    for _ in range(3):  # they end before they are denied, and together they have had every slot
        subprocess.run([targets.program, "children:100:5"], check=True, stdout=subprocess.DEVNULL)
        engine.drain()
        engine.drain()
    engine.wait_for(None)
    assert counting.counts() == []
    seen = watcher.run(targets.program, "children:20:7")
    assert {count.count for (_, name), count in seen.counts.items() if name == "stride"} == {7}


def test_a_script_that_executes_the_awaited_program_is_not_denied_before_that_is_judged(
    engine: Engine, counting: Counting, targets: Targets
) -> None:
    watcher = Watcher(engine, counting)
    watcher.watch(targets.library, "stride")
    engine.wait_for(lambda record: record.filename == os.fsencode(targets.program))
    for script in (f"exec {targets.program} calls:1:7 wait", f"{targets.program} calls:1:7 wait; true"):
        command = ["sh", "-c", script]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            time.sleep(0.5)  # the calls are over before anything is judged
            engine.drain()
            engine.drain()
            process.communicate(b"\n")
        engine.drain()
        engine.drain()
    engine.wait_for(None)
    assert sum(count.count for count in counting.counts()) == 2 * 7


def test_only_programs_of_a_name_that_is_waited_for_are_looked_at(engine: Engine, targets: Targets) -> None:
    told: list[bytes] = []

    def note(record: Executed) -> bool:
        told.append(record.filename)
        return False

    engine.wait_for(note, [targets.program.name])
    subprocess.run(["sh", "-c", f"{targets.program} calls:1:1; /bin/true"], check=True, stdout=subprocess.DEVNULL)
    engine.drain()
    engine.wait_for(None)
    assert os.fsencode(targets.program) in told
    assert {Path(os.fsdecode(name)).name for name in told} == {targets.program.name}


def test_output_of_a_program_that_was_only_looked_at_is_not_told(engine: Engine) -> None:
    engine.wait_for(lambda record: False)
    with subprocess.Popen(["sh", "-c", "echo hello; read line"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL):
        time.sleep(0.3)  # nothing was judged yet
        assert engine.writes() == []
    engine.wait_for(None)
