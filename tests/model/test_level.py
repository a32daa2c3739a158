"""Memory stays level however long and busy the observed tree is; what was dropped is counted and said."""

from collections.abc import Iterator

import msgspec
import pytest

from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply
from inspector.model.folding.eviction import MOST_DEAD
from inspector.model.state import State
from inspector.report.builder import report
from inspector.stream.calls import CallCount, CallsCounted, FunctionsWatched, WatchedFunction
from inspector.stream.codec import encode
from inspector.stream.events import AnyEvent
from inspector.stream.history import History
from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted

_ROOM = 1_200
"""Dead processes that may be there at any moment."""
_MS = 1_000_000


def _start(pid: int, ppid: int, at: int) -> ProcessStarted:
    return ProcessStarted(at=at, pid=pid, ppid=ppid, started=at, origin="fork")


def _program(pid: int, at: int) -> ProcessExec:
    return ProcessExec(at=at, pid=pid, argv=["worker", str(pid)], exe="/usr/bin/worker", comm="worker", cwd="/")


def _library(pid: int, base: int, at: int) -> LibraryMapped:
    return LibraryMapped(
        at=at, pid=pid, path=f"/usr/lib/lib{base}.so", base=base, file=f"8:1:{base}", route="needed", state="current"
    )


def _tree(births: int, *, calls: bool = False) -> Iterator[AnyEvent]:
    """A server whose children live a moment, pids used again and again."""
    function = WatchedFunction(id=1, name="cuInit", api="cuda-driver", library="/usr/lib/libcuda.so.1", file="8:1:0")
    yield FunctionsWatched(at=0, functions=[function], means="bpf")
    yield _start(1, 0, 1)
    yield _program(1, 1)
    for number in range(births):
        pid, at = 2 + number % 2_500, (number + 1) * 10 * _MS
        yield _start(pid, 1, at)
        yield _program(pid, at)
        for base in range(5):
            yield _library(pid, base, at)
        if calls:
            yield CallsCounted(at=at, counts=[CallCount(pid=pid, function=1, count=1, first=at, last=at)])
        yield ProcessEnded(at=at + _MS, pid=pid, code=0)


def _fold(events: Iterator[AnyEvent]) -> tuple[State, int]:
    state, most = State(), 0
    for event in events:
        apply(state, event)
        most = max(most, len(state.processes))
    return state, most


def test_an_hour_of_births_keeps_the_newest_and_counts_the_rest() -> None:
    state, most = _fold(_tree(4_000))
    assert most <= _ROOM and len(state.current) <= _ROOM
    assert len(state.processes) + state.processes_dropped == 4_001
    assert state.processes[0].pid == 1 and not state.processes[0].ended
    assert state.processes[-1].started == 4_000 * 10 * _MS
    assert sum(len(waiting) for waiting in state.unexplained.values()) <= 5 * _ROOM


def test_those_that_tell_something_outlive_the_plain_ones() -> None:
    state = State()
    for number, event in enumerate(_tree(4_000)):
        if isinstance(event, ProcessEnded) and event.pid == 7 and number < 1000:
            apply(state, msgspec.structs.replace(event, code=None, signal=11))
        else:
            apply(state, event)
    assert [process.end.signal for process in state.processes if process.end and process.end.signal] == [11]


def test_a_parent_stays_as_long_as_a_child_of_it() -> None:
    state = State()
    first = [_start(1, 0, 1), _start(40_000, 1, 2), _start(40_001, 40_000, 3)]
    for event in (*first, _program(40_000, 3), ProcessEnded(at=4, pid=40_000, code=0), *_tree(3_000)):
        apply(state, event)
    orphan = next(process for process in state.processes if process.pid == 40_001)
    assert orphan.parent is not None and orphan.parent.program is not None


@pytest.mark.longer
def test_a_pid_that_is_used_again_is_another_process() -> None:
    state, _ = _fold(_tree(6_000))
    newest = state.processes[-1]
    assert state.current[newest.pid] is newest
    depth, process = 0, newest
    while process.previous is not None:
        depth, process = depth + 1, process.previous
    assert depth <= 1


@pytest.mark.longer
def test_the_report_of_a_busy_tree_is_bounded_and_says_what_it_lacks() -> None:
    state, _ = _fold(_tree(4_000, calls=True))
    made = report(state, diagnose(state))
    assert len(msgspec.json.encode(made)) < 20_000_000
    assert made.observation.processes_left_out == state.processes_dropped > 2_000
    assert any("processes that ended" in limit.what for limit in made.limits)
    assert f"{state.processes_dropped} more ended" in made.observation.coverage


def test_the_history_of_a_busy_tree_is_bounded() -> None:
    history = History(budget=100_000)
    for event in _tree(8_000):
        history.keep(encode(event), event)
    sizes = [len(chunk) for chunk in history._chunks]
    assert sum(sizes) < 400_000, sizes


def test_no_more_dead_are_kept_than_a_person_can_look_at() -> None:
    assert MOST_DEAD <= _ROOM
