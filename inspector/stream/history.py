"""What a live stream has told so far, kept small, so that a recording begun late is complete."""

import zlib
from collections.abc import Callable, Hashable, Iterator

from msgspec import Struct

from .base import Event
from .calls import (
    CallersCounted,
    CallReturned,
    CallsCounted,
    CallsInside,
    FileOpened,
    LookedUp,
    OpensSkipped,
    OutcomesCounted,
)
from .codec import decode, encode
from .events import AnyEvent
from .logs import LogRead, WritesSeen
from .machine import FileChanged
from .processes import ProcessEnded, ProcessStarted, SocketsRead, ThreadWaits, Vitals
from .requests import LogPage, SymbolPage
from .session import EventsLost, WorkProgressed
from .syscalls import FolderListed, SystemCallRefused, SystemCallsSummed

_CHUNK = 1 << 20
_BUDGET = 64 << 20


class History(Struct):
    """Lines of a stream in order; of events that replace each other only the newest is kept.

    Replaceable events of a process are put in their place when it ends, and those behind its end at once, so that a
    later process with the same pid does not inherit them. Old log lines go first when `budget` (bytes, compressed) is
    used up, then old details, then processes that lived but a moment; the gap is said.
    """

    budget: int = _BUDGET
    _chunks: list[bytes] = []
    _open: list[bytes] = []
    _open_bytes: int = 0
    _newest: dict[int, dict[tuple[str, Hashable], Event]] = {}
    """By process."""
    _ended: set[int] = set()
    """Processes of whom only last words come."""
    _thinned: int = 0
    """Chunks before this one are thinned already, in the present one of `_PASSES`."""
    _pass: int = 0

    def keep(self, line: bytes, event: AnyEvent) -> None:
        """Add one event, as the line that it came in."""
        match event:
            case CallsCounted():
                for count in event.counts:
                    self._replace(count.pid, count.function, CallsCounted(at=event.at, counts=[count]))
            case CallersCounted():
                for caller in event.counts:
                    key = (caller.function, caller.caller)
                    self._replace(caller.pid, key, CallersCounted(at=event.at, counts=[caller]))
            case OutcomesCounted():
                for outcome in event.outcomes:
                    place = (outcome.function, outcome.caller, outcome.result)
                    self._replace(outcome.pid, place, OutcomesCounted(at=event.at, outcomes=[outcome]))
            case Vitals() | OpensSkipped() | SystemCallsSummed() | SocketsRead():
                self._replace(event.pid, "", event)
            case ThreadWaits():
                self._replace(event.pid, event.tid, event)
            case WritesSeen():
                self._replace(event.pid, event.fd, event)
            case CallsInside():
                self._replace(0, "", event)
            case WorkProgressed():
                self._replace(0, event.task, event)
            case ProcessStarted():
                self._settle(event.pid)
                self._ended.discard(event.pid)
                self._append(line)
            case ProcessEnded():
                self._settle(event.pid)
                self._ended.add(event.pid)
                self._append(line)
            case _:
                self._append(line)

    def lines(self) -> Iterator[bytes]:
        """Everything that is kept, as lines of a stream."""
        for chunk in self._chunks:
            yield from zlib.decompress(chunk).splitlines(keepends=True)
        yield from list(self._open)
        events = [event for newest in self._newest.values() for event in newest.values()]
        for event in sorted(events, key=lambda event: event.at):
            yield encode(event)

    def _replace(self, pid: int, key: Hashable, event: Event) -> None:
        if pid in self._ended:
            self._append(encode(event))
            return
        self._newest.setdefault(pid, {})[type(event).__name__, key] = event

    def _settle(self, pid: int) -> None:
        for event in sorted(self._newest.pop(pid, {}).values(), key=lambda event: event.at):
            self._append(encode(event))

    def _append(self, line: bytes) -> None:
        self._open.append(line)
        self._open_bytes += len(line)
        if self._open_bytes >= _CHUNK:
            self._chunks.append(zlib.compress(b"".join(self._open), 1))
            self._open, self._open_bytes = [], 0
            self._make_room()

    def _make_room(self) -> None:
        for thin in _PASSES[self._pass :]:
            while self._thinned < len(self._chunks) and self._packed > self.budget:
                self._thin(self._thinned, thin)
                self._thinned += 1
            if self._packed <= self.budget:
                return
            self._pass, self._thinned = min(self._pass + 1, len(_PASSES) - 1), 0

    @property
    def _packed(self) -> int:
        return sum(len(chunk) for chunk in self._chunks)

    def _thin(self, index: int, thin: "_Thinning") -> None:
        lines = zlib.decompress(self._chunks[index]).splitlines(keepends=True)
        kept = thin(lines)
        if len(kept) < len(lines):
            last = decode(lines[-1])
            gap = EventsLost(at=last.at if last else 0, source="recording began late", count=len(lines) - len(kept))
            kept.append(encode(gap))
        self._chunks[index] = zlib.compress(b"".join(kept), 1)


def _beginnings(*kinds: type[Event]) -> tuple[bytes, ...]:
    return tuple(b'{"event":"' + str(kind.__struct_config__.tag).encode() + b'"' for kind in kinds)


_LINES = _beginnings(LogRead, LogPage)
_DETAILS = _beginnings(FileOpened, SymbolPage, LookedUp, CallReturned, FileChanged, SystemCallRefused, FolderListed)
"""What goes first, and then, when the budget is used up; the tag is the first key of each line."""


def _without_lines(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.startswith(_LINES)]


def _without_details(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.startswith(_LINES + _DETAILS)]


def _without_short_lives(lines: list[bytes]) -> list[bytes]:
    """Without all that is told of processes which were born and ended within these lines."""
    events = [decode(line) for line in lines]
    born = {event.pid for event in events if isinstance(event, ProcessStarted)}
    gone = {event.pid for event in events if isinstance(event, ProcessEnded) and event.pid in born}
    pairs = zip(lines, events, strict=True)
    return _without_details([line for line, event in pairs if getattr(event, "pid", None) not in gone])


_Thinning = Callable[[list[bytes]], list[bytes]]
_PASSES: tuple[_Thinning, ...] = (_without_lines, _without_details, _without_short_lives)
