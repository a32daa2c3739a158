"""The kernel's records on their way to the sources: one drain, in order, each kind to those who listen for it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from ...kernel.records import Record
from ..contract import Loop
from ..poll_rate import Ticker

R = TypeVar("R", bound=Record)


class RecordSource(Protocol):
    """What tells of births, execs, ends and loads: the BPF engine, perf records, or polling."""

    @property
    def fd(self) -> int:
        """Readable when records wait; -1 when it must be asked now and then."""
        ...

    def follow(self, pid: int) -> bool:
        """Tell of this process and of all that it will give birth to; False when it cannot."""
        ...

    def drain(self) -> list[Record]:
        """The records since the last call, in order of time as far as the kernel keeps it."""
        ...


class Feed:
    """Drains the record source and hands its records out."""

    POLL_SECONDS = 0.05
    CHECK_SECONDS = 1.0

    def __init__(self, source: RecordSource, tells_ends: bool, second: RecordSource | None = None) -> None:
        """`tells_ends`: it gives an `Exited` record at the moment of each end; `second` takes whom it refuses."""
        self._source = source
        self._second = second
        self.tells_ends = tells_ends
        self._batch_listeners: list[Callable[[list[Record]], None]] = []
        self._listeners: dict[type, list[Callable[[Record], None]]] = {}

    def follow(self, pid: int) -> None:
        """Records of this process and its descendants from now on."""
        if not self._source.follow(pid) and self._second is not None:
            self._second.follow(pid)

    def before_batch(self, listener: Callable[[list[Record]], None]) -> None:
        """Hear a whole batch before its records are handed out one by one."""
        self._batch_listeners.append(listener)

    def listen(self, kind: type[R], listener: Callable[[R], None], first: bool = False) -> None:
        """Hear all records of one kind; `first`: before those who listen already."""
        listeners = self._listeners.setdefault(kind, [])
        listeners.insert(0 if first else len(listeners), listener)  # type: ignore[arg-type]

    def begin(self, loop: Loop) -> None:
        """Drain whenever records wait, and 50 ms later what came with them and wakes nobody; else every 50 ms."""
        for source in filter(None, (self._source, self._second)):
            self._begin(loop, source)

    def _begin(self, loop: Loop, source: RecordSource) -> None:
        def drain() -> bool:
            batch = source.drain()
            self.hand_out(batch)
            return bool(batch)

        def awake() -> None:
            if drain():
                ticker.wake()

        ticker = Ticker(loop, self.POLL_SECONDS, drain)
        if source.fd >= 0:
            loop.on_readable(source.fd, awake)
            loop.every(self.CHECK_SECONDS, ticker.wake)
        else:
            loop.every(self.POLL_SECONDS, lambda: self.hand_out(source.drain()))

    def hand_out(self, batch: list[Record]) -> None:
        """Give each record to its listeners; one that fails costs the others nothing and is raised at the end."""
        if not batch:
            return
        for batch_listener in self._batch_listeners:
            batch_listener(batch)
        failures: list[Exception] = []
        for record in batch:
            for listener in self._listeners.get(type(record), ()):
                try:
                    listener(record)
                except Exception as error:
                    failures.append(error)
        if failures:
            raise failures[0]

    def tell(self, record: Record) -> None:
        """Give one record to its listeners, as if the kernel had told it."""
        for listener in self._listeners.get(type(record), ()):
            listener(record)
