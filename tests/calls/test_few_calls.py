"""Counting without kernel programs: a few functions by perf events, and the words that say what is lost."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import procfs
from inspector.collect.kernel.event_counters import EventCounters, Point
from inspector.stream.calls import CallsCounted, FunctionsWatched
from inspector.stream.processes import ProcessStarted
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from inspector.stream.session import LimitNoted
from tests.collect.collector import NOBODY, Collector

from .conftest import Targets

pytestmark = pytest.mark.live


@pytest.fixture
def public(targets: Targets) -> Iterator[Targets]:
    """The same targets where every user can read them."""
    folder = Path(tempfile.mkdtemp(prefix="public-targets-"))
    folder.chmod(0o755)
    for file in (targets.library, targets.program):
        shutil.copy(file, folder)
    yield Targets(folder)
    shutil.rmtree(folder)


def test_without_root_four_functions_of_own_processes_are_counted_and_the_rest_is_said(public: Targets) -> None:
    names = ("slow", "refuse", "calm", "stride", "hot", "fill")
    functions = [FunctionPlan(name=name) for name in names]
    plan = Plan(apis=[ApiPlan(api="watched", sonames=["libwatched.so"], prefixes=["x"], functions=functions)])
    # It waits until it is counted: setting four breakpoints takes 2 s where the machine is more than full.
    counted = public.folder / "counted"
    os.mkfifo(counted, 0o644)
    shell = f"LD_LIBRARY_PATH={public.folder} exec {public.program} wait refuse:37 wait < {counted}"
    with Collector("--", "sh", "-c", shell, plan=plan, uid=NOBODY) as collector, counted.open("r+b", 0) as go:
        watched = collector.wait(FunctionsWatched)
        go.write(b"\n")
        numbers = {function.name: function.id for function in watched.functions}
        collector.wait(CallsCounted, lambda e: any(c.function == numbers["refuse"] and c.count == 37 for c in e.counts))
        limit = collector.wait(LimitNoted, lambda event: event.what.startswith("calls of all but 4"))
        assert {event.pid for event in collector.all(ProcessStarted)}
    assert watched.means == "breakpoint"
    assert set(numbers) == {"slow", "refuse", "calm", "stride"}
    assert limit.grant


def test_uprobe_events_count_without_kernel_programs_and_leave_nothing(targets: Targets) -> None:
    if os.geteuid() != 0:
        pytest.skip("uprobe events need CAP_SYS_ADMIN")
    command = [str(targets.program), "wait", "refuse:25", "wait"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    while not any(line.path == bytes(targets.library) for line in procfs.executable_maps(process.pid)):
        time.sleep(0.01)
    site = find_sites(bytes(targets.library), ["refuse"]).found[0]
    counters = EventCounters(uprobes=True)
    assert counters.add(process.pid, [Point(0, 0, bytes(targets.library), site.entry)]) == [0]
    process.stdin.write(b"go\n")
    process.stdin.flush()
    end = time.monotonic() + 10
    while counters.counts() != {(process.pid, 0): 25} and time.monotonic() < end:
        time.sleep(0.01)
    assert counters.counts() == {(process.pid, 0): 25}
    counters.close()
    process.communicate(b"go\n")
    assert process.returncode == 0
