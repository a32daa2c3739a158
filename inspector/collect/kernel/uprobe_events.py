"""Uprobes as perf and tracefs events, for kernels without `uprobe_multi` links (before Linux 6.6).

A single perf uprobe event has one place. From 5.15 on a perf link gives it a cookie; before, the cookie is a constant
of a program of its own. Closing one takes the kernel 50 to 120 ms, one after the other, so their number is bounded.
A tracefs event has many places and is closed at once. It has a name that all see: where it cannot be removed by us,
the next start does it. It is never written to while it is on: that crashes kernels (6.12, 6.18).
"""

import contextlib
import ctypes
import errno
import mmap
import os
import queue
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from . import bpf, perf, tracefs_events
from .assembler import Assembler, Helper
from .attach_cookies import PAGE, with_constant_cookie, with_cookie_by_place
from .bpf import Map, MapKind, ProgramKind
from .lock_priority import above_programs
from .shared_words import SharedWords

if TYPE_CHECKING:
    from .uprobes import ProbeSite, UprobeProgram

MOST_SINGLE = 240
"""Single events at the same time: closing all of them takes some 15 s, and a message has room for as many."""
_FEW = 16
"""So many places at once are worth single events even where tracefs can be used, if a link gives each its cookie."""
_CLOSING_THREADS = 8
"""More do not help: closes wait for each other."""
_PMU = Path("/sys/bus/event_source/devices/uprobe/type")


class UprobeEvents:
    """Single events for few places, tracefs events for many."""

    def __init__(self, cookies: bool, tracefs: bool) -> None:
        """`cookies`: perf links carry one; `tracefs`: events may be defined there."""
        self._cookies, self._tracefs = cookies, tracefs
        self._few = _FEW if cookies else 0
        self._kind = int(_PMU.read_text())
        self._single: set[int] = set()
        self._used = SharedWords(mmap.mmap(-1, mmap.PAGESIZE))
        """Number of single events; also of a process that was forked from this one, which gives us what it sets."""
        self._shared: dict[int, str] = {}
        """Descriptor of a tracefs event that is on -> its name."""
        self._lock = threading.Lock()
        self._aside = ThreadPoolExecutor(_CLOSING_THREADS, thread_name_prefix="close")

    @property
    def name(self) -> str:
        """What it is called, for people."""
        return "perf and tracefs uprobe events" if self._tracefs else "perf uprobe events"

    @property
    def lost(self) -> str:
        """What is lost against links over many places."""
        return "" if self.most is None else f"calls of more than {self.most} functions and exits"

    @property
    def most(self) -> int | None:
        """Places at the same time; None for any number."""
        return None if self._tracefs else MOST_SINGLE

    def load(self, code: bytes, name: str) -> int:
        """A descriptor of the program; BpfError when the kernel refuses it."""
        return bpf.load_program(ProgramKind.UPROBE, code if self._cookies else with_constant_cookie(code, 0), name)

    @property
    def left(self) -> float:
        """Share of `most` that is free, 1 where any number can be set."""
        return 1.0 if self.most is None else 1 - self._used[0] / self.most

    def portions(self, places: Sequence["ProbeSite"]) -> list[list[int]]:
        """Numbers of the places that go into one event each."""
        room = MOST_SINGLE - self._used[0]
        if self._tracefs and len(places) > min(self._few, room):
            return _apart_in_their_pages(places)
        return [[number] for number in range(len(places))]

    def attach(self, program: "UprobeProgram", path: bytes, places: Sequence["ProbeSite"]) -> int:
        """A descriptor that keeps the program on one portion of places; OSError when refused."""
        with above_programs():
            return self._attach(program, path, places)

    def _attach(self, program: "UprobeProgram", path: bytes, places: Sequence["ProbeSite"]) -> int:
        full = self._used[0] >= MOST_SINGLE
        if self._tracefs and (full or len(places) > 1 or not self._cookies):
            return self._attach_shared(program, path, places)
        if full:
            raise OSError(errno.ENOSPC, f"this kernel detaches probes slowly, so {MOST_SINGLE} at most are set")
        (place,) = places
        event = self.open_single(path, place.offset)
        try:
            link = self._put_on(program, event, place.cookie)
        except OSError:
            os.close(event)
            raise
        with self._lock:
            self._single.add(link)
            self._used[0] += 1
        return link

    def close(self, link: int) -> None:
        """Have the probes of one descriptor taken away soon; `finish` waits for it."""
        self._aside.submit(self._close, link)

    def give(self, link: int) -> None:
        """Close a descriptor that another process has by now: its probes stay, and so does its name."""
        with self._lock:
            self._single.discard(link)
            self._shared.pop(link, None)
        os.close(link)

    def finish(self) -> None:
        """Return when all that was closed is away, also what a process defined that has ended."""
        self._aside.shutdown()
        self._aside = ThreadPoolExecutor(_CLOSING_THREADS, thread_name_prefix="close")
        if self._tracefs:
            with contextlib.suppress(OSError):
                tracefs_events.sweep()

    def _close(self, link: int) -> None:
        with self._lock:
            if link in self._single:
                self._single.remove(link)
                self._used[0] -= 1
            name = self._shared.pop(link, None)
        with above_programs():
            os.close(link)
        if name is not None:
            tracefs_events.remove(name)

    def open_single(self, path: bytes, offset: int) -> int:
        """An event on one place, without a program yet."""
        where = ctypes.create_string_buffer(path)
        event = perf.Event(kind=self._kind, config=0, config1=ctypes.addressof(where), config2=offset)
        return perf.open_event(event, -1, 0)

    def _put_on(self, program: "UprobeProgram", event: int, cookie: int) -> int:
        """The one descriptor that is needed from here on: a link holds its event, an event holds its program."""
        if self._cookies:
            link = bpf.attach_perf_event(program.fd, event, cookie)
            os.close(event)
            return link
        own = bpf.load_program(ProgramKind.UPROBE, with_constant_cookie(program.code, cookie), program.name)
        try:
            perf.run_program(event, own)
        finally:
            os.close(own)
        return event

    def prepare(self, program: "UprobeProgram", files: int) -> None:
        """Have copies of a program verified ahead: on many places it takes one each time, and the kernel some ms to
        verify it. Each that is used is replaced aside."""
        for _ in range(files if self._tracefs else 0):
            program.copies.put(TabledProgram(program))

    def _copy(self, program: "UprobeProgram") -> "TabledProgram":
        try:
            copy = program.copies.get_nowait()
        except queue.Empty:
            return TabledProgram(program)
        self._aside.submit(self.prepare, program, 1)
        return copy

    def _attach_shared(self, program: "UprobeProgram", path: bytes, places: Sequence["ProbeSite"]) -> int:
        own = self._copy(program).filled(places)
        try:
            name, number = tracefs_events.define(path, [place.offset for place in places])
            try:
                link = perf.attach_tracepoint(own, number)
            except OSError:
                tracefs_events.remove(name)
                raise
        finally:
            os.close(own)
        with self._lock:
            self._shared[link] = name
        return link


def attempt(nowhere: bytes) -> UprobeEvents:
    """Whether the kernel allows them: a place is asked for that does not exist. OSError when it does not."""
    if not _PMU.exists():
        raise OSError(errno.EOPNOTSUPP, "this kernel has no uprobe events (CONFIG_UPROBE_EVENTS)")
    events = UprobeEvents(_has_cookies(), _may_define())
    try:
        os.close(events.open_single(nowhere, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    return events


def _has_cookies() -> bool:
    asks = Assembler()
    asks.call(Helper.ATTACH_COOKIE)
    asks.leave()
    return bpf.is_accepted(ProgramKind.UPROBE, asks.build())


def _may_define() -> bool:
    try:
        tracefs_events.sweep()
    except OSError:
        return False
    return True


class TabledProgram:
    """A copy of a program with a table of its own, which gives each place its cookie."""

    def __init__(self, program: "UprobeProgram") -> None:
        self._table = Map(MapKind.ARRAY, 4, 8 * PAGE, 1)
        code = with_cookie_by_place(program.code, self._table.fd)
        try:
            self._fd = bpf.load_program(ProgramKind.UPROBE, code, program.name)
        except OSError:
            self._table.close()
            raise

    def filled(self, places: Sequence["ProbeSite"]) -> int:
        """The program with the cookies of these places, as a descriptor."""
        cookies = [0] * PAGE
        for place in places:
            cookies[place.offset % PAGE] = place.cookie
        try:
            self._table.put(bytes(4), struct.pack(f"<{PAGE}Q", *cookies))
        finally:
            self._table.close()
        return self._fd

    def close(self) -> None:
        """Close the copy, which is not needed."""
        self._table.close()
        os.close(self._fd)


def _apart_in_their_pages(places: Sequence["ProbeSite"]) -> list[list[int]]:
    """Few groups, in each of which every place has another position in its page."""
    groups: list[dict[int, int]] = []
    for number, place in enumerate(places):
        position = place.offset % PAGE
        group = next((each for each in groups if position not in each), None)
        if group is None:
            group = {}
            groups.append(group)
        group[position] = number
    return [list(group.values()) for group in groups]
