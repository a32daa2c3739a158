"""A recording begun late is complete and small."""

from inspector.stream.base import Event
from inspector.stream.calls import CallsCounted
from inspector.stream.codec import decode, encode
from inspector.stream.events import AnyEvent
from inspector.stream.history import History
from inspector.stream.logs import LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessStarted, Vitals
from inspector.stream.session import EventsLost

from .samples import counted, story


def kept(history: History) -> list[AnyEvent | None]:
    return [decode(line) for line in history.lines()]


def fill(events: list[AnyEvent], history: History | None = None) -> History:
    history = history or History()
    for event in events:
        history.keep(encode(event), event)
    return history


def test_of_counters_only_the_newest_total_is_kept() -> None:
    events = kept(fill([counted(at, 42, at) for at in range(1, 1000)]))
    assert events == [counted(999, 42, 999)]


def test_everything_that_is_no_counter_keeps_its_order() -> None:
    events = kept(fill(story()))
    plain: list[Event] = [event for event in story() if not isinstance(event, CallsCounted | Vitals)]
    assert [event for event in events if not isinstance(event, CallsCounted | Vitals)] == plain


def test_counters_of_a_dead_process_stay_before_its_end_so_that_a_reused_pid_does_not_inherit_them() -> None:
    born_again = ProcessStarted(at=9, pid=42, ppid=1, started=9, origin="fork")
    events = kept(fill([counted(1, 42, 3), ProcessEnded(at=5, pid=42, code=0), born_again, counted(10, 42, 1)]))
    assert events == [counted(1, 42, 3), ProcessEnded(at=5, pid=42, code=0), born_again, counted(10, 42, 1)]


def test_of_processes_that_have_ended_nothing_is_held_open() -> None:
    history = History()
    for pid in range(1, 1000):
        fill([ProcessStarted(at=pid, pid=pid, ppid=1, started=pid, origin="fork")], history)
        fill([ProcessEnded(at=pid, pid=pid, code=0), counted(pid, pid, 1)], history)
    assert not history._newest
    assert sum(isinstance(event, CallsCounted) for event in kept(history)) == 999


def test_log_lines_go_first_when_the_budget_is_used_up_and_the_gap_is_said() -> None:
    history = History(budget=1000)
    story_of_many: list[AnyEvent] = []
    for number in range(300):
        text = "".join(chr(33 + (number * 7919 + i * i) % 90) for i in range(8000))
        line = LogLine(number=number, text=text)
        story_of_many.append(LogRead(at=number, source=1, lines=[line], lines_total=number + 1))
        story_of_many.append(ProcessStarted(at=number, pid=number, ppid=1, started=number, origin="fork"))
    events = kept(fill(story_of_many, history))
    lost = sum(event.count for event in events if isinstance(event, EventsLost))
    logs = sum(isinstance(event, LogRead) for event in events)
    assert lost > 0 and lost + logs == 300
    assert sum(isinstance(event, ProcessStarted) for event in events) == 300
