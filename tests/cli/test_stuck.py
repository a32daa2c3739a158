"""A collector that does not go on: it is said, and every way to end the viewer works all the same."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .run import COMMAND

_SLOW = 1.5
"""Seconds that a busy machine may add."""


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
    assert b"the collector is stuck" in said and b"it is stopped" in said
    endless.process.send_signal(signal.SIGTERM)
    assert endless.process.wait(30) == 128 + signal.SIGTERM
    until = time.monotonic() + 30  # the kernel takes its probes away first
    while Path(f"/proc/{endless.collector}").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert endless.target.poll() is None


@pytest.mark.longer
def test_a_collector_that_goes_on_again_is_said(endless: Viewer) -> None:
    assert b"is stuck" in endless.said()
    os.kill(endless.collector, signal.SIGCONT)
    assert b"is running again" in endless.said()


@pytest.mark.longer
def test_the_time_is_over_although_the_collector_is_stopped() -> None:
    viewer = Viewer("--for", "4s")
    _, said = viewer.process.communicate(timeout=60)
    viewer.close()
    assert b"is stuck" in said or b"cannot be stopped" in said  # on a full machine the time is over before the silence


@pytest.mark.longer
def test_a_program_goes_on_when_the_collector_that_started_it_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    words = ["report", "--for", "10m", "--", "sh", "-c", f"echo $$ > {mark}; exec sleep 600"]
    viewer = subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not mark.exists() or not mark.read_text().strip():
        assert time.monotonic() < until
        time.sleep(0.05)
    program = int(mark.read_text())
    collector = int(Path(f"/proc/{viewer.pid}/task/{viewer.pid}/children").read_text().split()[0])
    os.kill(collector, signal.SIGSTOP)
    os.kill(collector, signal.SIGKILL)
    viewer.wait(60)
    try:
        assert _lives(program)
    finally:
        os.kill(program, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_q_ends_the_screen_within_a_second_of_a_collector_that_is_stuck() -> None:
    target = subprocess.Popen(["sleep", "600"])
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(COMMAND[0], [*COMMAND, str(target.pid)])
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        _read_until(terminal, b"sleep", 60)
        collector = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        os.kill(collector, signal.SIGSTOP)
        time.sleep(0.5)
        begun = time.monotonic()
        os.write(terminal, b"q")
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            assert time.monotonic() < begun + 30
            if select.select([terminal], [], [], 0.02)[0]:
                with suppress(OSError):
                    os.read(terminal, 1 << 16)
        took = time.monotonic() - begun
        assert took < 1.0 + _SLOW, f"{took:.1f} s"
    finally:
        target.kill()
        target.wait()
        os.close(terminal)


def _read_until(terminal: int, words: bytes, seconds: float) -> None:
    seen, until = b"", time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < until, seen[-300:]
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 1 << 16)
