"""What a process waits for, told from outside, without a touch of the files that it waits for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector.stream.waiting import state_of, waits_for


@pytest.fixture
def start() -> Iterator[Callable[[str], int]]:
    """Starts Python code; its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def run(code: str) -> int:
        process = subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE)
        started.append(process)
        return process.pid

    yield run
    for process in started:
        process.kill()
        process.communicate()


def until(pid: int, words: str) -> str:
    end = time.monotonic() + 20
    while words not in (said := waits_for(pid)) and time.monotonic() < end:
        time.sleep(0.01)
    return said


def test_a_file_that_does_not_open_is_told_by_its_path(start: Callable[[str], int], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dead\x1b[31m")
    pid = start(f"import os; os.open({str(tmp_path / 'dead')!r} + chr(27) + '[31m', os.O_RDONLY)")
    assert until(pid, "opening") == f"opening {tmp_path}/dead␛[31m"


def test_a_pipe_that_nobody_fills_is_told_by_its_name(start: Callable[[str], int]) -> None:
    assert until(start("import os; os.read(0, 1)"), "reading pipe:").startswith("reading pipe:[")


def test_waiting_for_time_events_and_children_is_rest(start: Callable[[str], int]) -> None:
    code = "import os, select, time\nif not os.fork(): select.epoll().poll()\nelif not os.fork(): time.sleep(60)"
    code += "\nos.wait()"
    pid = start(code)
    children = Path(f"/proc/{pid}/task/{pid}/children")
    end = time.monotonic() + 20
    while len(found := children.read_text().split()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.2)
    assert [waits_for(each) for each in (pid, *map(int, found))] == ["", "", ""]
    for each in found:
        os.kill(int(each), signal.SIGKILL)


def test_a_stopped_process_waits_for_somebody_to_continue_it(start: Callable[[str], int]) -> None:
    pid = start("import time; time.sleep(60)")
    os.kill(pid, signal.SIGSTOP)
    assert "it is stopped" in until(pid, "stopped")


def test_a_process_that_runs_or_is_gone_waits_for_nothing() -> None:
    assert (waits_for(os.getpid()), state_of(os.getpid())) == ("", "R")
    assert (waits_for(2**22 + 1), state_of(2**22 + 1)) == ("", "")
