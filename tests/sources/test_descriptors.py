"""Where output goes, which devices are held, and who is at the other end."""

import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from inspector.collect.kernel.records import Opened
from inspector.collect.sources.output import unix_sockets
from inspector.collect.sources.output.descriptors import DescriptorSource
from inspector.collect.sources.output.open_files import count, open_file, open_files, parse_flags, socket_inodes
from inspector.stream.processes import Descriptor, DescriptorsRead
from inspector.stream.requests import Plan
from inspector.stream.session import LimitNoted

from .fakes import Bench

SLEEPER = [sys.executable, "-c", "import sys; print('up', file=sys.stderr, flush=True); sys.stdin.read()"]
Stream = int | IO[bytes] | None


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def _sleeper(started: list[subprocess.Popen[bytes]], **streams: Stream) -> int:
    """A process that waits for the end of its input, with the given streams; it has executed its program."""
    process = subprocess.Popen(SLEEPER, **{"stdin": subprocess.PIPE, **streams})  # type: ignore[call-overload]
    started.append(process)
    return int(process.pid)


def _read(bench: Bench, pid: int) -> dict[int, Descriptor]:
    source = DescriptorSource(bench.session)
    bench.tree.add(pid)
    source.start()
    return {one.fd: one for one in bench.sink.of(DescriptorsRead)[-1].descriptors}


def test_discarded_output_is_told(sleepers: list[subprocess.Popen[bytes]]) -> None:
    bench = Bench()
    pid = _sleeper(sleepers, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = _read(bench, pid)
    assert (found[1].kind, found[2].kind) == ("null", "null")
    assert found[2].target == "/dev/null"
    assert found[2].writable


def test_a_pipe_names_the_process_that_reads_it(sleepers: list[subprocess.Popen[bytes]]) -> None:
    bench = Bench()
    writer = _sleeper(sleepers, stderr=subprocess.PIPE)
    assert sleepers[0].stderr is not None
    reader = _sleeper(sleepers, stdin=sleepers[0].stderr, stderr=subprocess.DEVNULL)
    bench.tree.add(reader)
    found = _read(bench, writer)
    assert found[2].kind == "pipe"
    assert f"PID {reader} " in found[2].peer


def test_a_terminal_and_a_file_and_a_closed_descriptor(sleepers: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    bench = Bench()
    leader, follower = pty.openpty()
    with (tmp_path / "err.log").open("wb") as log, os.fdopen(follower, "wb") as terminal:
        pid = _sleeper(sleepers, stdout=terminal, stderr=log)
    found = _read(bench, pid)
    os.close(leader)
    assert (found[1].kind, found[2].kind) == ("tty", "file")
    assert found[2].target == str(tmp_path / "err.log")
    assert found[2].file.endswith(f":{(tmp_path / 'err.log').stat().st_ino}")
    # It goes on waiting itself: another program would open its libraries, for a moment, as descriptor 2.
    waits = ["/bin/sh", "-c", "exec 2>&-; echo up; read line"]
    closed = subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sleepers.append(closed)
    assert closed.stdout is not None
    closed.stdout.readline()
    assert _read(Bench(), closed.pid)[2].kind == "closed"


def test_only_planned_devices_logs_and_sockets_are_of_interest(tmp_path: Path) -> None:
    bench = Bench(Plan(devices=["/dev/zero"]))
    near, far = socket.socketpair()
    with (
        Path("/dev/zero").open("rb") as device,
        (tmp_path / "x.log").open("wb") as log,
        Path("/dev/full").open("rb") as other,
    ):
        found = _read(bench, os.getpid())
        assert found[device.fileno()].kind == "device"
        assert (found[log.fileno()].kind, found[log.fileno()].writable) == ("file", True)
        assert found[near.fileno()].kind == "socket"
        assert other.fileno() not in found
    near.close()
    far.close()


def test_a_process_of_which_each_descriptor_is_refused_does_not_look_like_one_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: bytes) -> bytes:
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", refuse)
    with pytest.raises(PermissionError):
        open_files(os.getpid())
    assert socket_inodes(os.getpid()) == set()


def test_descriptors_are_sent_again_only_when_they_differ(sleepers: list[subprocess.Popen[bytes]]) -> None:
    bench = Bench()
    pid = _sleeper(sleepers, stderr=subprocess.DEVNULL)
    _read(bench, pid)
    for _ in range(12):
        bench.loop.turn()
    assert len(bench.sink.of(DescriptorsRead)) == 1


def test_a_device_that_is_opened_is_told_at_once(tmp_path: Path) -> None:
    bench = Bench(Plan(devices=["/dev/zero"]))
    source = DescriptorSource(bench.session)
    bench.tree.add(os.getpid())
    source.start()
    with Path("/dev/zero").open("rb") as device:
        later = time.monotonic_ns() + 10**9
        source.opened(Opened(at=later, pid=os.getpid(), tid=os.getpid(), path=b"/dev/zero", errno=0, flags=0))
        last = {one.fd for one in bench.sink.of(DescriptorsRead)[-1].descriptors}
        assert device.fileno() in last


def test_a_process_that_is_gone_already_is_a_limit_and_no_claim(sleepers: list[subprocess.Popen[bytes]]) -> None:
    bench = Bench()
    source = DescriptorSource(bench.session)
    source.start()
    pid = _sleeper(sleepers, stderr=subprocess.DEVNULL)
    process = bench.tree.add(pid)
    sleepers[0].kill()
    sleepers[0].wait()
    source.executed(process)
    assert [limit.pid for limit in bench.sink.of(LimitNoted)] == [pid]


def test_the_journal_is_known_by_the_variable_that_systemd_sets(sleepers: list[subprocess.Popen[bytes]]) -> None:
    near, far = socket.socketpair()
    bench = Bench()
    with os.fdopen(near.detach(), "wb") as output:
        status = os.fstat(output.fileno())
        pid = _sleeper(sleepers, stderr=output)
    process = bench.tree.add(pid, environment={b"JOURNAL_STREAM": b"%d:%d" % (status.st_dev, status.st_ino)})
    source = DescriptorSource(bench.session)
    source.start()
    found = {one.fd: one for one in bench.sink.of(DescriptorsRead)[-1].descriptors}
    far.close()
    assert process.pid == pid
    assert (found[2].kind, found[2].peer) == ("journal", "journald")


def test_the_other_end_of_a_unix_socket_is_named_by_the_path_it_was_accepted_at(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / "s"))
    accepted, _ = server.accept()
    end = unix_sockets.other_end(os.fstat(client.fileno()).st_ino)
    assert end is not None
    assert unix_sockets.spelled(end.name) == str(tmp_path / "s")
    assert end.inode == os.fstat(accepted.fileno()).st_ino
    assert unix_sockets.other_end(os.fstat(server.fileno()).st_ino) is None
    for one in (server, client, accepted):
        one.close()


def test_a_damaged_answer_about_a_socket_is_no_answer() -> None:
    assert unix_sockets.parse_answer(b"") is None
    assert unix_sockets.parse_answer(b"\0" * 40) is None
    assert unix_sockets.spelled(b"\0abs\x1btract") == "@abs␛tract"


def test_all_descriptors_of_a_process_are_read_with_what_they_are(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    read, write = os.pipe()
    with (tmp_path / "log").open("ab") as log:
        (tmp_path / "log").unlink()
        files = {file.fd: file for file in open_files(os.getpid())}
        assert files[log.fileno()].regular
        assert files[log.fileno()].path == os.fsencode(tmp_path / "log")
        assert files[log.fileno()].writable
        assert not files[log.fileno()].readable
        assert (files[read].pipe, files[read].readable, files[write].writable) == (True, True, True)
        assert files[near.fileno()].inode in socket_inodes(os.getpid())
        assert count(os.getpid()) >= len(files) - 1
        assert open_file(os.getpid(), write) == files[write]
    for fd in (read, write):
        os.close(fd)
    near.close()
    far.close()
    with pytest.raises(ProcessLookupError):
        open_files(2**22 + 1)


def test_flags_of_an_open_file_are_octal() -> None:
    assert parse_flags(b"pos:\t0\nflags:\t02100001\nmnt_id:\t1\n") == 0o2100001
    assert parse_flags(b"pos:\t0\n") == 0
