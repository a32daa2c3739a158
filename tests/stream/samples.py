"""A few events for tests of the stream; moments are small numbers of ns."""

from inspector.stream.base import Event
from inspector.stream.calls import CallCount, CallsCounted
from inspector.stream.events import AnyEvent
from inspector.stream.logs import LogLine, LogRead
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted, Vitals
from inspector.stream.session import SessionEnded, SessionStarted

SECOND = 1_000_000_000


def started(at: int = 0, *, schema: int = 1) -> SessionStarted:
    return SessionStarted(
        at=at, schema=schema, version="0.1.0", wall=1_700_000_000 * SECOND, host="vm", kernel="6.1", uid=0,
        target="42", collector=7,
    )  # fmt: skip


def story() -> list[AnyEvent]:
    """A process is born, counts a call twice, logs and ends."""
    return [
        started(),
        ProcessStarted(at=SECOND, pid=42, ppid=1, started=SECOND, origin="fork", comm="srv"),
        ProcessExec(at=SECOND, pid=42, argv=["srv"], exe="/bin/srv"),
        counted(2 * SECOND, 42, 1),
        Vitals(at=2 * SECOND, pid=42, cpu=1.0, rss=4096, threads=1),
        LogRead(at=3 * SECOND, source=1, lines=[LogLine(number=0, text="hello")], lines_total=1),
        counted(4 * SECOND, 42, 5),
        ProcessEnded(at=5 * SECOND, pid=42, code=0),
        SessionEnded(at=6 * SECOND, reason="the target ended"),
    ]


def counted(at: int, pid: int, count: int, function: int = 1) -> CallsCounted:
    return CallsCounted(at=at, counts=[CallCount(pid=pid, function=function, count=count, first=1, last=at)])


def lines(events: list[AnyEvent] | list[Event]) -> list[bytes]:
    from inspector.stream.codec import encode

    return [encode(event) for event in events]
