"""Calls under counting: what each costs beside bpftrace and gdb, and how soon it is on the screen."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.calls import bench_calls

from .figures import Figure, Measurement
from .peers import ours, program
from .screen_emulator import Picture
from .targets import program as target
from .targets import running
from .terminal import Terminal
from .timing import percentile

_GDB_CALLS = 200
_BEATS = 40


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    made = tempfile.TemporaryDirectory(prefix="bench-calls-")
    bench_calls.build(Path(made.name))
    return made


def _in_folder(measure: Callable[[Path], list[Figure]]) -> list[Figure]:
    return measure(Path(_folder().name))


def cost_of_a_call() -> list[Figure]:
    """ns of a counted call, and with caller and result, beside bpftrace; counted beside gdb."""
    figures = _in_folder(bench_calls.cost_of_a_call)
    gdb = _under_gdb(Path(_folder().name))
    counted = figures[0].ours
    return [*figures, Figure(what="counting a call (2)", ours=counted, unit="ns", peer="gdb", peer_value=gdb)]


def attach_a_thousand() -> list[Figure]:
    """Setting and removing a thousand counters."""
    return _in_folder(bench_calls.attach_a_thousand)


def children() -> list[Figure]:
    """Children of 50 ms."""
    return [bench_calls.children_caught(Path(_folder().name))]


def bystander() -> list[Figure]:
    """A program that is not observed and uses the same file."""
    return [bench_calls.bystander(Path(_folder().name))]


def event_latency() -> list[Figure]:
    """Call to event."""
    return [bench_calls.latency(Path(_folder().name))]


def screen_latency() -> list[Figure]:
    """From the call in the target to its row on the screen, through collector, model, view and terminal."""
    delays: list[float] = []
    with running(target(), "beats", "250") as process:
        assert process.stdout is not None
        with Terminal([ours(), str(process.pid)]) as terminal:
            picture = Picture(terminal)
            picture.wait_for("driver", 30)
            terminal.settle(0.2, 3.0)
            picture.press("4", "SECONDS")
            terminal.read_for(2.0)
            while time.monotonic() - float(process.stdout.readline().split()[1]) > 0.1:
                pass  # what was printed while we came
            for _ in range(_BEATS):
                result, moment = process.stdout.readline().split()
                delays.append((picture.wait_for(result, 5) - float(moment)) * 1000)
    note = f"p50 {statistics.median(delays):.0f} ms over {_BEATS} calls; the moment is taken before the call"
    return [Figure(what="call to screen, p95", ours=percentile(delays, 0.95), unit="ms", budget=60, note=note)]


def slow_down() -> list[Figure]:
    """A launch-bound loop (nine driver calls a launch) under the default profile; bpftrace counts all exports."""
    with running(target(), "launches") as process:
        free = statistics.median(_launches(process, 6))
        with Terminal([ours(), str(process.pid)]) as terminal:
            terminal.read_for(4.0)
            watched = statistics.median(_launches(process, 6, time.monotonic(), terminal))
        counted = _counted_by_peer(process)
    lost = {name: 100 * (1 - rate / free) for name, rate in (("ours", watched), ("peer", counted)) if rate}
    note = f"launches per second of the loop's own CPU time: {free:,.0f} free, {watched:,.0f} watched"
    return [
        Figure(what="slow-down of a launch-bound loop", ours=max(0.0, lost["ours"]), unit="%", budget=1,
               peer="bpftrace, all exports", peer_value=lost.get("peer"), note=note)
    ]  # fmt: skip


def _counted_by_peer(process: "subprocess.Popen[str]") -> float | None:
    """Launches a second while bpftrace counts every call of the driver."""
    path = program("bpftrace")
    if path is None:
        return None
    probes = f"uprobe:{target().with_name('libcuda.so.1')}:cu* {{ @ = count(); }}"
    peer = subprocess.Popen([path, "-e", probes], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert peer.stdout is not None
        peer.stdout.readline()
        return statistics.median(_launches(process, 4, time.monotonic() + 1.0))
    finally:
        peer.kill()
        peer.wait()


def _launches(
    process: "subprocess.Popen[str]", count: int, since: float = 0.0, terminal: Terminal | None = None
) -> list[float]:
    """Launches a second of each half second that began after a moment; the screen is read meanwhile."""
    assert process.stdout is not None
    found: list[float] = []
    while len(found) < count:
        if terminal is not None:
            terminal.read_for(0.4)
        begun, turns = process.stdout.readline().split()
        found += [float(turns)] if float(begun) > since else []
    return found


def _under_gdb(folder: Path) -> float | None:
    """ns of a call with a gdb breakpoint that goes on by itself; None without gdb. The target goes with it."""
    path = program("gdb")
    if path is None:
        return None
    script = folder / "count.gdb"
    script.write_text("set pagination off\nbreak calm\ncommands\nsilent\ncontinue\nend\ncontinue\n")
    timed = subprocess.Popen([folder / "timed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert timed.stdin is not None and timed.stdout is not None
    peer = subprocess.Popen(
        [path, "-q", "-nx", "-p", str(timed.pid), "-x", script],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(1.5)
        timed.stdin.write(f"calm {_GDB_CALLS}\n")
        timed.stdin.flush()
        return float(timed.stdout.readline())
    finally:
        timed.kill()
        peer.kill()
        timed.wait()
        peer.wait()


MEASUREMENTS = [
    Measurement("calls", one)
    for one in (cost_of_a_call, attach_a_thousand, children, event_latency, screen_latency, slow_down, bystander)
]
