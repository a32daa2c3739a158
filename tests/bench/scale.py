"""Curves: cost grows no faster than the work. And the memory of both processes at their largest."""

import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from inspector.collect import listing
from inspector.collect.elf.symbol_index import FileSymbols, SymbolIndex
from inspector.collect.kernel import procfs
from inspector.model.profiles import builtin_profiles
from inspector.stream.processes import ProcessStarted, Vitals
from inspector.stream.requests import ReadSymbols
from tests.collect.collector import Collector
from tests.logs.bench_logs import write_log

from .figures import Figure, Measurement
from .peers import ours
from .screen_emulator import Picture
from .targets import program, room, running
from .terminal import Terminal
from .timing import milliseconds
from .usage import CpuMeter, family, resident_megabytes

_MOST_SYMBOLS = 700_000
_MOST_LINES = 1_000_000


@cache
def library_of(symbols: int) -> Path:
    """A shared library that exports so many functions."""
    source, made = room() / f"many{symbols}.s", room() / f"libmany{symbols}.so"
    with source.open("w") as file:
        file.write(".text\n")
        for number in range(symbols):
            name = f"_ZN5scale{len(str(number)) + 4}work{number}Ei"
            file.write(f".globl {name}\n.type {name},@function\n{name}: ret\n")
    subprocess.run(["gcc", "-shared", "-nostdlib", "-o", made, source], check=True)
    source.unlink()
    return made


_SLACK = 1.5
"""How much faster than the work the cost may grow: caches and neighbours."""


def _curve(what: str, unit: str, points: list[tuple[int, float]], grain: str) -> Figure:
    """One figure for the largest size, by which cost may have grown as the work since the middle one."""
    (middle, cost), (most, last) = points[len(points) // 2], points[-1]
    if middle == most:
        middle, cost = points[0]
    curve = ", ".join(f"{size:,}: {value:.3g}" for size, value in points)
    budget = _SLACK * cost * most / middle
    note = f"{unit} by {grain}: {curve}; the budget is as much for each as at {middle:,}, and half of it more"
    return Figure(what=f"{what}, {most:,} {grain}", ours=last, unit=unit, budget=budget, note=note)


def symbols() -> list[Figure]:
    """Reading a table, and the first letter of a filter over it."""
    read, typed = [], []
    for size in (10, 1_000, 30_000, 200_000, _MOST_SYMBOLS):
        path = str(library_of(size))
        begin = time.perf_counter()
        index = SymbolIndex([FileSymbols(os.fsencode(path), path, "1")])
        middle = time.perf_counter()
        index.page(ReadSymbols(pid=1, filter="k7"), 0)
        read.append((size, (middle - begin) * 1000))
        typed.append((size, (time.perf_counter() - middle) * 1000))
    return [
        _curve("read and sort a table", "ms", read, "symbols"),
        _curve("filter, first key", "ms", typed, "symbols"),
    ]


def mappings() -> list[Figure]:
    """Reading what a process maps: ourselves, with a file mapped again and again."""
    points = []
    with open(library_of(10), "rb") as file:
        kept: list[mmap.mmap] = []
        for size in (10, 100, 400, 1_200):
            while len(kept) < size:
                protection = mmap.PROT_READ | (mmap.PROT_EXEC if len(kept) % 2 else 0)
                kept.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, protection))
            points.append((len(procfs.maps(os.getpid())), milliseconds(lambda: procfs.executable_maps(os.getpid()), 9)))
        for one in kept:
            one.close()
    return [_curve("read the code mappings of a process", "ms", points, "mappings")]


def picker() -> list[Figure]:
    """The list of all processes: `inspector list` and the picker."""
    plan = builtin_profiles().plan()
    points = []
    for size in (1, 300, 2_000):
        with running(program(), "children", str(size)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            rows = len(list(listing.processes(plan)))
            points.append((rows, milliseconds(lambda: list(listing.processes(plan)), 3)))
    return [_curve("list of processes", "ms", points, "processes")]


def tree() -> list[Figure]:
    """From the start of the collector until each process of a tree is told, and what it costs from then on."""
    told, shares = [], []
    for size in (1, 100, 300):
        with running(program(), "children", str(size)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            begin = time.monotonic()
            with Collector(str(process.pid), plan=builtin_profiles().plan()) as collector:
                while len({event.pid for event in collector.all(ProcessStarted)}) < size + 1:
                    _patience(begin)
                told.append((size + 1, (time.monotonic() - begin) * 1000))
                collector.wait(Vitals)
                time.sleep(1.5)
                meter = CpuMeter(family(collector.pid))
                time.sleep(2.0)
                shares.append((size + 1, meter.percent()))
    return [
        _curve("attach to a tree", "ms", told, "processes"),
        _curve("collector on a quiet tree", "% CPU", shares, "processes"),
    ]


def calls() -> list[Figure]:
    """What the collector costs while a program calls its driver so often."""
    return [_rates("collector under calls", "calls/s", (10, 1_000, 10_000, 100_000), lambda rate, _: ("calls", rate))]


def logs() -> list[Figure]:
    """What the collector costs while a log grows by so many lines."""
    rates = (10, 1_000, 30_000, 300_000, 1_000_000)
    return [_rates("collector under log lines", "lines/s", rates, lambda rate, log: ("logs", rate, log))]


def _rates(what: str, grain: str, rates: tuple[int, ...], words: Callable[[str, str], tuple[str, ...]]) -> Figure:
    points = []
    for rate in rates:
        with tempfile.TemporaryDirectory(prefix="bench-rate-") as folder:
            log = str(Path(folder) / "server.log")
            Path(log).touch()
            with running(program(), *words(str(rate), log)) as process:
                options = ("--log", log) if "logs" in words(str(rate), log) else ()
                with Collector(*options, str(process.pid), plan=builtin_profiles().plan()) as collector:
                    collector.wait(Vitals)
                    time.sleep(1.5)
                    meter = CpuMeter(family(collector.pid))
                    time.sleep(2.0)
                    points.append((rate, meter.percent()))
    return _curve(what, "% CPU", points, grain)


def _patience(begin: float) -> None:
    if time.monotonic() - begin > 20:
        raise TimeoutError("not all processes were told within 20 s")
    time.sleep(0.002)


def memory() -> list[Figure]:
    """Viewer and collector together: on a small target, and on one of 700,000 symbols with a log of a million lines."""
    with running("sleep", "600") as process, Terminal([ours(), str(process.pid)]) as terminal:
        Picture(terminal).wait_for("running", 30)
        terminal.settle(1.0, 5.0)
        small = resident_megabytes(family(terminal.pid))
    log = room() / "million.log"
    write_log(log, _MOST_LINES)
    preload = f"LD_PRELOAD={library_of(_MOST_SYMBOLS)}"
    with running("env", preload, "sleep", "600") as process:
        time.sleep(0.5)
        with Terminal([ours(), "--log", str(log), str(process.pid)]) as terminal:
            picture = Picture(terminal)
            picture.wait_for("running", 30)
            picture.press("5", "following", 60)
            terminal.read_for(2.0)
            picture.press("3", "703,", 60)
            terminal.write(b"/")
            terminal.read_for(0.5)
            terminal.write(b"work77")
            picture.wait_for("work77", 60)
            terminal.read_for(1.0)
            parts = [resident_megabytes([one]) for one in family(terminal.pid)]
    note = "proportional set size; " + " and ".join(f"{part:.0f}" for part in parts if part > 1) + " MB each"
    return [
        Figure(what="memory, small target", ours=small, unit="MB", note="proportional set size of both processes"),
        Figure(what="memory, 700,000 symbols and a million log lines", ours=sum(parts), unit="MB", budget=300,
               note=note),
    ]  # fmt: skip


MEASUREMENTS = [Measurement("scale", one) for one in (symbols, mappings, picker, tree, calls, logs, memory)]
