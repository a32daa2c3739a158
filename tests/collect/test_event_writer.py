"""The event writer never blocks its callers, never loses what is structural, and says what it dropped."""

import os
import threading
from collections.abc import Iterator

import pytest

from inspector.collect import event_writer as writer_module
from inspector.collect.event_writer import EventWriter, Refreshes
from inspector.stream.base import Event
from inspector.stream.calls import (
    CallCount,
    CallOutcome,
    CallsCounted,
    CallsInside,
    FileOpened,
    OutcomesCounted,
)
from inspector.stream.codec import decode_all
from inspector.stream.processes import ProcessStarted, ThreadWaits, Vitals
from inspector.stream.session import EventsLost, SessionEnded, WorkProgressed


def _vitals(pid: int, rss: int) -> Vitals:
    return Vitals(at=rss, pid=pid, cpu=0.0, rss=rss, threads=1)


def _opened(number: int) -> FileOpened:
    return FileOpened(at=number, pid=1, tid=1, path=f"/{number}")


def _born(pid: int) -> ProcessStarted:
    return ProcessStarted(at=pid, pid=pid, ppid=1, started=pid, origin="fork")


class Pipe:
    """A reader that reads when it is told to."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.broken = threading.Event()
        self.sink = EventWriter(self.write_end, self.broken.set)

    def drain(self) -> list[Event]:
        """Read to the end while the writer closes."""
        pieces: list[bytes] = []

        def read() -> None:
            while piece := os.read(self.read_end, 1 << 16):
                pieces.append(piece)

        reader = threading.Thread(target=read)
        reader.start()
        self.sink.close(30.0)
        os.close(self.write_end)
        reader.join()
        return list(decode_all(b"".join(pieces).splitlines()))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.read_end)


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "REFRESH_BOUND", 50)
    monkeypatch.setattr(writer_module, "DETAIL_BOUND", 100)


def test_events_arrive_in_order_and_none_is_lost(pipe: Pipe) -> None:
    for number in range(500):
        pipe.sink.send(_born(number))
    assert [event.at for event in pipe.drain()] == list(range(500))


def test_what_is_flushed_can_be_read(pipe: Pipe) -> None:
    pipe.sink.send(_born(1))
    pipe.sink.flush(30.0)
    assert [event.at for event in decode_all(os.read(pipe.read_end, 1 << 16).splitlines())] == [1]
    pipe.sink.flush(30.0)
    pipe.drain()


def test_a_reader_that_does_not_read_blocks_nobody_and_loses_no_structure(pipe: Pipe, small_bounds: None) -> None:
    filling = "x" * 3000
    for _ in range(60):  # more than a pipe holds: the writer is stuck from here on
        pipe.sink.send(SessionEnded(at=0, reason=filling))
    for number in range(1000):
        pipe.sink.send(_born(number))
        pipe.sink.send(_vitals(7, number))
        pipe.sink.send(_opened(number))
    events = pipe.drain()
    assert [event.pid for event in events if isinstance(event, ProcessStarted)] == list(range(1000))
    vitals = [event.rss for event in events if isinstance(event, Vitals)]
    assert vitals[-1] == 999 and len(vitals) < 200
    opened = sum(isinstance(event, FileOpened) for event in events)
    lost = sum(event.count for event in events if isinstance(event, EventsLost))
    assert lost > 0 and opened + lost == 1000


def test_totals_of_many_refreshes_fold_into_the_newest() -> None:
    refreshes = Refreshes()
    for total in (1, 2, 3):
        for function in (5, 6):
            count = CallCount(pid=1, function=function, count=total, first=1, last=total)
            assert refreshes.fold(CallsCounted(at=total, counts=[count]))
            outcome = CallOutcome(pid=1, function=function, caller="a", result=0, count=total)
            assert refreshes.fold(OutcomesCounted(at=total, outcomes=[outcome]))
    counted, outcomes = refreshes.take()
    assert isinstance(counted, CallsCounted) and isinstance(outcomes, OutcomesCounted)
    assert [(row.function, row.count) for row in counted.counts] == [(5, 3), (6, 3)]
    assert [(row.function, row.count) for row in outcomes.outcomes] == [(5, 3), (6, 3)]
    assert refreshes.take() == []


def test_each_thing_keeps_its_own_newest_state() -> None:
    refreshes = Refreshes()
    events: list[Event] = [
        _vitals(1, 10),
        _vitals(2, 10),
        ThreadWaits(at=1, pid=1, tid=1),
        ThreadWaits(at=1, pid=1, tid=2),
        WorkProgressed(at=1, task="a", done=1, total=2),
        WorkProgressed(at=1, task="b", done=1, total=2),
        CallsInside(at=1, open=[]),
    ]
    assert all(refreshes.fold(event) for event in [*events, *events])
    assert refreshes.take() == events
    assert not refreshes.fold(_born(1))


def test_a_reader_that_is_gone_is_told_once_and_ends_the_writing() -> None:
    pipe = Pipe()
    os.close(pipe.read_end)
    for number in range(10):
        pipe.sink.send(_born(number))
    assert pipe.broken.wait(30)
    pipe.sink.send(_born(1))
    pipe.sink.close(1.0)
    os.close(pipe.write_end)


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    pipe = Pipe()
    os.set_blocking(pipe.write_end, False)
    for _ in range(60):
        pipe.sink.send(SessionEnded(at=0, reason="x" * 3000))
    assert len(pipe.drain()) == 60
    assert not pipe.broken.is_set()
    os.close(pipe.read_end)
