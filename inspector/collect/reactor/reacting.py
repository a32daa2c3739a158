"""One thread for each processor: it runs where something happened, before the program that did it goes on."""

import os
import queue
import select
import threading
import time
from collections.abc import Callable, Iterator

from ..access.opening import OpenPath
from ..kernel import bpf
from ..kernel.bpf import BpfError, ProgramKind
from ..kernel.btf import BtfError
from ..kernel.early_programs import READ_TRACEPOINT, Began, EarlyMaps, FirstRead, parse, read_program
from ..kernel.membership import Membership
from .arming import Arming
from .foresight import Foresight
from .priority import pin, real_time

_PRIORITY = 50
_BUDGET_NS = 4_000_000
"""So long a thread may hold its processor for one event; what is left to be looked at is done aside."""
_LATER_PRIORITY = 10
"""Above ordinary programs, because it holds locks that the reacting threads want; it rests after each step."""
_REST = 3
"""The thread aside rests so many times as long as it worked."""


class ReadWatch:
    """Tells of the first read of each library, while it is on: then each read of a cached page costs 70 ns more."""

    def __init__(self, members: Membership, maps: EarlyMaps) -> None:
        """OSError or BtfError where this kernel has not the tracepoint or refuses the program."""
        program = bpf.load_program(ProgramKind.RAW_TRACEPOINT, read_program(members, maps), "first_read")
        self._program, self._link, self._until = program, -1, 0
        self._lock = threading.Lock()
        self.keep(0.001)

    def keep(self, seconds: float) -> None:
        """Be on for so long at least."""
        with self._lock:
            self._until = max(self._until, time.monotonic_ns() + int(seconds * 1e9))
            if self._link < 0:
                self._link = bpf.attach_raw_tracepoint(self._program, READ_TRACEPOINT)

    def rest(self) -> float | None:
        """Turn it off when its time is over; seconds until then, None when it is off."""
        with self._lock:
            left = self._until - time.monotonic_ns()
            if self._link >= 0 and left <= 0:
                os.close(self._link)
                self._link = -1
            return left / 1e9 if self._link >= 0 else None


class Reacting:
    """The threads, and one more that does aside what takes longer."""

    YOUNG_SECONDS = 30.0
    """So long after a program began its libraries are expected."""

    def __init__(
        self,
        maps: EarlyMaps,
        arming: Arming,
        foresight: Foresight,
        reads: ReadWatch | None,
        is_awaited: Callable[[int], bool],
        young: Callable[[], None],
    ) -> None:
        """`young`: called when a program begins."""
        self._maps, self._arming, self._foresight, self._reads = maps, arming, foresight, reads
        self._is_awaited, self._young = is_awaited, young
        self.active = False
        """Whether programs that begin are reacted to; what is told of them before is left to the collector."""
        self._later: queue.SimpleQueue[Iterator[object]] = queue.SimpleQueue()
        self.troubles: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self, processors: list[int]) -> None:
        """Begin to react."""
        for processor in processors:
            threading.Thread(target=self._react, args=(processor,), daemon=True, name=f"react-{processor}").start()
        threading.Thread(target=self._work_aside, daemon=True, name="aside").start()

    def later(self, steps: Iterator[object]) -> None:
        """Do this aside, step by step."""
        self._later.put(steps)

    def _react(self, processor: int) -> None:
        pin(processor)
        if why := real_time(_PRIORITY):
            self.troubles.put(why)
        ring = self._maps.rings[processor]
        poll = select.epoll()
        poll.register(ring.fd, select.EPOLLIN)
        while True:
            poll.poll()
            for raw in ring.drain():
                record = parse(raw)
                if isinstance(record, Began) and self.active:
                    self._began(record)
                elif isinstance(record, FirstRead):
                    self._read(record)

    def _began(self, record: Began) -> None:
        until = time.monotonic_ns() + _BUDGET_NS
        if not record.member and not self._is_awaited(record.pid):
            return
        if self._reads is not None:
            self._reads.keep(self.YOUNG_SECONDS)
        steps = (self._arming.arm(path) for path in self._foresight.likely(record.pid))
        for _ in steps:
            if time.monotonic_ns() > until:
                self._later.put(steps)
                break
        self._young()

    def _read(self, record: FirstRead) -> None:
        if self._arming.is_known(record.key):
            return
        path = _opened(record)
        if path:  # a link that the kernel keeps to the very file that the process has open, or maps
            self._arming.arm(OpenPath(path, held=True), _seen_as(path), record.key)

    def _work_aside(self) -> None:
        real_time(_LATER_PRIORITY)
        while True:
            for _ in _rested(self._later.get()):
                pass


def _rested(steps: Iterator[object]) -> Iterator[object]:
    begun = time.monotonic()
    for step in steps:
        yield step
        time.sleep(min(_REST * (time.monotonic() - begun), 0.1))
        begun = time.monotonic()


def _opened(record: FirstRead) -> bytes:
    """The very file, whatever its path and mounts: by the descriptor that is read, or by its mapping."""
    if record.descriptor is not None:
        path = b"/proc/%d/fd/%d" % (record.pid, record.descriptor)
        if os.path.basename(_seen_as(path)) == record.name:
            return path
    try:
        with open(b"/proc/%d/maps" % record.pid, "rb") as file:
            for line in file:
                if line.rstrip().endswith(b"/" + record.name):
                    return b"/proc/%d/map_files/%s" % (record.pid, line.split(b" ", 1)[0])
    except OSError:
        pass
    return b""


def _seen_as(path: bytes) -> bytes:
    try:
        return os.readlink(path)
    except OSError:
        return b""


def read_watch(members: Membership, maps: EarlyMaps) -> ReadWatch | str:
    """The watch, or why this kernel has none."""
    try:
        return ReadWatch(members, maps)
    except (BpfError, BtfError) as error:
        return str(error).splitlines()[0]
