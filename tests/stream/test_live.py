"""The viewer's end of a collector: pipes, requests, recording, and every way in which it can end."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from inspector.stream.codec import encode
from inspector.stream.events import AnyEvent
from inspector.stream.live import LiveStream
from inspector.stream.recording import Recording
from inspector.stream.requests import AddLog, Configure, Plan
from inspector.stream.session import CollectorWaits, LimitNoted

from .samples import lines, started, story


def configure() -> Configure:
    return Configure(plan=Plan())


def collector(tmp_path: Path, body: str, stream: bytes = b"") -> list[str]:
    """A python program in place of the collector; `STREAM` holds the bytes that it may print."""
    (tmp_path / "stream").write_bytes(stream)
    program = tmp_path / "collector.py"
    program.write_text(
        f"import os, sys, time, signal\nSTREAM = open({str(tmp_path / 'stream')!r}, 'rb').read()\n"
        f"out = sys.stdout.buffer\n{body}\n"
    )
    return [sys.executable, str(program)]


def until_there(path: Path) -> bool:
    """Whether a file appears within some seconds."""
    end = time.monotonic() + 10
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return path.exists()


def drain(stream: LiveStream) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    while stream.ending is None:
        events += stream.read(None)
    return events


def test_events_come_through_and_the_collectors_farewell_is_the_ending(tmp_path: Path) -> None:
    stream = LiveStream(collector(tmp_path, "out.write(STREAM)", b"".join(lines(story()))), configure)
    assert drain(stream) == story()
    assert stream.ending is not None and stream.ending.ok and stream.ending.words == "the target ended"


def test_requests_reach_the_collector_in_order(tmp_path: Path) -> None:
    body = "for _ in range(2): sys.stderr.write(sys.stdin.readline())"
    stream = LiveStream(collector(tmp_path, body), configure)
    stream.send(AddLog(id=5, path="/tmp/x"))
    drain(stream)
    assert [line[:22] for line in stream.talk] == ['{"request":"configure"', '{"request":"add-log","']


def test_a_collector_may_be_told_what_to_look_for_before_anybody_reads(tmp_path: Path) -> None:
    body = f"sys.stdin.readline(); open({str(tmp_path / 'told')!r}, 'w').close()"
    stream = LiveStream(collector(tmp_path, body), configure)
    stream.tell_what_to_look_for()
    assert until_there(tmp_path / "told")
    drain(stream)


def test_a_plan_larger_than_the_pipe_does_not_block_the_viewer(tmp_path: Path) -> None:
    plan = Plan(log_marks=["x" * 1000] * 500)
    body = "out.write(STREAM)\nout.flush()\nsys.stderr.write(str(len(sys.stdin.readline())))"
    stream = LiveStream(collector(tmp_path, body, b"".join(lines(story())) * 2000), lambda: Configure(plan=plan))
    assert len(drain(stream)) == 9 * 2000
    assert int(stream.talk[-1]) > 500_000


def test_a_killed_collector_is_said_with_the_signal_and_its_last_words(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); os.write(2, b'out of luck\\n'); os.kill(os.getpid(), 9)"
    stream = LiveStream(collector(tmp_path, body, encode(started())), configure)
    assert drain(stream) == [started()]
    assert stream.ending is not None and not stream.ending.ok
    assert stream.ending.words == "the collector was killed by SIGKILL (9); it said: out of luck"


def test_a_collector_that_we_killed_is_said_with_what_it_waited_for(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); os.kill(os.getpid(), signal.SIGSTOP)"
    stream = LiveStream(collector(tmp_path, body, encode(started())), configure)
    assert stream.read(None) == [started()]
    stream.finish()
    assert stream.ending is not None
    assert stream.ending.words.startswith("the collector did not end when asked: we sent it SIGKILL; it was ")


def test_a_collector_that_ends_without_a_farewell_is_said(tmp_path: Path) -> None:
    stream = LiveStream(collector(tmp_path, "sys.exit(5)"), configure)
    drain(stream)
    assert stream.ending is not None and "status 5" in stream.ending.words


def test_too_low_a_limit_of_open_files_is_said_with_the_remedy(tmp_path: Path) -> None:
    stream = LiveStream(collector(tmp_path, "raise OSError(24, 'Too many open files')"), configure)
    drain(stream)
    assert stream.ending is not None and "`ulimit -n` is too low" in stream.ending.words
    assert stream.ending.help == "ulimit -n 4096"


def test_a_far_side_without_inspector_is_said_with_the_remedy() -> None:
    stream = LiveStream(["sh", "-c", "inspector-is-not-here collect"], configure)
    drain(stream)
    assert stream.ending is not None and "not installed" in stream.ending.words
    assert "pip install shim-inspector" in stream.ending.help


def test_a_login_banner_before_the_stream_is_talk_and_not_damage_to_the_events(tmp_path: Path) -> None:
    stream = LiveStream(
        collector(tmp_path, "out.write(b'Welcome \\x1b[31mto vm\\n' + STREAM)", encode(started())), configure
    )
    assert drain(stream) == [started()]
    assert stream.talk[0] == "Welcome to vm"


def test_a_newer_collector_is_ended_with_advice(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); time.sleep(600)"
    stream = LiveStream(collector(tmp_path, body, encode(started(schema=99))), configure)
    drain(stream)
    assert stream.ending is not None and "update shim-inspector" in stream.ending.words


@pytest.mark.longer
def test_closing_asks_first_and_then_ends_a_collector_that_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.stream.live._PATIENCE", 0.3)
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN); out.write(STREAM); out.flush(); time.sleep(600)"
    stream = LiveStream(collector(tmp_path, body, encode(started())), configure)
    while not stream.begun:
        stream.read(None)
    stream.close()
    assert stream.ending is not None and "SIGKILL" in stream.ending.words


def test_a_collector_that_waits_for_a_file_is_said_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dead")
    body = f"out.write(STREAM); out.flush(); os.open({str(tmp_path / 'dead')!r}, os.O_RDONLY)"
    stream = LiveStream(collector(tmp_path, body, encode(started())), configure)
    events: list[AnyEvent] = []
    while not any(isinstance(event, CollectorWaits) for event in events):
        events += stream.read(0.2)
    assert stream.waits_for == f"opening {tmp_path}/dead"
    stream.close()
    assert stream.ending is not None and "SIGKILL" in stream.ending.words


def test_a_recording_begun_late_holds_what_came_before(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); sys.stdin.readline(); sys.stdin.readline(); out.write(STREAM)"
    stream = LiveStream(collector(tmp_path, body, b"".join(lines(story()[:3]))), configure)
    while not stream.begun:
        stream.read(None)
    stream.record(str(tmp_path / "late.zst"))
    assert stream.recording is not None
    stream.send(AddLog(path="go on"))
    drain(stream)
    stream.close()
    assert list(Recording(str(tmp_path / "late.zst"))) == story()[:3] * 2


def test_a_collector_whose_configuration_cannot_be_made_does_not_stay(tmp_path: Path) -> None:
    def bad() -> Configure:
        assert until_there(tmp_path / "started")
        raise ValueError("a profile that cannot be used")

    body = f"open({str(tmp_path / 'started')!r}, 'w').close(); sys.stdin.read(); open({str(tmp_path / 'left')!r}, 'w')"
    stream = LiveStream(collector(tmp_path, body), bad)
    with pytest.raises(ValueError, match="a profile that cannot be used"):
        drain(stream)
    assert not (tmp_path / "left").exists()


def test_another_thread_may_close_a_stream_that_is_being_read(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); sys.stdin.readline(); sys.stdin.readline()"
    stream = LiveStream(collector(tmp_path, body, encode(started())), configure)
    batches: list[AnyEvent] = []
    reader = threading.Thread(target=lambda: batches.extend(event for batch in stream for event in batch))
    reader.start()
    stream.close()
    reader.join(30)
    assert not reader.is_alive() and not stream.alive
    assert "status 0 without saying why" in stream.error


def test_a_recording_that_a_person_stops_has_an_end_and_the_stream_goes_on(tmp_path: Path) -> None:
    body = "out.write(STREAM); out.flush(); sys.stdin.readline(); sys.stdin.readline()"
    stream = LiveStream(collector(tmp_path, body, b"".join(lines(story()[:3]))), configure)
    while not stream.begun:
        stream.read(None)
    stream.record(str(tmp_path / "part.zst"))
    stream.stop_recording()
    assert stream.alive and stream.recording is None
    part = Recording(str(tmp_path / "part.zst"))
    assert list(part)[:-1] == story()[:3] and part.troubles == []
    stream.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_ends_the_recording_and_not_the_watching(tmp_path: Path) -> None:
    begin, rest = encode(started()), b"".join(lines(story()[1:])) * 2000
    body = f"out.write(STREAM[:{len(begin)}]); out.flush(); sys.stdin.readline(); sys.stdin.readline()"
    stream = LiveStream(collector(tmp_path, f"{body}; out.write(STREAM[{len(begin)}:])", begin + rest), configure)
    while not stream.begun:
        stream.read(None)
    stream.record("/dev/full")
    stream.send(AddLog(path="go on"))
    events = drain(stream)
    assert "/dev/full can no longer be written: no space left" in stream.recording_trouble
    assert stream.recording is None and events[-1] == story()[-1]
    notes = [event for event in events if isinstance(event, LimitNoted)]
    assert [note.why for note in notes] == [stream.recording_trouble]


def test_a_collector_that_ended_its_stream_and_cannot_die_holds_nobody_up(tmp_path: Path) -> None:
    """What a child of it keeps open stands for what the kernel keeps open of a process that it cannot end."""
    body = "out.write(STREAM); out.flush()\nif os.fork() == 0:\n    os.close(1); time.sleep(60)"
    stream = LiveStream(collector(tmp_path, body, b"".join(lines(story()))), configure)
    assert drain(stream) == story()
