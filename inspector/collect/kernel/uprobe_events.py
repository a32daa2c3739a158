"""Uprobes as perf and tracefs events, for kernels without `uprobe_multi` links (before Linux 6.6).

A single perf uprobe event has one place. From 5.15 on a perf link gives it a cookie; before, the cookie is a constant
of a program of its own. Closing one takes the kernel 50 to 120 ms, one after the other, so their number is bounded.
A tracefs event has many places and is closed at once. It has a name that all see: where it cannot be removed by us,
the next start does it. It is never written to while it is on: that crashes kernels (6.12, 6.18).
"""

import ctypes
import errno
import os
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

if TYPE_CHECKING:
    from .uprobes import Place, UprobeProgram

MOST_SINGLE = 256
"""Single events at the same time: closing all of them takes some 15 s."""
_FEW = 16
"""So many places at once are worth single events even where tracefs can be used."""
_CLOSING_THREADS = 8
"""More do not help: closes wait for each other."""
_PMU = Path("/sys/bus/event_source/devices/uprobe/type")


class UprobeEvents:
    """Single events for few places, tracefs events for many."""

    given_away = False

    def __init__(self, cookies: bool, tracefs: bool) -> None:
        """`cookies`: perf links carry one; `tracefs`: events may be defined there."""
        self._cookies, self._tracefs = cookies, tracefs
        self._kind = int(_PMU.read_text())
        self._single: set[int] = set()
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
        slow = "first calls and look-ups of a library that nobody could foresee: setting a probe takes 1 to 3 ms"
        return slow if self.most is None else f"{slow}; calls of more than {self.most} functions and exits"

    @property
    def most(self) -> int | None:
        """Places at the same time; None for any number."""
        return None if self._tracefs else MOST_SINGLE

    def load(self, code: bytes, name: str) -> int:
        """A descriptor of the program; BpfError when the kernel refuses it."""
        return bpf.load_program(ProgramKind.UPROBE, code if self._cookies else with_constant_cookie(code, 0), name)

    def portions(self, places: Sequence["Place"]) -> list[list[int]]:
        """Numbers of the places that go into one event each."""
        room = MOST_SINGLE - len(self._single)
        if self._tracefs and len(places) > min(_FEW, room):
            return _apart_in_their_pages(places)
        return [[number] for number in range(len(places))]

    def attach(self, program: "UprobeProgram", path: bytes, places: Sequence["Place"]) -> int:
        """A descriptor that keeps the program on one portion of places; OSError when refused."""
        full = len(self._single) >= MOST_SINGLE
        if self._tracefs and (full or len(places) > 1):
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
        return link

    def close(self, link: int) -> None:
        """Have the probes of one descriptor taken away soon; `finish` waits for it."""
        self._aside.submit(self._close, link)

    def finish(self) -> None:
        """Return when all that was closed is away."""
        self._aside.shutdown()
        self._aside = ThreadPoolExecutor(_CLOSING_THREADS, thread_name_prefix="close")

    def _close(self, link: int) -> None:
        with self._lock:
            self._single.discard(link)
            name = self._shared.pop(link, None)
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

    def _attach_shared(self, program: "UprobeProgram", path: bytes, places: Sequence["Place"]) -> int:
        own = _with_table(program, places)
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


def _with_table(program: "UprobeProgram", places: Sequence["Place"]) -> int:
    """The program with the cookies of these places, as a descriptor."""
    cookies = [0] * PAGE
    for place in places:
        cookies[place.offset % PAGE] = place.cookie
    table = Map(MapKind.ARRAY, 4, 8 * PAGE, 1)
    try:
        table.put(bytes(4), struct.pack(f"<{PAGE}Q", *cookies))
        return bpf.load_program(ProgramKind.UPROBE, with_cookie_by_place(program.code, table.fd), program.name)
    finally:
        table.close()


def _apart_in_their_pages(places: Sequence["Place"]) -> list[list[int]]:
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
