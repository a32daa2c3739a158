"""Threads for each processor: one runs where something happened, before the program that did it goes on."""

import os
import select
import threading
import time
from collections.abc import Callable, Sequence

from ..access.opening import OpenPath
from ..kernel.early_programs import Began, EarlyMaps, FirstRead, parse
from ..kernel.membership import Membership
from ..kernel.real_time import real_time
from ..kernel.records import Mapped
from .arming import Arming
from .load_candidates import LoadCandidates
from .load_watch import CodeMappings, FirstReads, LoadWatch
from .priority import PRIORITY, pin, short_slice

_BUDGET_NS = 1_000_000
"""So long a thread may keep a program that begins from going on, to look at what it may load; the rest is left to
another process: what is loaded sooner is met when it is read."""
_BUDGET_WITHOUT_READS_NS = 4_000_000
"""The same where first reads are not told, and what was not foreseen is met too late for its first calls."""
_REACTING = 2
"""Threads for each processor: while one waits in the kernel for a probe to be set, which forks of others can hold up,
the next event has one that takes it."""


class CpuThreads:
    """The threads. Nothing else that computes may share Python's lock with them."""

    YOUNG_SECONDS = 30.0
    """So long after a program began its libraries are expected."""

    def __init__(
        self,
        maps: EarlyMaps,
        arming: Arming,
        load_candidates: LoadCandidates,
        members: Membership,
        source: FirstReads | CodeMappings,
        is_awaited: Callable[[int], bool],
        young: Callable[[], None],
        foresee: Callable[[int], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """`young`: called when a program begins; `foresee`: gets a process for whose files there is no time here;
        `failed`: told of a fault of ours, which costs one file only."""
        self._budget = _BUDGET_WITHOUT_READS_NS if isinstance(source, CodeMappings) else _BUDGET_NS
        self._maps, self._arming, self._load_candidates, self._members = maps, arming, load_candidates, members
        self._mappings = source.rings if isinstance(source, CodeMappings) else {}
        self.load_watch = LoadWatch(source)
        self._is_awaited, self._young, self._foresee, self._failed = is_awaited, young, foresee, failed
        self.active = False
        """Whether programs that begin are reacted to; what is told of them before is left to the collector."""

    def start(self, processors: list[int]) -> None:
        """Begin to react."""
        for processor in processors:
            turn = threading.Lock()
            for _ in range(_REACTING):
                name = f"react-{processor}"
                threading.Thread(target=self._react, args=(processor, turn), daemon=True, name=name).start()

    def rehearse(self) -> None:
        """Look at ourselves as at a program that begins."""
        self._is_awaited(os.getpid())
        self._look_at(os.getpid())

    def _look_at(self, pid: int) -> None:
        """Probe what a process will probably load, as long as there is time for it."""
        until = time.monotonic_ns() + self._budget
        for path in self._load_candidates.likely(pid):
            if path:
                self._arming.foresee(path)
            if time.monotonic_ns() > until:
                self._foresee(pid)
                break

    def _react(self, processor: int, turn: threading.Lock) -> None:
        refused = real_time(PRIORITY)
        if not refused or short_slice():  # else it would wait there for the program: another processor may be free
            pin(processor)
        ring, mappings = self._maps.rings[processor], self._mappings.get(processor)
        poll = select.epoll()
        for each in (ring, mappings) if mappings is not None else (ring,):
            poll.register(each.fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        while True:
            poll.poll()
            try:
                with turn:
                    records, mapped = ring.drain(), mappings.drain() if mappings is not None else []
                self._take(records, mapped)
            except Exception as error:
                self._failed(error)

    def _take(self, records: list[bytes], mappings: Sequence[object]) -> None:
        for raw in records:
            record = parse(raw)
            if isinstance(record, Began) and self.active:
                self._began(record)
            elif isinstance(record, FirstRead):
                self._read(record)
        for mapped in mappings:
            if isinstance(mapped, Mapped) and b".so" in os.path.basename(mapped.path):
                self._mapped(mapped)

    def _began(self, record: Began) -> None:
        if not record.member and not self._is_awaited(record.pid):
            return
        self.load_watch.keep(self.YOUNG_SECONDS)
        if self._load_candidates.is_repeat(record.pid):
            return
        self._look_at(record.pid)
        self._young()

    def _read(self, record: FirstRead) -> None:
        if self._arming.is_known(record.key):
            self._arming.wait(record.key)
            return
        self._young()  # something new comes: further probes are to be set quickly
        path = opened_file(record)
        if path:  # a link that the kernel keeps to the very file that the process has open, or maps
            self._arming.arm(OpenPath(path, held=True, seen_as=_seen_as(path)), record.key)

    def _mapped(self, record: Mapped) -> None:
        if self._members.slot_of(record.pid) is not None:
            path = b"/proc/%d/map_files/%x-%x" % (record.pid, record.start, record.start + record.length)
            self._arming.arm(OpenPath(path, held=True, seen_as=record.path))


def opened_file(record: FirstRead) -> bytes:
    """The very file, whatever its path and mounts: by the descriptor that is read, or by its mapping.

    By its inode first, because we may come late and the descriptor's number mean another file of that name; then by its
    name, because an overlay shows another inode than the file system below it.
    """
    inode, by_name = record.inode, b""
    if record.descriptor is not None:
        path = b"/proc/%d/fd/%d" % (record.pid, record.descriptor)
        if os.path.basename(_seen_as(path)) == record.name:
            if _inode(path) == inode:
                return path
            by_name = path
    try:
        with open(b"/proc/%d/maps" % record.pid, "rb") as file:
            lines = [line for line in file.read().splitlines() if line.endswith(b"/" + record.name)]
    except OSError:
        lines = []
    exact = [line for line in lines if line.split(None, 5)[4] == b"%d" % inode]
    for line in exact or ([] if by_name else lines):
        return b"/proc/%d/map_files/%s" % (record.pid, line.split(b" ", 1)[0])
    return by_name


def _inode(path: bytes) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _seen_as(path: bytes) -> bytes:
    try:
        return os.readlink(path)
    except OSError:
        return b""
