"""A link that breaks is mended; numbers of functions and logs stay apart; closing meanwhile ends it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from inspector.stream.calls import CallsCounted, FunctionsWatched, WatchedFunction
from inspector.stream.codec import encode
from inspector.stream.events import AnyEvent
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessStarted
from inspector.stream.reconnecting import ReconnectingStream
from inspector.stream.recording import Recording
from inspector.stream.requests import Configure, Plan, ReadLog
from inspector.stream.session import LimitNoted, SessionEnded, SessionStarted

from .samples import counted, started

SECOND = 1_000_000_000
WATCHED = FunctionsWatched(at=2, functions=[WatchedFunction(id=1, api="nvml", name="f", library="l", file="1:2:3")])
FOUND = LogFound(at=2, source=0, name="l", kind="file", why="given")
READ = LogRead(at=3, source=0, lines=[LogLine(number=0, text="x")], lines_total=1)
PART: list[AnyEvent] = [started(), WATCHED, FOUND, READ, counted(4, 42, 7)]


def link(tmp_path: Path, after: str, part: Sequence[AnyEvent] = PART) -> ReconnectingStream:
    """A stand-in for ssh: the first link prints a part and breaks with status 255, later ones do `after`."""
    (tmp_path / "part").write_bytes(b"".join(map(encode, part)))
    (tmp_path / "end").write_bytes(encode(SessionEnded(at=9, reason="the target ended")))
    program = tmp_path / "link.py"
    program.write_text(
        f"import os, sys, time\nfolder = {str(tmp_path)!r}\nout = sys.stdout.buffer\n"
        "part, end = (open(f'{folder}/{name}', 'rb').read() for name in ('part', 'end'))\n"
        "if not os.path.exists(f'{folder}/broken'):\n"
        "    open(f'{folder}/broken', 'w'); out.write(part); out.flush(); sys.exit(255)\n"
        f"{after}\n"
    )
    return ReconnectingStream([sys.executable, str(program)], lambda: Configure(plan=Plan()))


def test_after_a_broken_link_the_stream_goes_on_with_numbers_of_its_own(tmp_path: Path) -> None:
    body = "out.write(part); out.flush(); [sys.stderr.write(sys.stdin.readline()) for _ in range(2)]; out.write(end)"
    stream = link(tmp_path, body)
    stream.record(tmp_path / "both.jsonl")
    events: list[AnyEvent] = []
    while stream.ending is None:
        events += stream.read(0.1)
        if sum(isinstance(event, LogRead) for event in events) == 2:
            stream.send(ReadLog(id=1, source=1))
    stream.close()
    assert stream.ending is not None and stream.ending.ok
    limits = [event.why for event in events if isinstance(event, LimitNoted)]
    assert "reconnecting" in limits[0] and "reconnected" in limits[1]
    assert [event.functions[0].id for event in events if isinstance(event, FunctionsWatched)] == [1, 3]
    assert [event.counts[0].function for event in events if isinstance(event, CallsCounted)] == [1, 3]
    assert [event.source for event in events if isinstance(event, LogRead)] == [0, 1]
    assert any('"request":"read-log"' in line and '"source":0' in line for line in stream.talk)
    assert list(Recording(str(tmp_path / "both.jsonl"))) == events


def test_who_comes_again_is_the_same_process_and_who_does_not_has_ended(tmp_path: Path) -> None:
    late = [
        replace(started(), at=SECOND, wall=started().wall + SECOND - started().at),
        ProcessStarted(at=SECOND, pid=42, ppid=1, started=1_000_700, origin="attach"),
        counted(4 * SECOND, 42, 8),
        SessionEnded(at=5 * SECOND, reason="the target ended"),
    ]
    body = f"out.write({b''.join(map(encode, late))!r})"
    born = [ProcessStarted(at=3, pid=pid, ppid=1, started=1_000_000, origin="attach") for pid in (42, 43)]
    events: list[AnyEvent] = []
    stream = link(tmp_path, body, [*PART, *born])
    while stream.ending is None:
        events += stream.read(0.1)
    births = [(event.pid, event.started) for event in events if isinstance(event, ProcessStarted)]
    assert births == [(42, 1_000_000), (43, 1_000_000), (42, 1_000_000)]
    assert [event.pid for event in events if isinstance(event, ProcessEnded)] == [43]
    assert len({event.at for event in events if isinstance(event, SessionStarted)}) == 1


def test_closing_while_the_link_is_broken_ends_it(tmp_path: Path) -> None:
    stream = link(tmp_path, "sys.exit(255)")
    events: list[AnyEvent] = []
    while not any(isinstance(event, LimitNoted) for event in events):
        events += stream.read(0.1)
    assert stream.alive
    stream.close()
    assert not stream.alive and "connection was lost" not in stream.error and "255" in stream.error


def test_a_first_link_that_does_not_come_about_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    stream = link(tmp_path, "sys.exit(255)")
    while stream.ending is None:
        stream.read(0.1)
    assert "status 255" in stream.error
