"""A collector that does not go on: it is said, and every way to end the viewer works all the same."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .run import COMMAND


class Viewer:
    """A trace whose collector is stopped as soon as it observes."""

    def __init__(self, *options: str) -> None:
        self.target = subprocess.Popen(["sh", "-c", "while sleep 0.2; do :; done"])
        words = [*COMMAND, "trace", str(self.target.pid), *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.collector = self._collector()
        assert self.process.stdout is not None
        self.process.stdout.readline()
        os.kill(self.collector, signal.SIGSTOP)

    def _collector(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + 30
        while not (found := children.read_text().split()):
            assert time.monotonic() < until
            time.sleep(0.01)
        return int(found[0])

    def said(self) -> bytes:
        """The first words on stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def close(self) -> None:
        self.process.kill()
        self.target.kill()
        if Path(f"/proc/{self.collector}").exists():
            os.kill(self.collector, signal.SIGKILL)
        self.target.wait()
        if self.process.returncode is None:
            self.process.communicate()


@pytest.fixture
def endless() -> Iterator[Viewer]:
    viewer = Viewer("--for", "10m")
    yield viewer
    viewer.close()


def test_a_stopped_collector_is_said_and_sigterm_ends_the_viewer(endless: Viewer) -> None:
    said = endless.said()
    assert b"the collector does not go on" in said and b"it is stopped" in said
    endless.process.send_signal(signal.SIGTERM)
    assert endless.process.wait(30) == 128 + signal.SIGTERM
    until = time.monotonic() + 30  # the kernel takes its probes away first
    while Path(f"/proc/{endless.collector}").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert endless.target.poll() is None


def test_a_collector_that_goes_on_again_is_said(endless: Viewer) -> None:
    assert b"does not go on" in endless.said()
    os.kill(endless.collector, signal.SIGCONT)
    assert b"is running again" in endless.said()


def test_the_time_is_over_although_the_collector_is_stopped() -> None:
    viewer = Viewer("--for", "4s")
    _, said = viewer.process.communicate(timeout=60)
    viewer.close()
    assert b"does not go on" in said
