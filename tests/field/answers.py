"""Real answers about cases: each case is started, waited for or attached to by `inspector report`, and judged."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import small, small_build
from .expected import Expected, faults

_SECONDS = 25.0
"""At most: what is started ends before, on a busy machine later than on an idle one."""
_BEFORE_ATTACHING = 2.0
_PATIENCE = 90.0
_SIDE_BY_SIDE = 3
_REPORT = (sys.executable, "-m", "inspector", "report", "--format", "json")


@dataclass(frozen=True)
class Judged:
    """One answer."""

    case: str
    way: str
    faults: list[str]


@dataclass(frozen=True)
class Job:
    """One case in one way, to be asked about."""

    case: str
    way: str
    expected: Expected
    ask: Callable[[], bytes]

    def judge(self) -> Judged:
        """Run it, and once more where it was wrong: a busy machine loses records, a fault stays."""
        found = faults(self.expected, self.ask())
        if found:
            found = faults(self.expected, self.ask())
        return Judged(self.case, self.way, found)


def judge(jobs: Sequence[Job], at_once: int = _SIDE_BY_SIDE) -> Iterator[Judged]:
    """Several side by side: most of the time is waiting."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(Job.judge, jobs)


def small_jobs(folder: Path) -> list[Job]:
    """Every small case."""
    small_build.build(folder)
    return [Job(case.name, "attached" if case.attached else "started", case.expected, _asking(case, folder))
            for case in small.CASES]  # fmt: skip


def _asking(case: small.Small, folder: Path) -> Callable[[], bytes]:
    script = ["sh", "-c", f"export LD_LIBRARY_PATH=$D/real; {case.script}"]
    settings = {"D": str(folder)}
    if case.attached:
        return lambda: attached(script, settings, _BEFORE_ATTACHING)
    return lambda: started(script, settings)


def started(command: Sequence[str], settings: dict[str, str], seconds: float = _SECONDS) -> bytes:
    """The report of a command that it starts."""
    return _run([f"--for={seconds:g}s", "--", *command], settings)


def attached(command: Sequence[str], settings: dict[str, str], before: float, seconds: float = 7.0) -> bytes:
    """The report of a process that has been running for a while."""
    with running(command, settings) as process:
        time.sleep(before)
        return _run([f"--for={seconds:g}s", str(process.pid)], {})


def waited(target: str, command: Sequence[str], settings: dict[str, str], seconds: float = _SECONDS) -> bytes:
    """The report of a program that was waited for."""
    words = [*_REPORT, f"--for={seconds:g}s", "--wait", target]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as report:
        assert report.stderr is not None
        for line in report.stderr:
            if b"waiting for" in line:
                break
        with running(command, settings):
            return report.communicate(timeout=_PATIENCE)[0]


@contextmanager
def running(command: Sequence[str], settings: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process group of its own, ended with the context."""
    with tempfile.NamedTemporaryFile(suffix=".log") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _run(words: Sequence[str], settings: dict[str, str]) -> bytes:
    environment = {**os.environ, **settings}
    done = subprocess.run([*_REPORT, *words], env=environment, capture_output=True, timeout=_PATIENCE)
    return done.stdout or done.stderr
