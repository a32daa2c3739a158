"""A stream over a link that may break: the collector is started anew over there, and the viewer goes on."""

from collections.abc import Callable, Sequence
from time import monotonic, sleep

from msgspec.structs import replace

from .base import Request
from .calls import (
    CallersCounted,
    CallReturned,
    CallsCounted,
    CallsInside,
    CountingStopped,
    FunctionsWatched,
    OutcomesCounted,
    ResultsStopped,
)
from .end_message import Ending
from .events import AnyEvent
from .live import LiveStream
from .logs import LogChanged, LogFound, LogRead
from .processes import ProcessEnded, ProcessStarted
from .requests import Configure, FindLine, LineFound, LogPage, ReadLog, StopCounting
from .session import SessionStarted

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_BROKEN = (255, -1, -9, -15)
"""How ssh ends without a link (ssh(1)), or with a signal from somebody else."""
_UNSEEN = "what happened while disconnected"
_TICK = 10_000_000
"""ns: how exactly the kernel tells the birth of a process that was not seen (proc_pid_stat(5), starttime)."""
_ROLL_CALL = 2_000_000_000
"""ns after the begin of a session within which all living processes of the tree are told."""


class ReconnectingStream(LiveStream):
    """A remote collector that is started again when its link breaks, until `close`.

    What the far side still has, the tree, libraries, logs, comes again and replaces what was known; call counts of the
    time before stay. What happened in between is noted as a limit. Numbers of functions and logs are kept apart.
    """

    def __init__(self, command: Sequence[str], configure: Callable[[], Configure]) -> None:
        """As LiveStream; the first connection must succeed, only a broken one is restored."""
        self._numbers = _Numbers()
        self._living = _Living()
        self._lost_at: float | None = None
        self._next_try = 0.0
        self._pause = _FIRST_PAUSE
        self._closing = False
        self._broken: Ending | None = None
        """How the last link ended, while there is no other."""
        super().__init__(command, configure)

    def send(self, request: Request) -> None:
        """As for any collector; numbers are translated for the one that runs now."""
        with self._lock:
            if self._broken is None:
                super().send(self._numbers.down(request))

    def finish(self, why: str = "") -> list[AnyEvent]:
        """End it; a broken connection is not restored any more."""
        self._closing = True
        return super().finish(why)

    def kill(self) -> None:
        """End it at once."""
        self._closing = True
        super().kill()

    def _wait_and_read(self, timeout: float | None) -> list[AnyEvent]:
        if self._broken is not None:
            self._mend(timeout)
        return super()._wait_and_read(timeout) if self._broken is None else []

    def _mend(self, timeout: float | None) -> None:
        pause = self._next_try - monotonic()
        if self._closing:
            self.ending = self._broken
        elif pause > 0:
            sleep(min(pause, 0.2 if timeout is None else timeout))
        else:
            self._numbers.part()
            with self._lock:
                self._broken = None
                self._start()

    def _ended(self, ending: Ending) -> Ending | None:
        broken = self._goodbye is None and self._begun and ending.status in _BROKEN
        if not broken or self._closing:
            return ending
        self._broken = ending
        if self._lost_at is None:
            self._lost_at = monotonic()
            self._note(_UNSEEN, "the connection to the collector was lost; reconnecting")
        self._next_try = monotonic() + self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        return None

    def _adjusted(self, event: AnyEvent) -> AnyEvent:
        if isinstance(event, SessionStarted) and self._lost_at is not None:
            gap = monotonic() - self._lost_at
            self._note(_UNSEEN, f"reconnected after {gap:.0f} s; what happened meanwhile was not seen")
            self._lost_at, self._pause = None, _FIRST_PAUSE
        for gone in self._living.gone(event.at):
            self._insert(gone)
        return self._living.same(self._numbers.up(event))


class _Living:
    """Who lives, over all links: who comes again is the same process, who does not has ended meanwhile."""

    def __init__(self) -> None:
        self._session: SessionStarted | None = None
        self._births: dict[int, int] = {}
        self._awaited: set[int] = set()
        self._until = 0

    def same(self, event: AnyEvent) -> AnyEvent:
        """The event with the birth, and the begin of the session, that were told first."""
        match event:
            case SessionStarted():
                self._awaited, self._until = set(self._births), event.at + _ROLL_CALL
                first = self._session = self._session or event
                return replace(event, at=first.at, wall=first.wall) if _same_clock(first, event) else event
            case ProcessStarted():
                self._awaited.discard(event.pid)
                known = self._births.get(event.pid)
                if known is not None and abs(known - event.started) <= _TICK:
                    return replace(event, started=known)
                self._births[event.pid] = event.started
            case ProcessEnded():
                self._awaited.discard(event.pid)
                self._births.pop(event.pid, None)
        return event

    def gone(self, at: int) -> list[ProcessEnded]:
        """Those that were not told again when the roll call is over."""
        if not self._awaited or at < self._until:
            return []
        gone, self._awaited = sorted(self._awaited), set()
        for pid in gone:
            del self._births[pid]
        return [ProcessEnded(at=at, pid=pid) for pid in gone]


def _same_clock(one: SessionStarted, other: SessionStarted) -> bool:
    """Whether the machine has not been started anew in between; its clock may have been set by a second."""
    return abs((one.wall - one.at) - (other.wall - other.at)) < 1_000_000_000


class _Numbers:
    """Each collector numbers its functions and logs from the beginning; in the whole stream they stay apart."""

    def __init__(self) -> None:
        self._function, self._source = 0, 0
        self._next_function, self._next_source = 0, 0

    def part(self) -> None:
        """Another collector begins to number."""
        self._function, self._source = self._next_function, self._next_source

    def up(self, event: AnyEvent) -> AnyEvent:
        """An event with the numbers of the whole stream."""
        if isinstance(event, FunctionsWatched):
            self._next_function = max([self._next_function, *(self._function + one.id + 1 for one in event.functions)])
        elif isinstance(event, LogFound):
            self._next_source = max(self._next_source, self._source + event.source + 1)
        return self._shifted(event) if self._function or self._source else event

    def _shifted(self, event: AnyEvent) -> AnyEvent:
        functions = self._function
        match event:
            case FunctionsWatched():
                return replace(event, functions=[replace(one, id=one.id + functions) for one in event.functions])
            case CallsCounted():
                return replace(event, counts=[replace(one, function=one.function + functions) for one in event.counts])
            case CallersCounted():
                return replace(event, counts=[replace(one, function=one.function + functions) for one in event.counts])
            case OutcomesCounted():
                moved = [replace(one, function=one.function + functions) for one in event.outcomes]
                return replace(event, outcomes=moved)
            case CallsInside():
                return replace(event, open=[replace(one, function=one.function + functions) for one in event.open])
            case CallReturned():
                return replace(event, function=event.function + functions)
            case CountingStopped() | ResultsStopped():
                return replace(event, functions=[one + functions for one in event.functions])
            case LogFound() | LogRead() | LogChanged() | LogPage() | LineFound():
                return replace(event, source=event.source + self._source)
        return event

    def down(self, request: Request) -> Request:
        """A request with the numbers of the collector that runs now."""
        match request:
            case StopCounting():
                return replace(request, functions=[one - self._function for one in request.functions])
            case ReadLog() | FindLine():
                return replace(request, source=request.source - self._source)
        return request
