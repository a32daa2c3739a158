"""Reads the kernel's records in one place, in order of time, and passes each kind to the sources subscribed to it."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from ...kernel.records import Forked, Record
from ..contract import Loop
from ..poll_rate import Ticker
from .fault_isolation import raising

R = TypeVar("R", bound=Record)


class RecordSource(Protocol):
    """Source of fork, exec, exit and mmap records: BPF, perf events, or polling of /proc."""

    @property
    def fd(self) -> int:
        """File descriptor that is readable when records wait; -1: it must be polled."""
        ...

    def follow(self, pid: int) -> bool:
        """Record this process and its descendants; False when the source cannot."""
        ...

    def drain(self) -> list[Record]:
        """Records since the last call; sorted by time within a CPU, nearly so across CPUs."""
        ...


FLOOD = 30
"""Forks a second from which records are read in batches: such children end before /proc could be read anyway."""
BATCH_SECONDS = 0.25
_SECOND = 1_000_000_000


class Flood:
    """Detects a fork rate at which reading each process at once costs too much."""

    def __init__(self) -> None:
        self._second, self._births, self._before = 0, 0, 0

    def too_many(self, now: int, births: int) -> bool:
        """Count forks; True while there were too many in this second or the previous one."""
        second = now // _SECOND
        if second != self._second:
            self._before = self._births if second == self._second + 1 else 0
            self._second, self._births = second, 0
        self._births += births
        return max(self._births, self._before) > FLOOD


class Feed:
    """Drains the record source and dispatches its records; in batches while the fork rate is high."""

    POLL_SECONDS = 0.05

    def __init__(self, source: RecordSource, tells_ends: bool, second: RecordSource | None = None) -> None:
        """`tells_ends`: it gives an `Exited` record at the moment of each end; `second` takes whom it refuses."""
        self._source = source
        self._second = second
        self.tells_ends = tells_ends
        self._loop: Loop | None = None
        self._batch_listeners: list[Callable[[list[Record]], None]] = []
        self._flood = Flood()
        self.flooded = False
        """Records are read in batches: sources that poll may poll more rarely."""
        self._listeners: dict[type, list[Callable[[Record], None]]] = {}

    def follow(self, pid: int) -> None:
        """Records of this process and its descendants from now on."""
        if not self._source.follow(pid) and self._second is not None:
            self._second.follow(pid)

    def before_batch(self, listener: Callable[[list[Record]], None]) -> None:
        """Subscribe to whole batches, before their records are dispatched one by one."""
        self._batch_listeners.append(listener)

    def listen(self, kind: type[R], listener: Callable[[R], None], first: bool = False) -> None:
        """Subscribe to one kind of record; `first`: before the existing subscribers."""
        listeners = self._listeners.setdefault(kind, [])
        listeners.insert(0 if first else len(listeners), listener)  # type: ignore[arg-type]

    def begin(self, loop: Loop) -> None:
        """Drain whenever records wait, and 50 ms later what came with them and wakes nobody; else every 50 ms."""
        self._loop = loop
        for source in filter(None, (self._source, self._second)):
            self._begin(loop, source)

    def _begin(self, loop: Loop, source: RecordSource) -> None:
        if source.fd >= 0:
            _Drain(loop, source, self).begin()
        else:
            loop.every(self.POLL_SECONDS, lambda: self.hand_out(source.drain()))

    def drain(self) -> None:
        """Read and hand out what waits and wakes nobody: before one says that all is told."""
        for source in filter(None, (self._source, self._second)):
            self.hand_out(source.drain())

    def hand_out(self, batch: list[Record]) -> None:
        """Dispatch records; one listener that raises does not affect the others: the loop reports it by its name."""
        kinds = list(map(type, batch))
        self.flooded = self._flood.too_many(time.monotonic_ns(), kinds.count(Forked))
        if not batch:
            return
        failures: list[tuple[Callable[..., None], Exception]] = []
        for batch_listener in self._batch_listeners:
            try:
                batch_listener(batch)
            except Exception as error:
                failures.append((batch_listener, error))
        listeners = self._listeners.get
        for kind, record in zip(kinds, batch, strict=True):
            for listener in listeners(kind, ()):
                try:
                    listener(record)
                except Exception as error:
                    failures.append((listener, error))
        for failed, fault in failures:
            if self._loop is None:
                raise fault
            self._loop.soon(raising(fault, getattr(failed, "__qualname__", type(failed).__name__)))

    def tell(self, record: Record) -> None:
        """Dispatch one record as if it came from the kernel."""
        for listener in self._listeners.get(type(record), ()):
            listener(record)


class _Drain:
    """When the records of a source are read that can be waited for."""

    CHECK_SECONDS = 1.0

    def __init__(self, loop: Loop, source: RecordSource, feed: Feed) -> None:
        self._loop, self._source, self._feed = loop, source, feed
        self._resting = False
        """A flood is on: records wait for the next batch."""
        self._ticker = Ticker(loop, Feed.POLL_SECONDS, self._drain)

    def begin(self) -> None:
        """From now on."""
        self._loop.on_readable(self._source.fd, self._awake)
        self._loop.every(self.CHECK_SECONDS, self._ticker.wake)

    def _awake(self) -> None:
        if self._drain() and not self._resting:
            self._ticker.wake()

    def _drain(self) -> bool:
        """Whether there was something; the ticker looks again then."""
        batch = self._source.drain()
        self._feed.hand_out(batch)
        if self._feed.flooded and not self._resting:
            self._loop.forget(self._source.fd)
            self._resting = True
            self._loop.after(BATCH_SECONDS, self._next_batch)
        return bool(batch) and not self._resting

    def _next_batch(self) -> None:
        self._resting = False
        self._loop.on_readable(self._source.fd, self._awake)
        self._ticker.wake()
