"""Libraries that nobody could foresee, called at once after their load or a little later: is each call counted?"""

import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.collect.collector import Collector

from . import counted_starts
from .counted_starts import PLAN, Start

_STAND_INS = Path(__file__).parent / "stand_ins"
_MICROSECONDS = (0, 50, 200, 1000, 5000)
_KINDS = {"small": (0, ""), "small, on one processor": (0, "taskset -c 0 "), "61 MB": (61 << 20, "")}
"""Bytes of the library; how the program begins. On one processor all is told to one thread of the helper."""
_SOURCE = """
const char padding[1 + {size}] = {{1}};
int cuInit(unsigned flags) {{ return padding[flags] - 1; }}
"""


def run(folder: Path, count: int) -> bool:
    """A row for each kind and pause, of so many loads; whether every call was counted."""
    program = folder / "loads"
    subprocess.run(["gcc", "-O1", "-w", "-o", program, _STAND_INS / "loads.c", "-ldl"], check=True)
    counted_starts.head()
    good = True
    for name, (size, begin) in _KINDS.items():
        library = _library(folder, size)
        for pause in _MICROSECONDS:
            begun = time.monotonic()
            seen = _load_series(folder, f"{begin}{program}", library, count, pause)
            good &= counted_starts.row(f"unforeseen, {name}", f"{pause / 1000:g} ms", [seen], time.monotonic() - begun)
    return good


def _library(folder: Path, size: int) -> Path:
    (folder / "odd.c").write_text(_SOURCE.format(size=size))
    library = folder / f"odd-{size}.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, folder / "odd.c"], check=True)
    return library


def _load_series(folder: Path, program: str, library: Path, count: int, pause: int) -> Start:
    place = Path(tempfile.mkdtemp(dir=folder))
    for number in range(count):
        (place / str(number)).mkdir(parents=True)
        copy = place / str(number) / "libodd.so"
        subprocess.run(["cp", "--sparse=always", library, copy], check=True)
    (place / "where").write_text(str(place))
    shell = f"cd {place}; exec {program} {count} {pause}"
    with Collector(
        "--run", "--run-output", "null", "--", "sh", "-c", shell, plan=PLAN, environment=dict(os.environ)
    ) as collector:
        collector.finish()
        counted = counted_starts.counted(collector, ("cuda-driver",))
    subprocess.run(["rm", "-r", place], check=True)
    (pid,) = {pid for pid, _ in counted} or {0}
    return Start(Counter({(pid, "cuInit"): count}), counted)
