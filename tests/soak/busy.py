"""A tree that is as busy as its budget says, under observation, and what observing it costs from second to second."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.targets import program
from tests.bench.usage import cpu_seconds, family, resident_megabytes

BIRTHS, LINES, CALLS = 100, 5_000, 50_000
"""A second."""
_CUT_SECONDS = 120.0
"""The log is cut so often, as by copytruncate, that no disk fills."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What both processes hold and took, at one moment."""

    seconds: float
    """Since the observation began."""
    viewer: float
    """MB, pages that are shared by halves."""
    collector: float
    cpu: float
    """Percent of one processor, both together, since the sample before."""

    @property
    def together(self) -> float:
        """MB of both."""
        return self.viewer + self.collector

    def __str__(self) -> str:
        return f"{self.seconds:7.0f} s {self.viewer:7.0f} + {self.collector:5.0f} MB {self.cpu:5.0f} %"


@contextlib.contextmanager
def tree(folder: Path) -> Iterator[int]:
    """The pid of a shell whose children are born, write lines and call without end."""
    made, log = program(), folder / "busy.log"
    words = f"{made} logs {LINES} {log} & {made} calls {CALLS} >/dev/null & {made} births {BIRTHS} & wait"
    shell = subprocess.Popen(["sh", "-c", words], stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield shell.pid
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def observe(pid: int, folder: Path, seconds: float, every: float) -> Iterator[Sample]:
    """Samples while `inspector report` watches; its report lies in `folder` afterwards."""
    words = [sys.executable, "-m", "inspector", "report", str(pid), "--for", f"{seconds:.0f}s", "--format", "json"]
    log = folder / "busy.log"
    with subprocess.Popen([*words, "-o", str(folder / "report.json")], stderr=subprocess.DEVNULL) as viewer:
        begun = before = cut = time.monotonic()
        used = 0.0
        while viewer.poll() is None:
            time.sleep(every)
            ours = family(viewer.pid)
            now = time.monotonic()
            if len(ours) > 1 and now - begun < seconds:
                total = cpu_seconds(ours)
                cpu = 100 * (total - used) / (now - before)
                yield Sample(now - begun, resident_megabytes(ours[:1]), resident_megabytes(ours[1:]), cpu)
                used, before = total, now
            if now - cut > _CUT_SECONDS:
                os.truncate(log, 0)
                cut = now
