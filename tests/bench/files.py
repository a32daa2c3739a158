"""Symbol tables in bulk, filters at typing speed: beside nm and readelf on the same files."""

import subprocess
import time
from pathlib import Path

from inspector.collect.elf.file import ElfFile
from inspector.collect.elf.symbol_index import FileSymbols, SymbolIndex
from inspector.collect.elf.symbols import SymbolTable
from inspector.stream.requests import ReadSymbols

from .figures import Figure, Measurement
from .peers import program

_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
_KEYSTROKES = ("c", "cu", "cui", "cuin", "cuini", "cuinit")


def largest(count: int) -> list[Path]:
    """The largest shared libraries of the system, each file once."""
    files = {path.resolve() for path in _LIBRARIES.glob("*.so*") if path.is_file()}
    return sorted(files, key=lambda path: path.stat().st_size, reverse=True)[:count]


def seconds(action: object, runs: int = 3) -> float:
    """Shortest time of a callable."""
    assert callable(action)
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return min(times)


def read_names(paths: list[Path]) -> int:
    """All dynamic names of all files."""
    total = 0
    for path in paths:
        with ElfFile(bytes(path)) as elf:
            total += sum(1 for name in SymbolTable(elf).names() if name)
    return total


def tables() -> list[Figure]:
    """All dynamic symbols of 64 libraries: budget 0.1 s for 109,000 names, here by the thousand names."""
    paths = largest(64)
    names = read_names(paths)
    ours = seconds(lambda: read_names(paths))
    figures = []
    for peer, command in (("nm -D", ["nm", "-D"]), ("readelf", ["readelf", "--dyn-syms", "-W"])):
        theirs = None
        if program(command[0]):
            theirs = seconds(lambda c=command: subprocess.run([*c, *paths], capture_output=True), 1)
        figures.append(
            Figure(what=f"symbols of 64 libraries ({peer})", ours=ours, unit="s", budget=0.1 * names / 109_000,
                   peer=peer, peer_value=theirs, note=f"{names:,} names")
        )  # fmt: skip
    return figures


def filters() -> list[Figure]:
    """A filter typed letter by letter over about 480,000 names: budget 50 ms a keystroke."""
    files = [FileSymbols(bytes(path), str(path), str(number)) for number, path in enumerate(largest(64))]
    names = sum(len(one) for one in files)
    index = SymbolIndex(files * max(1, round(480_000 / names)))
    worst = 0.0
    for text in _KEYSTROKES:
        begin = time.perf_counter()
        index.page(ReadSymbols(pid=1, filter=text), 0)
        worst = max(worst, time.perf_counter() - begin)
    return [
        Figure(what="symbol filter, worst keystroke", ours=worst * 1000, unit="ms", budget=50.0,
               note=f"{len(index):,} names, keys {', '.join(_KEYSTROKES)}")
    ]  # fmt: skip


MEASUREMENTS = [Measurement("files", tables), Measurement("files", filters)]
