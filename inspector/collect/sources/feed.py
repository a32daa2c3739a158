"""The kernel's records on their way to the sources: one drain, in order, each kind to those who listen for it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from ..kernel.records import Record
from .contract import Loop

R = TypeVar("R", bound=Record)


class RecordSource(Protocol):
    """What tells of births, execs, ends and loads: the BPF engine, perf records, or polling."""

    exact: bool
    """False when it looks now and then, so that what is short is missed."""

    @property
    def fd(self) -> int:
        """Readable when records wait; -1 when it must be asked now and then."""
        ...

    def follow(self, pid: int) -> None:
        """Tell of this process and of all that it will give birth to."""
        ...

    def drain(self) -> list[Record]:
        """The records since the last call, in order of time as far as the kernel keeps it."""
        ...


class Feed:
    """Drains one record source and hands its records out."""

    POLL_SECONDS = 0.05

    def __init__(self, source: RecordSource) -> None:
        self._source = source
        self._batch_listeners: list[Callable[[list[Record]], None]] = []
        self._listeners: dict[type, list[Callable[[Record], None]]] = {}

    @property
    def exact(self) -> bool:
        """False when short-lived processes can be missed."""
        return self._source.exact

    def follow(self, pid: int) -> None:
        """Records of this process and its descendants from now on."""
        self._source.follow(pid)

    def before_batch(self, listener: Callable[[list[Record]], None]) -> None:
        """Hear a whole batch before its records are handed out one by one."""
        self._batch_listeners.append(listener)

    def listen(self, kind: type[R], listener: Callable[[R], None]) -> None:
        """Hear all records of one kind."""
        self._listeners.setdefault(kind, []).append(listener)  # type: ignore[arg-type]

    def begin(self, loop: Loop) -> None:
        """Drain whenever records wait, or every 50 ms."""
        if self._source.fd >= 0:
            loop.on_readable(self._source.fd, self.drain)
        else:
            loop.every(self.POLL_SECONDS, self.drain)

    def drain(self) -> None:
        """Hand out what waits."""
        self.hand_out(self._source.drain())

    def hand_out(self, batch: list[Record]) -> None:
        """Give each record to its listeners."""
        if not batch:
            return
        for batch_listener in self._batch_listeners:
            batch_listener(batch)
        for record in batch:
            for listener in self._listeners.get(type(record), ()):
                listener(record)
