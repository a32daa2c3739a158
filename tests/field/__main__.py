"""`python -m tests.field [--starts N] [--busy]`: start real programs, compare calls made with calls counted."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import ollama, starts


def main() -> int:
    """Print a row for each generation and way to start it; 1 when a call was missed where none may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.field", description=__doc__)
    parser.add_argument("--starts", type=int, default=3, metavar="N", help="of each generation in each way")
    parser.add_argument("--busy", action="store_true", help="with a busy loop on each processor")
    parser.add_argument("--name", default="ollama", help="of the program: another one where a server of that name runs")
    parser.add_argument("--ways", default=",".join(starts.WAYS), help="comma-separated: %(default)s")
    parser.add_argument("generations", nargs="*", default=list(ollama.GENERATIONS), metavar="GENERATION")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="inspector-field-") as folder, _hogs(options.busy):
        print(f"{'generation':12}{'way':18}{'complete':>12}{'calls made':>12}{'counted':>10}{'seconds':>9}")
        try:
            installed = ollama.prepare(Path(folder), options.generations, options.name)
        except ollama.CannotBuildError as error:
            print(f"real Ollama is left out: {error}", file=sys.stderr)
            return 0
        for one in installed:
            for way in options.ways.split(","):
                good &= _row(one, way, Path(folder), options.starts)
    return 0 if good else 1


def _row(one: ollama.Ollama, way: str, folder: Path, count: int) -> bool:
    begun = time.monotonic()
    seen = [starts.WAYS[way](one, folder) for _ in range(count)]
    complete = sum(start.complete for start in seen)
    made, counted = sum(start.made.total() for start in seen), sum(start.counted.total() for start in seen)
    version = ollama.GENERATIONS[one.name]
    seconds = time.monotonic() - begun
    print(f"{version:12}{way:18}{f'{complete} of {count}':>12}{made:12}{counted:10}{seconds:9.1f}", flush=True)
    for number, start in enumerate(seen, 1):
        if not start.complete and way != "late":
            print(f"   start {number}: {start.differences}; {start.limits}", file=sys.stderr, flush=True)
    return complete == count or way == "late"


@contextmanager
def _hogs(wanted: bool) -> Iterator[None]:
    count = os.cpu_count() or 1 if wanted else 0
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
