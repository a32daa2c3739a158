"""The target goes on as it was, whatever happens to the collector."""

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import procfs
from inspector.stream.calls import FunctionsWatched
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan
from tests.collect.collector import Collector

from .conftest import Targets
from .observer import Observer

pytestmark = pytest.mark.live

KILLS = 50


@pytest.fixture
def fragile(targets: Targets, live: None) -> Iterator[subprocess.Popen[str]]:
    command = [str(targets.fragile), str(targets.library)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


@pytest.mark.longer
def test_a_collector_killed_at_fifty_moments_leaves_the_target_right_and_unprobed(
    fragile: subprocess.Popen[str], targets: Targets
) -> None:
    moments = random.Random(7)
    watched = 0
    for _ in range(KILLS // 2):
        observers = [Observer(fragile.pid, bytes(targets.library)) for _ in range(2)]
        if moments.random() < 0.5:
            watched += observers[0].wait_until_watching()
        for observer in observers:
            time.sleep(moments.random() * 0.05)
            observer.kill()
        for observer in observers:
            observer.wait()
        assert fragile.poll() is None
    assert watched > KILLS / 8
    assert breakpoints_in(fragile.pid, targets.library) == []
    output, _ = fragile.communicate(timeout=60)
    assert (output, fragile.returncode) == ("right\n", 0)


def test_a_target_that_throws_forks_reloads_and_takes_signals_is_unharmed(
    fragile: subprocess.Popen[str], targets: Targets
) -> None:
    observer = Observer(fragile.pid, bytes(targets.library))
    assert observer.wait_until_watching()
    assert breakpoints_in(fragile.pid, targets.library) != []
    time.sleep(2)
    output, _ = fragile.communicate(timeout=60)
    observer.kill()
    observer.wait()
    assert (output, fragile.returncode) == ("right\n", 0)


@pytest.mark.longer
def test_a_whole_collector_killed_at_any_moment_leaves_the_target_right_and_unprobed(
    fragile: subprocess.Popen[str], targets: Targets
) -> None:
    moments = random.Random(3)
    names = [site.name for site in find_sites(bytes(targets.library)).found if site.name != "locked"]
    functions = [FunctionPlan(name=name, returns=name in ("fill", "outer")) for name in names]
    plan = Plan(apis=[ApiPlan(api="watched", sonames=["libwatched.so"], prefixes=["x"], functions=functions)])
    for turn in range(6):
        with Collector(str(fragile.pid), plan=plan) as collector:
            if turn % 2:
                collector.wait(FunctionsWatched)
            time.sleep(moments.random() * 0.5)
        assert fragile.poll() is None
    assert breakpoints_in(fragile.pid, targets.library) == []
    output, _ = fragile.communicate(timeout=60)
    assert (output, fragile.returncode) == ("right\n", 0)


def breakpoints_in(pid: int, library: Path) -> list[str]:
    """Functions of the library whose code in the process differs from the file: a uprobe writes 0xcc there."""
    (text,) = [line for line in procfs.executable_maps(pid) if line.path == bytes(library)]
    different = []
    with open(f"/proc/{pid}/mem", "rb") as memory, library.open("rb") as file:
        for site in find_sites(bytes(library)).found:
            file.seek(site.entry)
            memory.seek(text.start + site.entry - text.offset)
            if file.read(16) != memory.read(16):
                different.append(site.name)
    return different
