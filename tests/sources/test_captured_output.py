"""Output that nobody can read a second time: its first lines are told as the kernel saw them written."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.kernel.records import Written
from inspector.collect.sources.contract import Tracked
from inspector.collect.sources.output.captured_output import CapturedOutputFeed, first_lines
from inspector.collect.sources.output.logs import LogSource
from inspector.stream.logs import LogFound, LogRead, WritesSeen
from inspector.stream.requests import LogPage, Plan, ReadLog

from .fakes import Bench


@pytest.fixture
def piped() -> Iterator["subprocess.Popen[bytes]"]:
    """A sleeping process with a pipe for stdout and the null device for stderr."""
    command = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def lines(bench: Bench, source: int) -> dict[int, tuple[str, int]]:
    told = [line for event in bench.sink.of(LogRead) if event.source == source for line in event.lines]
    return {line.number: (line.text, line.pid) for line in told}


def test_what_goes_into_a_pipe_and_to_nobody_is_told_line_by_line_with_its_writer(
    piped: "subprocess.Popen[bytes]",
) -> None:
    bench = Bench()
    bench.tree.add(piped.pid)
    source = LogSource(bench.session)
    source.start()
    source.written(Written(piped.pid, 1, 1, 9, 0, b"using CPU"))
    source.written(Written(piped.pid, 1, 2, 20, 0, b"using CPU only\nend\n"))
    source.written(Written(piped.pid, 2, 1, 7, 0, b"panic: "))
    named = {found.name.partition(" of ")[0]: found.source for found in bench.sink.of(LogFound)}
    assert lines(bench, named["stdout"]) == {0: ("using CPU only", piped.pid), 1: ("end", piped.pid)}
    assert lines(bench, named["stderr"]) == {0: ("panic: ", piped.pid)}
    assert source.handle(ReadLog(id=7, source=named["stdout"], filter="END"))
    assert [line.text for line in bench.sink.of(LogPage)[-1].lines] == ["end"]
    source.close()


def test_of_a_process_that_was_gone_too_soon_decisive_lines_are_told_all_the_same(
    piped: "subprocess.Popen[bytes]",
) -> None:
    bench = Bench(Plan(log_marks=["no GPU found"]))
    bench.tree.add(piped.pid)
    source = LogSource(bench.session)
    source.start()
    bench.tree.tracked[2**22 + 5] = Tracked(pid=2**22 + 5, ppid=piped.pid, started=0, alive=False)
    source.written(Written(2**22 + 5, 2, 1, 9, 0, b"/usr/bin/x\nno GPU found\n"))
    found = bench.sink.of(LogFound)[-1]
    assert found.name.startswith("output of processes that ended")
    assert lines(bench, found.source) == {0: ("no GPU found", 2**22 + 5)}
    source.close()


def test_of_what_strangers_write_nothing_is_told(piped: "subprocess.Popen[bytes]") -> None:
    """While a program is waited for, every program that begins is counted until its name is known."""
    bench = Bench(Plan(log_marks=["no GPU found"]))
    bench.tree.add(piped.pid)
    source = LogSource(bench.session)
    source.start()
    source.written(Written(2**22 + 5, 2, 1, 9, 0, b"/usr/bin/x\nno GPU found\n"))
    assert bench.sink.of(WritesSeen) == []
    source.close()


def test_the_same_count_is_told_once(piped: "subprocess.Popen[bytes]") -> None:
    bench = Bench()
    bench.tree.add(piped.pid)
    source = LogSource(bench.session)
    source.start()
    for _ in range(3):
        source.written(Written(piped.pid, 1, 4, 9, 0, b"x\n"))
    assert [(event.writes, event.sample) for event in bench.sink.of(WritesSeen)] == [(4, [])]
    source.close()


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_whatever_grows_keeps_its_lines_in_order(pieces: list[bytes]) -> None:
    bench = Bench()
    feed = CapturedOutputFeed(bench.session, 1)
    whole = b""
    for piece in pieces:
        whole += piece
        feed.add(812, 2, whole)
    assert [text for text, _ in lines(bench, 1).values()] == first_lines(whole)
