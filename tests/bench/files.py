"""Symbol tables in bulk, filters at typing speed, maps and pages of a process: beside nm, readelf and psutil."""

import sys
import time
from functools import cache
from itertools import cycle
from pathlib import Path

import psutil

from inspector.collect.elf.file import ElfFile
from inspector.collect.elf.linkmap import read_link_map
from inspector.collect.elf.symbol_index import FileSymbols, SymbolIndex
from inspector.collect.elf.symbols import SymbolTable
from inspector.collect.kernel import procfs
from inspector.collect.kernel.memory import Memory
from inspector.collect.kernel.pages import PageTable
from inspector.collect.sources.libraries.symbols import PIECE
from inspector.stream.requests import ReadSymbols

from .figures import Figure, Measurement
from .peers import program
from .targets import running
from .timing import command_milliseconds, milliseconds

_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
KEYSTROKES = ("c", "cu", "cui", "cuin", "cuini", "cuinit")
_TEXT = 400 << 20
_MAPS_TEXT = """
import mmap, os, sys, time
file = open(sys.argv[1], "rb")
size = os.fstat(file.fileno()).st_size
kept = [mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
        for _ in range(int(sys.argv[2]) // size)]
print("ready", flush=True)
time.sleep(600)
"""
_IMPORTS = "import asyncio, ctypes, decimal, json, lzma, sqlite3, ssl, time, zoneinfo; print('ready', flush=True)"


@cache
def largest(count: int) -> list[Path]:
    """The largest shared libraries of the system, each file once."""
    files = {path.resolve() for path in _LIBRARIES.glob("*.so*") if path.is_file()}
    return sorted(files, key=lambda path: path.stat().st_size, reverse=True)[:count]


def _read_names(paths: list[Path]) -> int:
    """All dynamic names of all files."""
    total = 0
    for path in paths:
        with ElfFile(bytes(path)) as elf:
            total += sum(1 for name in SymbolTable(elf).names() if name)
    return total


def tables() -> list[Figure]:
    """All dynamic symbols of 64 libraries: budget 0.1 s for 109,000 names, here by the thousand names."""
    paths = largest(64)
    names = _read_names(paths)
    mine = milliseconds(lambda: _read_names(paths))
    figures = []
    for peer, command in (("nm -D", ["nm", "-D"]), ("readelf", ["readelf", "--dyn-syms", "-W"])):
        theirs = None
        if program(command[0]):
            theirs = command_milliseconds([*command, *paths], 1)
        figures.append(
            Figure(what=f"symbols of {len(paths)} libraries ({peer})", ours=mine, unit="ms",
                   budget=100 * names / 109_000, peer=peer, peer_value=theirs, note=f"{names:,} names")
        )  # fmt: skip
    return figures


def index_of(count: int) -> SymbolIndex:
    """About so many names of real libraries, again and again until they are enough."""
    files = [FileSymbols(bytes(path), str(path), str(number)) for number, path in enumerate(largest(64))]
    chosen: list[FileSymbols] = []
    for one in cycle(files):
        if sum(map(len, chosen)) >= count:
            return SymbolIndex(chosen)
        chosen.append(one)
    raise LookupError("no library here")


def typed(index: SymbolIndex) -> list[float]:
    """ms until each letter of a filter that is typed has its first page; the rest comes beside the keys."""
    times = []
    for text in KEYSTROKES:
        begin = time.perf_counter()
        page = index.page(ReadSymbols(pid=1, filter=text), 0, PIECE)
        times.append((time.perf_counter() - begin) * 1000)
        while not page.complete:
            page = index.page(ReadSymbols(pid=1, filter=text), 0, PIECE)
    return times


def filters() -> list[Figure]:
    """A filter typed letter by letter over about 480,000 names: budget 50 ms a keystroke."""
    index = index_of(480_000)
    times = typed(index)
    note = f"{len(index):,} names; " + ", ".join(f"{t} {ms:.0f}" for t, ms in zip(KEYSTROKES, times, strict=True))
    return [Figure(what="symbol filter, worst keystroke", ours=max(times), unit="ms", budget=50.0, note=note)]


def _read_process(pid: int) -> int:
    with Memory(pid) as memory:
        found = read_link_map(memory, procfs.auxiliary(pid))
    return len(procfs.executable_maps(pid)) + len(found.objects)


def maps() -> list[Figure]:
    """What a process maps and what its loader says, together."""
    with running(sys.executable, "-c", f"{_IMPORTS}; time.sleep(600)") as process:
        assert process.stdout is not None
        process.stdout.readline()
        pid, lines = process.pid, len(procfs.maps(process.pid))
        mine = milliseconds(lambda: _read_process(pid), 31)
        theirs = milliseconds(lambda: psutil.Process(pid).memory_maps(), 15)
    return [
        Figure(what="maps and link map", ours=mine, unit="ms", budget=1.0, peer="psutil.memory_maps",
               peer_value=theirs, note=f"{lines} mappings")
    ]  # fmt: skip


def pages() -> list[Figure]:
    """Which pages of 400 MiB of text were never executed; reading the maps is not counted."""
    file = largest(1)[0]
    with running(sys.executable, "-c", _MAPS_TEXT, str(file), str(_TEXT)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lines = procfs.executable_maps(process.pid)
        size = sum(line.end - line.start for line in lines)
        with PageTable(process.pid) as table:
            mine = milliseconds(lambda: [table.spans(line.start, line.end) for line in lines], 31)
    note = f"{size >> 20} MiB of text in {len(lines)} mappings"
    return [Figure(what="pages never executed", ours=mine, unit="ms", budget=1.0, peer="nobody has it", note=note)]


MEASUREMENTS = [Measurement("files", one) for one in (tables, filters, maps, pages)]
