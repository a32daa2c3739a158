"""Logs under the collector's real loop: floods with rotation, file trees of other mount namespaces, readers gone."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector.collect.loop import CollectorLoop
from inspector.collect.sources.contract import Session
from inspector.collect.sources.output.logs import LogSource
from inspector.stream.logs import LogFound, LogRead
from inspector.stream.requests import Configure, LogPage, Plan, ReadLog, StopSearch

from .fakes import FakeTree, FakeWriter


class Live:
    """A log source in a running loop."""

    def __init__(self, plan: Plan, logs: list[str], pids: list[int]) -> None:
        self.faults: list[str] = []
        self.sink = FakeWriter()
        self.tree = FakeTree()
        self.loop = CollectorLoop(lambda what, error: self.faults.append(f"{what}: {error!r}"))
        for pid in pids:
            self.tree.add(pid)
        session = Session(self.loop, self.sink, self.tree, Configure(plan=plan, logs=logs))
        self.source = LogSource(session)
        self.loop.soon(self.source.start)
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1500):
            if condition() or self.faults:
                break
            time.sleep(0.01)
        assert self.faults == []
        assert condition(), self.sink.events[-3:]

    @property
    def total(self) -> int:
        """Lines of all sources."""
        totals = {event.source: event.lines_total for event in self.sink.of(LogRead)}
        return sum(totals.values())

    def ask(self, request: ReadLog | StopSearch) -> None:
        """From the loop's thread, as requests come."""

        def handle() -> None:
            assert self.source.handle(request)

        self.loop.soon(handle)

    def end(self) -> None:
        self.loop.stop()
        self._thread.join()
        self.source.close()


@pytest.fixture
def lives() -> Iterator[list[Live]]:
    started: list[Live] = []
    yield started
    for live in started:
        live.end()
        assert live.faults == []


def test_a_flood_with_rotation_is_counted_exactly_and_pages_stay_right(lives: list[Live], tmp_path: Path) -> None:
    path = tmp_path / "flood.log"
    path.touch()
    live = Live(Plan(log_marks=["CUDA error"]), [str(path)], [])
    lives.append(live)
    live.until(lambda: bool(live.sink.of(LogFound)))
    for turn in range(5):
        with path.open("ab") as file:
            for number in range(turn * 40_000, (turn + 1) * 40_000):
                file.write(b"CUDA error %d\n" % number if number % 10_000 == 1 else b"line %d\n" % number)
        path.rename(path.with_name(f"flood.log.{turn}"))
        path.touch()
        live.ask(ReadLog(id=1, source=1, filter="line 19", limit=5))
    path.write_text("end\n")
    live.until(lambda: live.total == 200_001)
    marked = {line.number for event in live.sink.of(LogRead) for line in event.lines if "CUDA error" in line.text}
    assert marked == set(range(1, 200_000, 10_000))
    live.ask(ReadLog(id=2, source=1, first=159_999, limit=2))
    live.until(lambda: any(page.id == 2 for page in live.sink.of(LogPage)))
    page = next(page for page in live.sink.of(LogPage) if page.id == 2)
    assert [(line.number, line.text) for line in page.lines] == [(159_999, "line 159999"), (160_000, "line 160000")]


def test_a_search_that_was_let_go_delays_no_other(lives: list[Live], tmp_path: Path) -> None:
    path = tmp_path / "big.log"
    path.write_bytes(b"".join(b"line %d of a flood\n" % number for number in range(300_000)))
    live = Live(Plan(), [str(path)], [])
    lives.append(live)
    live.until(lambda: live.total == 300_000)
    for number in range(1, 21):
        live.ask(ReadLog(id=number, source=1, filter=f".[{number % 10}]+x", limit=5))
        live.ask(StopSearch(id=100 + number, search=number))
    live.ask(ReadLog(id=50, source=1, filter="line 299999", limit=5))
    live.until(lambda: any(page.id == 50 and page.complete for page in live.sink.of(LogPage)))
    assert not [page for page in live.sink.of(LogPage) if page.id < 50 and page.complete]
    pages = [page for page in live.sink.of(LogPage) if page.id == 50]
    assert [line.number for line in pages[-1].lines] == [299_999] and pages[-1].searched == 300_000


def test_lines_written_just_before_the_end_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "last.log"
    path.touch()
    live = Live(Plan(), [str(path)], [])
    live.until(lambda: bool(live.sink.of(LogFound)))
    live.loop.stop()
    live._thread.join()
    path.write_bytes(b"line\n" * 200_000 + b"last words\n")
    live.source.close()
    assert live.total == 200_001
    assert live.sink.of(LogRead)[-1].lines[-1].text == "last words"


INSIDE = """
set -e
mount -t tmpfs private /tmp
echo hidden from the outside > /tmp/vgpu_$$.log
echo inside > "$1"
ln -s "$1" /tmp/vgpu_link.log
echo ready
read line
echo more >> /tmp/vgpu_$$.log
echo done
read line
"""


@pytest.fixture
def outside() -> Iterator[Path]:
    """A file in our /tmp whose name the process uses in its own."""
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        file.write(b"outside\n")
        file.flush()
        yield Path(file.name)


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root for a mount namespace")
def test_a_log_in_the_private_tmp_of_a_process_is_followed_and_its_links_stay_inside(
    lives: list[Live], outside: Path
) -> None:
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", INSIDE, "sh", str(outside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    live = Live(Plan(log_files=["/tmp/vgpu_{pid}.log", "/tmp/vgpu_link.log"]), [], [process.pid])
    lives.append(live)
    name = f"/tmp/vgpu_{process.pid}.log"
    live.until(lambda: any(found.name == name for found in live.sink.of(LogFound)))
    process.stdin.write(b"\n")
    assert process.stdout.readline() == b"done\n"
    live.until(lambda: live.total >= 3)
    process.kill()
    process.communicate()
    texts = [line.text for event in live.sink.of(LogRead) for line in event.lines]
    assert sorted(texts) == ["hidden from the outside", "inside", "more"]
    assert not Path(name).exists()


HEIR = """
mount -t tmpfs private /tmp
echo first > /tmp/vgpu_a.log
exec 3<&0
(read go; mv /tmp/vgpu_a.log /tmp/vgpu_a.log.1; echo second > /tmp/vgpu_a.log; echo done; read go) <&3 &
echo $!
exec sleep 600
"""


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root for a mount namespace")
def test_a_rotation_is_seen_through_another_process_when_the_first_one_has_ended(lives: list[Live]) -> None:
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", HEIR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    heir = int(process.stdout.readline())
    live = Live(Plan(log_files=["/tmp/vgpu_a.log"]), [], [process.pid, heir])
    lives.append(live)
    live.until(lambda: live.total == 1)
    process.kill()
    process.wait()
    live.loop.soon(lambda: live.tree.end(process.pid))
    process.stdin.write(b"\n")
    assert process.stdout.readline() == b"done\n"
    live.until(lambda: live.total == 2)
    process.stdin.close()
    process.stdout.close()
    assert [line.text for event in live.sink.of(LogRead) for line in event.lines] == ["first", "second"]
