"""Who asked: copies of call stacks become events with files, functions and lines."""

import threading
import time
from collections import deque
from typing import Final

import msgspec
from msgspec.structs import replace

from inspector.stream.session import LimitNoted
from inspector.stream.stacks import CodeFrame, Occasion, SourceFrame, StackTaken

from ...kernel import stack_programs, stack_requests
from ...kernel.engine import Engine
from ...kernel.memory import Memory
from ...kernel.records import InterpreterFrame, StackCopied
from ...kernel.registers import HERE, OTHER_PROCESSOR, X86_64
from ...kernel.stacks import Stacks
from ...python.frames import line_in, source_frames
from ...python.layouts import Layout
from ..contract import Session
from ..libraries.addresses import Addresses, CodeRange
from ..processes.feed import Feed
from ..tolerant_reads import attempt
from .interpreters import Interpreters
from .native import NativeFrames

_OCCASIONS: Final[tuple[Occasion, ...]] = (
    "entered",
    "refused",
    "load",
    "signal",
    "lookup",
    "lookup",
)
LAST_SECONDS: Final = 2.0
"""At the end, for stacks whose compiled code is not named yet."""
_LARGEST_TABLE: Final = 4 << 20
_AT_ONCE, _PER_SECOND = 60, 4
"""So many stacks are told at once, and so many a second after them: naming one takes some ms, aside."""
_ENDS: Final = {
    stack_programs.NO_THREAD: "Python does not know this thread",
    stack_programs.TWO_STATES: "this thread runs code of several interpreters",
    stack_programs.TOO_MANY: "there are more threads than were looked at",
    stack_programs.UNREADABLE: "the memory of the interpreter could not be read at that moment",
}


class StacksSource:
    """Turns copies of stacks into events, in a thread of its own: it reads files."""

    def __init__(self, session: Session, engine: Engine, feed: Feed, addresses: Addresses) -> None:
        self._session, self._addresses = session, addresses
        self._stacks = Stacks(engine)
        self._interpreters = Interpreters(self._stacks.know_python, self._stacks.forget)
        self._native = NativeFrames()
        self._told: tuple[int, int] = (0, 0)
        """Thread and moment of the last one."""
        self._room, self._room_at = float(_AT_ONCE), 0
        self._crowded = False
        self._copies: deque[_Copy] = deque()
        """Those that are not named yet, the oldest first."""
        self._wake = threading.Event()
        self._over = False
        session.tree.watch(self._interpreters)
        feed.listen(StackCopied, self._copied)
        self._loading = threading.Thread(target=self._stacks.load, name="load-stacks", daemon=True)
        self._naming = threading.Thread(target=self._name, name="name-stacks", daemon=True)
        self._loading.start()
        self._naming.start()

    def start(self) -> None:
        """When this returns, stacks are copied."""
        self._loading.join()
        if self._stacks.problem:
            limit = LimitNoted(at=self._session.loop.now(), what="who called (call stacks)", why=self._stacks.problem)
            self._session.sink.send(limit)
        for process in self._session.tree.processes():
            for mapping in list(process.mappings.values()):
                self._interpreters.mapped(process, mapping)

    def close(self) -> None:
        """Copy no more; what could not be named in time is told as far as it is known without reading files."""
        self._loading.join()
        self._stacks.close()
        end = time.monotonic() + LAST_SECONDS
        while self._copies and time.monotonic() < end:
            time.sleep(0.01)
        self._over = True
        self._wake.set()
        for copy in list(self._copies):
            self._session.sink.send(_event(copy, ([], "there was no time left to name the compiled code")))

    def _copied(self, record: StackCopied) -> None:
        """A call that is told at its beginning need not be told again when it refuses."""
        if (record.tid, record.moment) == self._told or not self._has_room(record.at):
            return
        self._told = (record.tid, record.moment)
        self._copies.append(_Copy(record, self._places(record.pid), self._layout(record.pid)))
        self._wake.set()

    def _name(self) -> None:
        while self._wake.wait() and not self._over:
            self._wake.clear()
            while self._copies and not self._over:
                self._session.loop.make_way()
                copy = self._copies[0]
                native = self._compiled(copy)
                known = copy.layout or self._layout(copy.record.pid)  # perhaps only since then
                event = _event(replace(copy, layout=known), native)
                if not self._over:
                    self._session.sink.send(event)
                    self._copies.popleft()
        self._native.close()

    def _compiled(self, copy: "_Copy") -> tuple[list[CodeFrame], str]:
        def find(address: int) -> CodeRange | None:
            return next((place for place in copy.places if place.holds(address)), None)

        try:
            return self._native.of(copy.record, find, at_boundary=copy.record.occasion != stack_requests.SIGNALLED)
        except (OSError, ValueError, IndexError) as error:
            return [], f"a file could not be read ({error})"

    def _has_room(self, now: int) -> bool:
        if self._room_at:
            self._room = min(_AT_ONCE, self._room + max(0, now - self._room_at) * _PER_SECOND / 1e9)
        self._room_at = now
        if self._room >= 1:
            self._room -= 1
            return True
        if not self._crowded:
            self._crowded = True
            why = f"more than {_PER_SECOND} refusals and deciding calls a second: not every stack is shown"
            self._session.sink.send(LimitNoted(at=now, what="who called (call stacks)", why=why))
        return False

    def _places(self, pid: int) -> list[CodeRange]:
        """With the paths by which we can open exactly those files, also where the process has another root."""
        process = self._session.tree.find(pid)
        paths = {one.file: one.open_path for one in process.mappings.values()} if process is not None else {}
        return [replace(one, open_path=paths.get(one.file, one.open_path)) for one in self._addresses.places(pid)]

    def _layout(self, pid: int) -> Layout | str | None:
        """A child that was just forked, and has executed nothing, has its parent's."""
        process = self._session.tree.find(pid)
        own = self._interpreters.layout(pid)
        if own is not None or process is None or process.program is not None:
            return own
        return self._interpreters.layout(process.ppid)


class _Copy(msgspec.Struct, frozen=True):
    """A copy, and what is known of its process at that moment."""

    record: StackCopied
    places: list[CodeRange]
    layout: Layout | str | None


def _event(copy: _Copy, native: tuple[list[CodeFrame], str]) -> StackTaken:
    record = copy.record
    source, source_end = _source(record, copy.layout)
    calls = record.occasion in (stack_requests.ENTERED, stack_requests.RETURNED)
    return StackTaken(
        at=record.at,
        pid=record.pid,
        tid=record.tid,
        occasion=_OCCASIONS[record.occasion],
        moment=record.moment,
        function=record.function if calls else -1,
        native=native[0],
        native_end=native[1],
        source=source,
        source_end=source_end,
    )


def _source(record: StackCopied, layout: Layout | str | None) -> tuple[list[SourceFrame], str]:
    if isinstance(layout, str):
        return [], layout
    if layout is not None and HERE is not X86_64:
        return [], OTHER_PROCESSOR
    if layout is None or record.python == stack_programs.NO_PYTHON:
        late = layout is not None
        return [], "its interpreter was not recognised before this call" if late else ""
    if record.python != stack_programs.FOUND:
        return [], _ENDS.get(record.python, "unknown")
    frames = source_frames([_completed(record.pid, frame, layout) for frame in record.frames], layout)
    return frames, "there are more" if record.more else ""


def _completed(pid: int, frame: InterpreterFrame, layout: Layout) -> InterpreterFrame:
    """The frame with its whole table of lines, where what was copied of it ends before the line that is wanted.

    A code object never changes; it is taken for the same when its table has the same length and beginning.
    """
    if len(frame.table) >= frame.table_size or line_in(frame, layout) is not None:
        return frame
    return attempt(lambda: _read_table(pid, frame, layout), frame)


def _read_table(pid: int, frame: InterpreterFrame, layout: Layout) -> InterpreterFrame:
    with Memory(pid) as memory:
        table = memory.word(frame.code + layout.line_table)
        if memory.word(table + layout.bytes_size) != frame.table_size or frame.table_size > _LARGEST_TABLE:
            return frame
        whole = memory.read(table + layout.bytes_data, frame.table_size)
    return replace(frame, table=whole) if whole.startswith(frame.table) else frame
