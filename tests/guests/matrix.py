"""`make kernels`: what works on which kernel, as a table; each cell is a pass or a limit that is stated here.

In each guest run the doctor, demo cases of different rungs, and the live tests of the kernel's programs and of calls;
in one also those of services, under a systemd that is init.
"""

import argparse
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from . import demo_files
from .build_cache import ImageError
from .guest import Finished, GuestError, run
from .images import KERNELS

CASES = ("the-question", "healthy", "lost-in-children", "replaced-library", "lookup-failed", "no-device")
"""Of the rungs reachable, used, environment, mapped, resolved and returned."""
TESTS = (
    *(
        f"tests/kernel/test_{name}.py"
        for name in ("permissions", "refusals", "system_calls", "tree_records", "uprobes")
    ),
    "tests/calls/test_counting.py",
    "tests/stacks/test_live_stacks.py",
    "tests/calls/test_lookup_probes.py",
    "tests/calls/test_waiting.py",
    "tests/reactor/test_reactor.py",
)
"""Of these the live ones: what differs from kernel to kernel."""
SECONDS = 1500
_NICER = 3
"""Between guests that run at the same time: all of them at once fill the pauses of each other, and the longest, which
begins first, goes first, so that none is left to run alone at the end."""
_NO_IMAGE = "image"
"""The row of a kernel whose guest could not be built here."""
_SLOWER = 10
"""Software emulation against this machine."""
LIMITS: dict[tuple[str, str], str] = {}
"""(kernel, row) -> why that is not expected to work there; doctor says so on such a kernel."""
_BUILT, _CACHE = "built.tar", "/root/.cache"
_SETTINGS = f"export CI=true SLOWER={_SLOWER} PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"
_COMMAND = f"""
{_SETTINGS}
mkdir -p {_CACHE}
[ ! -e {_BUILT} ] || tar xf {_BUILT} -C {_CACHE}
COLUMNS=100 inspector doctor >$OUT/doctor.txt 2>&1; echo $? >$OUT/doctor.status
python3 -m pytest -q -m live --junitxml=$OUT/results.xml -o junit_family=xunit1 --durations=20 \\
    TESTS tests/demo/test_answers.py -k "not test_answers or CASES"
"""
_FILES = f"""
{_SETTINGS}
python3 -m pytest -q --junitxml=$OUT/files.xml -o junit_family=xunit1 tests/elf/test_predict.py \\
    -k "not test_a_predicted_load"
"""
"""What of reading files is to be compared with the loader of another processor; random layouts take too long."""
_SERVICE = f"""
{_SETTINGS}
timeout 240 python3 -m pytest -q -m live --junitxml=$OUT/service.xml -o junit_family=xunit1 \\
    tests/systemd/test_real_systemd.py
"""


@dataclass(frozen=True)
class Plan:
    """What runs on one kernel."""

    cases: tuple[str, ...] = CASES
    tests: tuple[str, ...] = TESTS
    files: bool = False
    service: bool = False
    """As a service of a systemd that is init then."""
    seconds: int = 400
    """About how long: the longest begins first."""

    @property
    def command(self) -> str:
        """Its line of shell."""
        cases = " or ".join(f"[{case}]" for case in self.cases)
        return _COMMAND.replace("TESTS", " ".join(self.tests)).replace("CASES", cases) + _FILES * self.files

    @property
    def results(self) -> list[str]:
        """The files that it leaves."""
        return ["results.xml", *["files.xml"] * self.files, *["service.xml"] * self.service]


PLANS = {
    "6.1": Plan(tests=(TESTS[0], TESTS[4], TESTS[5], *TESTS[7:]), seconds=310),
    "6.12": Plan(tests=(TESTS[0], TESTS[1], TESTS[4], TESTS[7]), service=True, seconds=300),
    "6.12-arm64": Plan(
        cases=("the-question", "healthy", "no-device"),
        tests=TESTS[0:1] + TESTS[4:7],
        files=True,
        seconds=290,
    ),
}
"""On 5.10 everything that depends on the kernel; on 6.1 what it does by other means than that (no numbers baked into
programs, programs that sleep); 6.12 does all as newer kernels do, on which all tests run."""


@dataclass(frozen=True)
class Cell:
    """One row on one kernel."""

    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    """What failed, with its last words."""
    seconds: float = 0
    """In the guest's own time."""

    def __add__(self, other: "Cell") -> "Cell":
        return Cell(
            self.passed + other.passed,
            self.skipped + other.skipped,
            self.failed + other.failed,
            self.seconds + other.seconds,
        )


Column = dict[str, Cell]
"""Row -> cell."""


def main() -> int:
    """0 when every cell is a pass or a stated limit, 3 when images could not be built, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.guests.matrix", description="what works on which kernel")
    parser.add_argument("kernels", nargs="*", default=list(KERNELS), help="series of stock kernels")
    parser.add_argument("--at-once", type=int, default=len(KERNELS), help="guests at the same time")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one may take")
    parser.add_argument("--only-service", action="store_true", help="what runs under a systemd that is init, alone")
    parser.add_argument("--again", action="store_true", help="try once more, alone, the kernels with faults")
    words = parser.parse_args()
    began = time.monotonic()
    order = sorted(words.kernels, key=lambda kernel: -_plan(kernel).seconds)
    with tempfile.TemporaryDirectory(prefix="kernel-matrix-") as name:
        demo = demo_files.DemoFiles(CASES, Path(name))
        look = partial(_column, demo, words.seconds, only_service=words.only_service)
        with ThreadPoolExecutor(words.at_once) as pool:
            found = dict(zip(order, pool.map(look, order, count(0, _NICER)), strict=True))
        for kernel in [each for each in order if faults(each, found[each])] if words.again else []:
            print(f"{kernel} once more: {'; '.join(faults(kernel, found[kernel]))}", flush=True)
            found[kernel] = look(kernel, 0)
    columns = {kernel: found[kernel] for kernel in words.kernels}
    print(table(columns))
    wrong = [f"{kernel}: {why}" for kernel, column in columns.items() for why in faults(kernel, column)]
    print("\n".join(wrong), file=sys.stderr)
    passed = sum(cell.passed for column in columns.values() for cell in column.values())
    print(f"{time.monotonic() - began:.0f} s\n{passed} passed, {len(wrong)} failed")
    unbuilt = [kernel for kernel, column in columns.items() if _NO_IMAGE in column]
    return 3 if unbuilt and len(unbuilt) == len(wrong) else 1 if wrong else 0


def table(columns: dict[str, Column]) -> str:
    """Kernels beside each other, one row a line."""
    rows = sorted({row for column in columns.values() for row in column})
    width = max(map(len, rows), default=0)
    lines = [f"{'':{width}}  " + "".join(f"{kernel:>20}" for kernel in columns)]
    for row in rows:
        shown = (_shown(kernel, row, column.get(row)) for kernel, column in columns.items())
        lines.append(f"{row:{width}}  " + "".join(f"{text:>20}" for text in shown))
    limits = [f"limit on {kernel}, {row}: {why}" for (kernel, row), why in LIMITS.items() if kernel in columns]
    return "\n".join([*lines, *limits])


def faults(kernel: str, column: Column) -> list[str]:
    """What is neither a pass nor a stated limit."""
    return [f"{row}: {why}" for row, cell in column.items() if (kernel, row) not in LIMITS for why in cell.failed]


def read(results: bytes) -> Column:
    """Cells of what pytest wrote (JUnit's XML): demo cases are rows of their own, other tests are rows by file."""
    column: Column = {}
    for case in ElementTree.fromstring(results).iter("testcase"):
        name, file = case.get("name", ""), case.get("classname", "").rpartition(".")[2]
        row = f"case {name.partition('[')[2].rstrip(']')}" if file == "test_answers" else file
        seconds = float(case.get("time", 0))
        trouble = next((each for each in case if each.tag in ("failure", "error")), None)
        if trouble is not None:
            words = f"{name}: {trouble.get('message', '')}".splitlines()[0][:300]
            cell = Cell(failed=(words,), seconds=seconds)
        elif case.find("skipped") is not None:
            cell = Cell(skipped=1, seconds=seconds)
        else:
            cell = Cell(passed=1, seconds=seconds)
        column[row] = column.get(row, Cell()) + cell
    return column


def _shown(kernel: str, row: str, cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.failed:
        return "limit" if (kernel, row) in LIMITS else f"{len(cell.failed)} FAILED"
    words = "pass" if row.startswith("case ") and cell.passed else f"{cell.passed} pass"
    words += f" {cell.skipped} skip" if cell.skipped else ""
    return words + (f" {cell.seconds:.0f} s" if cell.seconds >= 1 else "")


def _plan(kernel: str) -> Plan:
    return PLANS.get(kernel, Plan())


def _column(
    demo: demo_files.DemoFiles, seconds: float, kernel: str, niceness: int, only_service: bool = False
) -> Column:
    plan = _plan(kernel)
    with tempfile.TemporaryDirectory(prefix="kernel-matrix-") as name:
        out, built = Path(name), demo.archive(KERNELS[kernel].processor)
        extra = {_BUILT: built} if built is not None else {}
        command = "true" if only_service else plan.command
        try:
            finished = run(
                kernel,
                command,
                seconds=seconds,
                out=out,
                extra=extra,
                service=_SERVICE * (plan.service or only_service),
                niceness=niceness,
            )
        except (GuestError, ImageError) as error:
            return {_NO_IMAGE if isinstance(error, ImageError) else "guest": Cell(failed=(str(error),))}
        print(f"== {kernel}: {finished.seconds:.0f} s\n{_text(out / 'doctor.txt')}", flush=True)
        if only_service:
            return _results(out / "service.xml", finished)
        column = {"doctor": _doctor(out)}
        for file in plan.results:
            column |= _results(out / file, finished)
        return column


def _doctor(out: Path) -> Cell:
    text, status = _text(out / "doctor.txt"), _text(out / "doctor.status").strip()
    wrong = [word for word in ("Traceback", "sudo inspector", "R1 type=", "invalid func") if word in text]
    if status != "0" or wrong or "count-calls" not in text:
        return Cell(failed=(f"status {status}, words that no user should see: {wrong}",))
    return Cell(passed=1)


def _results(path: Path, finished: Finished) -> Column:
    if not path.exists():
        return {path.stem: Cell(failed=(f"no results; the last words:\n{finished.output[-2000:]}",))}
    return read(path.read_bytes())


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
