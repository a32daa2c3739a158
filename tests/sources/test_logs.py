"""Logs are found by themselves and followed, whatever way leads to them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.collect.access.opening import OpenPath
from inspector.collect.kernel.records import Opened
from inspector.collect.kernel.rootfs import Root
from inspector.collect.logs.line_rate_limit import LineLimiter
from inspector.collect.logs.reader import FIRST_LINES
from inspector.collect.logs.watched_lines import Marks
from inspector.collect.sources.contract import Tracked
from inspector.collect.sources.output.log_catalog import LogCatalog
from inspector.collect.sources.output.log_paths import LogPath, written
from inspector.collect.sources.output.logs import LogSource
from inspector.collect.sources.output.open_files import OpenFile
from inspector.collect.sources.path_watch import PathWatch
from inspector.stream.logs import LogChanged, LogFound, LogLine, LogRead
from inspector.stream.requests import AddLog, LogPage, Plan, ReadLog
from inspector.stream.session import EventsLost, LimitNoted, RequestFailed

from .fakes import Bench

WRITER = """
import os, sys
log = open(sys.argv[1], "ab", buffering=0)
os.write(1, b"ready\\n")
for line in sys.stdin.buffer:
    log.write(line)
    os.write(1, b"done\\n")
"""


class Writer:
    """A real process that appends what it is told to a file that it holds open."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._answer()

    @property
    def pid(self) -> int:
        return self.process.pid

    def write(self, line: bytes) -> None:
        """Returns when the line is in the file."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    one = Writer(tmp_path / "held.log")
    yield one
    one.end()


def _started(bench: Bench) -> LogSource:
    source = LogSource(bench.session)
    source.start()
    bench.loop.settle()
    return source


def _lines(bench: Bench, source: int | None = None) -> list[LogLine]:
    return [line for event in bench.sink.of(LogRead) if source in (None, event.source) for line in event.lines]


def _texts(bench: Bench, source: int | None = None) -> list[str]:
    return [line.text for line in _lines(bench, source)]


def test_a_file_that_a_process_holds_open_for_writing_is_found_and_followed(writer: Writer, tmp_path: Path) -> None:
    bench = Bench()
    writer.write(b"before\n")
    bench.tree.add(writer.pid)
    source = _started(bench)
    found = next(event for event in bench.sink.of(LogFound) if event.kind == "file")
    assert found.name == str(tmp_path / "held.log")
    assert found.why == f"open for writing by PID {writer.pid}"
    assert found.pids == [writer.pid]
    writer.write(b"after\n")
    bench.until(lambda: "after" in _texts(bench))
    backlog = {line.text: event.backlog for event in bench.sink.of(LogRead) for line in event.lines}
    assert backlog == {"before": True, "after": False}
    source.close()


def test_output_into_a_pipe_is_listed_with_the_reason_why_it_cannot_be_read(writer: Writer) -> None:
    bench = Bench()
    bench.tree.add(writer.pid)
    source = _started(bench)
    pipe = next(event for event in bench.sink.of(LogFound) if event.kind == "pipe")
    assert not pipe.readable
    assert "only by its reader" in pipe.problem
    assert source.handle(ReadLog(id=7, source=pipe.source))
    assert bench.sink.of(RequestFailed)[0].id == 7
    source.close()


def test_a_file_that_a_profile_names_is_found_when_it_appears(tmp_path: Path) -> None:
    bench = Bench(Plan(log_files=[f"{tmp_path}/shim-{{pid}}.log", f"{tmp_path}/*_called.txt"]))
    bench.tree.add(os.getpid())
    source = _started(bench)
    (tmp_path / f"shim-{os.getpid()}.log").write_text("mine\n")
    (tmp_path / "shim-1.log").write_text("of another process\n")
    (tmp_path / "count_called.txt").write_text("pid=1\n")
    bench.until(lambda: len(_texts(bench)) >= 2)
    assert sorted(_texts(bench)) == ["mine", "pid=1"]
    assert {event.backlog for event in bench.sink.of(LogRead)} == {False}
    assert all("named by a profile" in found.why for found in bench.sink.of(LogFound) if found.kind == "file")
    source.close()


def test_a_given_log_may_appear_later(tmp_path: Path) -> None:
    path = tmp_path / "later.log"
    bench = Bench(logs=[str(path)])
    source = _started(bench)
    assert bench.sink.of(LogFound)[0].problem == "no such file or directory"
    path.write_text("here\n")
    bench.until(lambda: _texts(bench) == ["here"])
    assert [found.source for found in bench.sink.of(LogFound)] == [1, 1]
    assert bench.sink.of(LogFound)[-1].readable
    source.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what others may not")
def test_a_given_log_in_a_folder_that_everybody_may_write_to_shows_what_everybody_may_read(tmp_path: Path) -> None:
    folder, secret = tmp_path / "open", tmp_path / "secret"
    folder.mkdir()
    folder.chmod(0o777)
    secret.write_text("root's own\n")
    secret.chmod(0o600)
    (folder / "app.log").symlink_to(secret)
    bench = Bench(logs=[str(folder / "app.log")])
    source = _started(bench)
    assert _texts(bench) == [] and bench.sink.of(LogFound)[-1].problem
    source.close()


def test_output_of_a_process_that_is_gone_before_it_is_opened_is_read_by_the_name_of_its_file(tmp_path: Path) -> None:
    path, bench = tmp_path / "app.out", Bench()
    path.write_bytes(b"RuntimeError: cuInit failed\n")
    catalog = LogCatalog(bench.session, PathWatch(bench.loop, bench.sink), LineLimiter(Marks([])), "journalctl")
    held = OpenPath(b"/proc/4194305/fd/1", held=True)  # no process has such a number
    catalog.file(LogPath(bytes(path), held, OpenPath(bytes(path)), "stdout of PID 4194305"))
    catalog.begin()
    bench.loop.settle()
    assert [found.readable for found in bench.sink.of(LogFound)][-1]
    assert [line.text for line in _lines(bench)] == ["RuntimeError: cuInit failed"]
    catalog.close()


def test_a_directory_given_as_a_log_is_refused_without_a_traceback(tmp_path: Path) -> None:
    bench = Bench()
    source = _started(bench)
    assert source.handle(AddLog(path=str(tmp_path)))
    bench.loop.turn()
    assert bench.sink.of(LogFound) == []
    assert "not a file" in bench.sink.of(LimitNoted)[0].why
    source.close()


def test_the_last_lines_and_earlier_marked_ones_are_sent_at_attach(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_text("".join(f"inference compute {n}\n" if n % 1000 == 0 else f"line {n}\n" for n in range(10_000)))
    bench = Bench(Plan(log_marks=["inference compute"]), logs=[str(path)])
    source = _started(bench)
    numbers = [line.number for line in _lines(bench)]
    assert numbers == [*range(0, 8000, 1000), *range(8000, 10_000)]
    assert all(event.backlog and event.lines_total == 10_000 for event in bench.sink.of(LogRead))
    source.close()


def test_a_log_of_a_process_that_is_gone_when_we_hear_of_its_open_is_followed(tmp_path: Path, writer: Writer) -> None:
    path = tmp_path / "shim.log"
    path.write_text("cuInit = 100\n")
    bench = Bench()
    pid = bench.tree.add(writer.pid).pid
    source = _started(bench)
    writer.end()
    source.opened(Opened(at=1, pid=pid, tid=pid, path=os.fsencode(path), errno=0, flags=os.O_WRONLY))
    bench.until(lambda: _texts(bench)[-1:] == ["cuInit = 100"])
    source.close()


def test_a_file_that_is_younger_than_the_program_is_read_from_its_beginning(tmp_path: Path, writer: Writer) -> None:
    path = tmp_path / "held.log"
    with path.open("ab") as file:
        file.writelines(b"line %d\n" % n for n in range(10_000))
    bench = Bench()
    bench.tree.add(writer.pid)
    source = _started(bench)
    bench.until(lambda: bool(_lines(bench)))
    found = bench.sink.of(LogFound)[-1]
    first = [*range(FIRST_LINES)] if found.born else []  # a file system may keep no times of birth
    assert [line.number for line in _lines(bench)] == [*first, *range(8000, 10_000)]
    source.close()


def test_under_a_flood_marked_lines_and_the_newest_are_sent_and_all_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "flood.log"
    path.touch()
    bench = Bench(Plan(log_marks=["CUDA error"]), logs=[str(path)])
    source = _started(bench)
    with path.open("ab") as file:
        file.writelines(b"CUDA error %d\n" % n if n % 5000 == 7 else b"line %d\n" % n for n in range(100_000))
    bench.until(lambda: any(event.lines_total == 100_000 for event in bench.sink.of(LogRead)))
    texts = _texts(bench)
    assert [text for text in texts if "error" in text] == [f"CUDA error {n}" for n in range(7, 100_000, 5000)]
    assert texts[-1] == "line 99999"
    assert len(texts) < 5_000
    numbers = [line.number for line in _lines(bench)]
    assert numbers == sorted(set(numbers))
    source.close()


def test_a_flood_of_nothing_but_marked_lines_says_what_was_left_out(tmp_path: Path) -> None:
    path = tmp_path / "flood.log"
    path.touch()
    bench = Bench(Plan(log_marks=["CUDA error"]), logs=[str(path)])
    source = _started(bench)
    path.write_bytes(b"CUDA error\n" * 50_000)
    bench.until(lambda: any(event.lines_total == 50_000 for event in bench.sink.of(LogRead)))
    assert "marked lines of" in bench.sink.of(EventsLost)[0].source
    source.close()


def test_any_part_of_a_log_can_be_paged_and_filtered(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_text("".join(f"Line {n}\n" for n in range(20_000)))
    bench = Bench(logs=[str(path)])
    source = _started(bench)
    assert source.handle(ReadLog(id=1, source=1, first=5000, limit=2))
    assert source.handle(ReadLog(id=2, source=1, first=0, limit=2, backwards=True))
    assert source.handle(ReadLog(id=3, source=1, filter="lINE 1999", limit=3))
    assert source.handle(ReadLog(id=4, source=9))
    bench.loop.settle()
    pages = {page.id: page for page in bench.sink.of(LogPage)}
    assert [line.text for line in pages[1].lines] == ["Line 5000", "Line 5001"]
    assert [line.number for line in pages[2].lines] == [19_998, 19_999]
    assert (pages[3].total, [line.number for line in pages[3].lines]) == (11, [1999, 19_990, 19_991])
    assert bench.sink.of(RequestFailed)[0].why == "there is no log 9"
    source.close()


def test_an_unterminated_line_is_sent_after_a_while_and_replaced_by_the_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "slow.log"
    path.touch()
    bench = Bench(logs=[str(path)])
    source = _started(bench)
    with path.open("ab", buffering=0) as file:
        file.write(b"waiting for ")
        bench.until(lambda: _texts(bench) == ["waiting for "])
        assert bench.sink.of(LogRead)[-1].lines_total == 1
        file.write(b"cuInit\n")
        bench.until(lambda: len(_texts(bench)) == 2)
    assert [(line.number, line.text) for line in _lines(bench)] == [(0, "waiting for "), (0, "waiting for cuInit")]
    assert bench.sink.of(LogRead)[-1].lines_total == 1
    source.close()


def test_hostile_bytes_become_harmless_text(tmp_path: Path) -> None:
    path = tmp_path / "hostile.log"
    path.write_bytes(b"\x1b]0;owned\x07 [libvgpu] \xff\x00\xe2\x80\xae\n")
    bench = Bench(logs=[str(path)])
    source = _started(bench)
    assert _texts(bench) == ["␛]0;owned␇ [libvgpu] \\xff�"]
    assert [change.what for change in bench.sink.of(LogChanged)] == ["nul-bytes"]
    source.close()


def test_a_binary_file_that_a_process_writes_is_listed_and_not_followed(writer: Writer) -> None:
    bench = Bench()
    writer.write(bytes(set(range(1, 9)) | set(range(14, 27))) + b"\n")
    bench.tree.add(writer.pid)
    source = _started(bench)
    found = next(event for event in bench.sink.of(LogFound) if event.kind == "file")
    assert not found.readable
    assert "binary" in found.problem
    assert bench.sink.of(LogRead) == []
    source.handle(AddLog(path=found.name))
    bench.loop.settle()
    assert bench.sink.of(LogFound)[-1].readable
    source.close()


def test_the_same_file_by_two_ways_is_one_source(writer: Writer, tmp_path: Path) -> None:
    bench = Bench(Plan(log_files=[f"{tmp_path}/*.log"]), logs=[str(tmp_path / "held.log")])
    bench.tree.add(writer.pid)
    source = _started(bench)
    assert {found.source for found in bench.sink.of(LogFound) if found.kind == "file"} == {1}
    source.close()


def test_a_deleted_file_is_followed_through_the_descriptor_that_holds_it(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "held.log").unlink()
    bench = Bench()
    bench.tree.add(writer.pid)
    source = _started(bench)
    writer.write(b"into the void\n")
    bench.until(lambda: "into the void" in _texts(bench))
    source.close()


def test_a_log_that_is_rotated_between_two_of_our_looks_keeps_its_name(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        status = os.fstat(file.fileno())
        seen = OpenFile(
            file.fileno(), os.fsencode(log), status.st_mode, status.st_dev, status.st_ino, flags=os.O_WRONLY
        )
        log.rename(tmp_path / "app.log.1")
        log.write_text("new\n")
        place = written(Tracked(os.getpid(), 1, 0), seen, Root(os.getpid()))
        assert place.path == os.fsencode(log)


def test_a_name_that_means_another_file_to_us_is_not_followed(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        log.unlink()
        log.write_text("of somebody else\n")
        status, target = os.fstat(file.fileno()), os.fsencode(f"{log} (deleted)")
        seen = OpenFile(file.fileno(), target, status.st_mode, status.st_dev, status.st_ino, flags=os.O_WRONLY)
        assert written(Tracked(os.getpid(), 1, 0), seen, Root(os.getpid())).path is None


def test_our_own_output_is_never_followed(tmp_path: Path) -> None:
    bench = Bench()
    with (tmp_path / "recording.jsonl").open("ab") as own:
        own.write(b"x\n")
        own.flush()
        bench.tree.add(os.getpid())
        source = _started(bench)
        source.handle(AddLog(path=str(tmp_path / "recording.jsonl")))
        bench.loop.turn()
        assert not any("recording" in found.name for found in bench.sink.of(LogFound))
    source.close()


def test_a_mark_that_is_no_regular_expression_is_said_and_the_others_work(tmp_path: Path) -> None:
    path = tmp_path / "marks.log"
    path.write_text("hello world\n")
    bench = Bench(Plan(log_marks=["(", "hello"]), logs=[str(path)])
    source = _started(bench)
    assert "not a regular expression" in bench.sink.of(LimitNoted)[0].why
    assert _texts(bench) == ["hello world"]
    source.close()
