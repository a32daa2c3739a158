"""A followed file: each line once, in order, whatever happens to the file."""

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from inspector.collect.logs.generation import LINE_LIMIT, Generation
from inspector.collect.logs.tail import Change, FileTail

from .lines import Drain, follow


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.touch()
    return path


def _append(path: Path, text: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(text)


def test_lines_come_once_with_their_numbers(log: Path) -> None:
    seen = Drain(follow(log)).now()
    _append(log, b"one\ntwo\n")
    seen.now()
    _append(log, b"three\n")
    seen.now()
    assert seen.lines == [b"one", b"two", b"three"]
    assert seen.numbers == [0, 1, 2]
    assert seen.tail.bytes_total == 14


def test_a_file_that_turns_out_to_hold_binary_data_is_let_go(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41")
    seen.now()
    _append(log, bytes(range(1, 256)) * 16 + b"\n")
    seen.now()
    _append(log, b"[libvgpu-cuda] cuInit() CALLED\n")
    seen.now()
    assert seen.lines == []
    assert seen.tail.binary


def test_an_unterminated_line_waits_for_its_newline(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"half ")
    seen.now()
    assert (seen.lines, seen.tail.held) == ([], b"half ")
    _append(log, b"line\nnext")
    seen.now()
    assert seen.lines == [b"half line"]
    assert seen.tail.held == b"next"


def test_a_renamed_log_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"old 0\n")
    seen.now()
    old = log.rename(log.with_name("server.log.1"))
    log.touch()
    _append(old, b"old 1\n")
    seen.now()
    _append(old, b"old 2\n")
    _append(log, b"new 3\n")
    seen.now()
    assert seen.lines == [b"old 0", b"old 1", b"old 2", b"new 3"]
    assert seen.numbers == [0, 1, 2, 3]
    assert seen.what == ["rotated"]


def test_a_writer_that_has_not_noticed_the_rotation_loses_nothing(log: Path) -> None:
    seen = Drain(follow(log))
    with log.open("ab", buffering=0) as late:
        late.write(b"old\n")
        seen.now()
        log.rename(log.with_name("server.log.1"))
        _append(log, b"new 1\n")
        seen.now()
        late.write(b"late\n")
        seen.now()
        _append(log, b"new 2\n")
        seen.now()
    assert seen.lines == [b"old", b"new 1", b"late", b"new 2"]
    assert seen.tail.page(0, 10) == list(enumerate(seen.lines))


def test_files_that_came_and_went_between_two_looks_are_read_too(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"first\n")
    seen.now()
    for number in range(4):
        for older in range(number, 0, -1):
            log.with_name(f"server.log.{older}").rename(log.with_name(f"server.log.{older + 1}"))
        log.rename(log.with_name("server.log.1"))
        _append(log, b"line %d\n" % number)
    seen.now()
    assert seen.lines == [b"first", b"line 0", b"line 1", b"line 2", b"line 3"]


def test_a_copy_beside_the_log_is_not_taken_for_a_part_of_it(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"one\n")
    seen.now()
    log.with_name("server.log.1").write_bytes(b"one\n")
    seen.now()
    log.rename(log.with_name("server.log.2"))
    _append(log, b"two\n")
    seen.now()
    assert seen.lines == [b"one", b"two"]


def test_an_unterminated_line_at_a_rotation_is_a_line(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"cut")
    seen.now()
    log.rename(log.with_name("server.log.1"))
    _append(log, b"whole\n")
    seen.now()
    assert seen.lines == [b"cut", b"whole"]
    assert seen.tail.page(0, 10) == [(0, b"cut"), (1, b"whole")]


def test_a_truncated_log_is_told_and_read_from_its_beginning(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"before\n" * 10)
    seen.now()
    os.truncate(log, 0)
    _append(log, b"after\n")
    seen.now()
    assert seen.lines[10:] == [b"after"]
    assert seen.numbers[-1] == 10
    assert seen.what == ["truncated"]


def test_lines_that_were_copied_before_the_cut_are_read_from_the_copy_and_can_be_paged(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"one\ntw")
    seen.now()
    _append(log, b"o\nthree\n")
    shutil.copy(log, log.with_name("server.log.1"))
    os.truncate(log, 0)
    _append(log, b"four\n")
    seen.now()
    assert seen.lines == [b"one", b"two", b"three", b"four"]
    assert seen.tail.page(0, 10) == list(enumerate(seen.lines))
    assert seen.what == ["truncated"]
    assert "8 bytes read from there" in seen.changes[0].detail


def test_another_file_beside_it_is_not_taken_for_a_copy_of_what_was_cut(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"one\n")
    seen.now()
    log.with_name("server.log.1").write_bytes(b"another\nfile of that name\n")
    os.truncate(log, 0)
    seen.now()
    assert seen.lines == [b"one"]
    assert "lost, unread" in seen.changes[0].detail


def _busy_writer(log: Path, stop: threading.Event, written: list[int]) -> None:
    """Some 5,000 lines a second, each in one write at the end of whatever has the name."""
    fd, number = os.open(log, os.O_WRONLY | os.O_APPEND), 0
    while not stop.is_set():
        for _ in range(10):
            if number % 50 == 0:
                os.close(fd)
                fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, b"line %d\n" % number)
            number += 1
        time.sleep(0.002)
    os.close(fd)
    written.append(number)


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_200_rotations_under_5000_lines_a_second_double_none_and_say_where_lines_are_missing(
    log: Path, how: str
) -> None:
    seen, stop, written, copied = Drain(follow(log)), threading.Event(), list[int](), set[bytes]()
    writer = threading.Thread(target=_busy_writer, args=(log, stop, written))
    writer.start()
    for _ in range(200):
        seen.now()
        while not seen.tail.current.position:  # of whom nothing was read nobody can tell that it was cut
            time.sleep(0.005)
            seen.now()
        time.sleep(0.002)
        if how == "rename":
            log.rename(log.with_name("server.log.1"))
            log.touch()
            continue
        log.with_name("server.log.1").unlink(missing_ok=True)
        copy = log.read_bytes()
        log.with_name("server.log.1").write_bytes(copy)
        copied.update(copy.splitlines())
        os.truncate(log, 0)
        seen.now()
    stop.set()
    writer.join()
    seen.now()
    numbers = [int(line.split()[1]) for line in seen.lines if line]
    assert numbers == sorted(set(numbers)), "none is doubled, none is out of order"
    missing = set(range(written[0])) - set(numbers)
    assert not missing & {int(line.split()[1]) for line in copied}, "what was copied is read"
    assert len(missing) == 0 if how == "rename" else len(missing) < written[0] / 20
    gaps = sum(after != before + 1 for before, after in pairwise(numbers))
    assert gaps <= seen.what.count("truncated"), "lines are missing only where it is said"


def test_a_log_truncated_and_grown_beyond_our_place_between_two_looks_is_noticed(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"before\n" * 10)
    seen.now()
    log.write_bytes(b"another text\n" * 20)
    seen.now()
    assert seen.lines[10:] == [b"another text"] * 20
    assert seen.what == ["truncated"]


def test_a_deleted_log_is_told_once_and_read_on_while_it_is_open(log: Path) -> None:
    with log.open("ab", buffering=0) as writer:
        seen = Drain(follow(log))
        writer.write(b"one\n")
        seen.now()
        log.unlink()
        seen.now().now()
        writer.write(b"two\n")
        seen.now()
    assert seen.lines == [b"one", b"two"]
    assert seen.what == ["deleted"]


def test_a_log_that_comes_back_is_followed_again(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"one\n")
    seen.now()
    log.unlink()
    seen.now()
    _append(log, b"two\n")
    seen.now()
    assert seen.lines == [b"one", b"two"]
    assert seen.what == ["deleted", "back"]


def test_nul_bytes_are_counted_because_grep_would_print_nothing(log: Path) -> None:
    _append(log, b"a\0\0\nb\n")
    seen = Drain(follow(log)).now()
    assert seen.changes[0].what == "nul-bytes"
    assert "2 NUL bytes" in seen.changes[0].detail


def test_ten_megabytes_without_a_newline_are_one_line(log: Path) -> None:
    _append(log, b"x" * 10_000_000)
    seen = Drain(follow(log)).now()
    assert (seen.lines, len(seen.tail.held), seen.tail.held_length) == ([], LINE_LIMIT, 10_000_000)
    assert seen.what == ["long-line"]
    _append(log, b"\nshort\n")
    seen.now()
    assert [len(line) for line in seen.lines] == [LINE_LIMIT, 5]
    assert seen.tail.page(1, 1) == [(1, b"short")]
    assert [len(raw) for _, raw in seen.tail.page(0, 1)] == [LINE_LIMIT]


def test_a_name_taken_by_a_fifo_is_told_and_the_fifo_is_not_opened(log: Path) -> None:
    seen = Drain(follow(log)).now()
    log.unlink()
    os.mkfifo(log)
    seen.now()
    assert seen.what == ["unreadable"]
    with pytest.raises(OSError, match="No such device or address"):
        os.open(log, os.O_WRONLY | os.O_NONBLOCK)


def test_no_line_is_lost_or_doubled_while_a_writer_rotates(log: Path) -> None:
    total, rotations = 300_000, 5

    def write() -> None:
        file = log.open("ab", buffering=1 << 14)
        for number in range(total):
            if number and number % (total // (rotations + 1)) == 0:
                file.close()
                for older in range(rotations, 0, -1):
                    if (path := log.with_name(f"server.log.{older}")).exists():
                        path.rename(log.with_name(f"server.log.{older + 1}"))
                log.rename(log.with_name("server.log.1"))
                file = log.open("ab", buffering=1 << 14)
            file.write(b"line %d\n" % number)
        file.close()

    seen = Drain(follow(log))
    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen.now()
    seen.now()
    assert seen.lines == [b"line %d" % number for number in range(total)]
    assert seen.numbers == list(range(total))
    assert seen.tail.page(299_998, 10) == [(299_998, b"line 299998"), (299_999, b"line 299999")]


def test_bytes_that_were_seen_and_not_read_before_a_cut_are_a_lower_bound(log: Path) -> None:
    seen = Drain(follow(log))
    _append(log, b"one\n")
    seen.now()
    _append(log, b"two\n")
    assert seen.tail.current.pending() == 4
    os.truncate(log, 0)
    seen.now()
    assert "at least 4 bytes that were written behind them are lost, unread" in seen.changes[0].detail


def test_a_writer_that_does_not_append_tells_exactly_how_much_was_cut_unread(log: Path) -> None:
    seen = Drain(follow(log))
    with log.open("r+b", buffering=0) as file:
        file.write(b"one\n")
        seen.now()
        file.write(b"two is lost\n")
        os.truncate(log, 0)
        seen.now()
        file.write(b"three\n")
        seen.now()
        assert seen.lines == [b"one", b"three"]
        assert seen.changes[-1].detail == "its writer goes on at byte 16: exactly 12 bytes were cut unread"


def test_a_writer_that_goes_on_while_we_look_at_what_was_cut_has_no_line_doubled(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Drain(follow(log))
    with log.open("r+b", buffering=0) as file:
        file.write(b"one\n")
        seen.now()
        os.truncate(log, 0)
        count_lost = FileTail._count_lost

        def then_written(tail: FileTail, read: int) -> Iterator[Change]:
            monkeypatch.undo()
            yield from count_lost(tail, read)
            file.write(b"two\n")

        monkeypatch.setattr(FileTail, "_count_lost", then_written)
        seen.now()
        seen.now()
        file.write(b"three\n")
        seen.now()
        assert seen.lines == [b"one", b"two", b"three"]
        assert seen.changes[-1].detail == "its writer goes on at byte 4: exactly 0 bytes were cut unread"


@pytest.mark.parametrize("appends", [False, True])
def test_a_cut_between_the_question_for_new_bytes_and_their_reading_is_noticed(
    log: Path, monkeypatch: pytest.MonkeyPatch, appends: bool
) -> None:
    seen = Drain(follow(log))
    with log.open("ab" if appends else "r+b", buffering=0) as file:
        file.write(b"one\n")
        seen.now()
        file.write(b"two is lost\n")
        pending = Generation.pending

        def then_cut(generation: Generation) -> int:
            there = pending(generation)
            monkeypatch.undo()
            os.truncate(log, 0)
            file.write(b"three is long enough\n")
            return there

        monkeypatch.setattr(Generation, "pending", then_cut)
        seen.now()
        seen.now()
        assert seen.lines == [b"one", b"three is long enough"]
        assert next(change.what for change in seen.changes) == "truncated"


def _steady_writer(log: Path, stop: threading.Event, written: list[int]) -> None:
    """Some 5,000 lines a second, each in one write where the last one ended."""
    number = 0
    with log.open("r+b", buffering=0) as file:
        while not stop.is_set():
            for _ in range(10):
                file.write(b"line %d\n" % number)
                number += 1
            time.sleep(0.002)
    written.append(number)


def test_of_200_cuts_under_a_writer_that_does_not_append_every_lost_byte_is_counted(log: Path) -> None:
    seen, stop, written = Drain(follow(log)), threading.Event(), list[int]()
    writer = threading.Thread(target=_steady_writer, args=(log, stop, written))
    writer.start()
    for _ in range(200):
        before = len(seen.lines)
        while len(seen.lines) < before + 5:  # of whom nothing was read nobody can tell that it was cut
            time.sleep(0.002)
            seen.now()
        log.with_name("server.log.1").unlink(missing_ok=True)
        log.with_name("server.log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
    stop.set()
    writer.join()
    seen.now()
    numbers = [int(line.split()[1]) for line in seen.lines]
    assert numbers == sorted(set(numbers)), "none is doubled"
    missing = set(range(numbers[-1])) - set(numbers)
    told = [re.search(r"exactly (\d+) bytes", change.detail) for change in seen.changes]
    assert sum(int(match[1]) for match in told if match) == sum(len(b"line %d\n" % number) for number in missing)
