"""Results that were not read are never told as none: the reason is there."""

from inspector.model.coverage import unread_results
from inspector.model.fold import apply_all
from inspector.stream.base import Event
from inspector.stream.calls import (
    CallCount,
    CallOutcome,
    CallsCounted,
    FunctionsWatched,
    OutcomesCounted,
    ResultsStopped,
    WatchedFunction,
)
from inspector.stream.processes import ProcessStarted

INIT = WatchedFunction(id=1, api="cuda-driver", name="cuInit", library="/l/libcuda.so.1", file="1:2", returns=True)


def why(*events: Event, function: WatchedFunction = INIT) -> str:
    state = apply_all(
        [
            ProcessStarted(at=1, pid=9, ppid=1, started=1, origin="run"),
            FunctionsWatched(at=2, functions=[function]),
            CallsCounted(at=3, counts=[CallCount(pid=9, function=1, count=5, first=3, last=3)]),
            *events,
        ]
    )
    return unread_results(state, state.processes[0], function)


def results(count: int) -> Event:
    outcome = CallOutcome(pid=9, function=1, caller="/a", own=False, result=0, count=count, first=3, last=3)
    return OutcomesCounted(at=4, outcomes=[outcome])


def test_calls_before_the_exits_were_watched_are_said() -> None:
    assert why().startswith("5 of its calls began before")
    assert why(results(3)).startswith("2 of its calls began before")
    assert why(results(5)) == ""


def test_the_reason_why_no_more_are_read_comes_first() -> None:
    assert why(ResultsStopped(at=4, functions=[1], why="enough results were read")) == "enough results were read"


def test_nothing_is_missing_where_no_result_is_given() -> None:
    counted_only = WatchedFunction(id=1, api="x", name="f", library="/l", file="1:2")
    assert why(function=counted_only) == ""
