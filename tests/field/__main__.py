"""`python -m tests.field`: start real programs, compare calls made with calls counted, judge the answers."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import answers, counted_starts, ollama, ollama_cases, unforeseen, wheels

PARTS = ("starts", "unforeseen", "small", "ollama", "wheels")


def main() -> int:
    """Print a row for each kind of start and each case; 1 when a call was missed or an answer is wrong."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="inspector-field-") as name, _hogs(options.busy):
        folder = Path(name)
        folder.chmod(0o755)
        parts: dict[str, Callable[[], bool]] = {
            "starts": lambda: _run_starts(options, folder),
            "unforeseen": lambda: unforeseen.run(_made(folder / "unforeseen"), options.starts * 10),
            "small": lambda: _answers("small programs", answers.small_jobs(_made(folder / "small")), options.at_once),
            "ollama": lambda: _ollama(options, folder),
            "wheels": lambda: wheels.run(folder, options.starts, everything=options.wheels),
        }
        good = [parts[part]() for part in options.parts.split(",")]
    return 0 if all(good) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.field", description=__doc__)
    parser.add_argument("--starts", type=int, default=3, metavar="N", help="of each kind that calls are counted of")
    parser.add_argument("--busy", action="store_true", help="with a busy loop on each processor")
    parser.add_argument("--name", default="ollama", help="of the program: another one where a server of that name runs")
    parser.add_argument("--ways", default=",".join(counted_starts.WAYS), help="comma-separated: %(default)s")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated: %(default)s")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="cases that are asked about side by side")
    parser.add_argument("--wheels", action="store_true", help="every wheel layout, 5 GB of downloads; else a few")
    parser.add_argument("--installed", type=Path, metavar="FOLDER", help="where real Ollama is ready; else it is built")
    parser.add_argument("--tell", action="store_true", help="what the answer would be after each start")
    parser.add_argument("generations", nargs="*", default=list(ollama.GENERATIONS), metavar="GENERATION")
    return parser.parse_args()


def _installed(options: argparse.Namespace, folder: Path) -> list[ollama.Ollama]:
    if options.installed:
        return ollama.prepared(options.installed.absolute(), options.generations, options.name)
    try:
        return ollama.prepare(_made(folder), options.generations, options.name)
    except ollama.CannotBuildError as error:
        print(f"real Ollama is left out: {error}", file=sys.stderr)
        return []


def _run_starts(options: argparse.Namespace, folder: Path) -> bool:
    good = True
    counted_starts.head()
    for one in _installed(options, folder / "starts"):
        for way in options.ways.split(","):
            begun = time.monotonic()
            seen = [counted_starts.WAYS[way](one, folder) for _ in range(options.starts)]
            version = ollama.GENERATIONS[one.name]
            good &= counted_starts.row(version, way, seen, time.monotonic() - begun) or way == "late"
            if options.tell:
                print("".join(f"   {start.answer}\n" for start in seen), end="", flush=True)
    return good


def _ollama(options: argparse.Namespace, folder: Path) -> bool:
    installed = _installed(options, folder / "installed")
    jobs = list(ollama_cases.jobs(installed, _made(folder / "cases")))
    return _answers("real Ollama", jobs, options.at_once)


def _answers(title: str, jobs: Iterable[answers.Job], at_once: int) -> bool:
    """A line for each answer that is wrong, and their number."""
    begun, wrong, count = time.monotonic(), 0, 0
    for judged in answers.judge(list(jobs), at_once):
        count += 1
        wrong += bool(judged.faults)
        for fault in judged.faults:
            print(f"   {judged.case}, {judged.way}: {fault}", flush=True)
    print(f"{title}: {count - wrong} of {count} answers are right, {time.monotonic() - begun:.0f} s", flush=True)
    return not wrong


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


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
