"""A loop without threads or time, a sink that keeps, a record source that says what it is told."""

from collections.abc import Callable
from typing import TypeVar

from inspector.collect.kernel.records import Record
from inspector.collect.sources.contract import Tracked, TreeObserver
from inspector.collect.sources.processes.feed import Feed
from inspector.collect.sources.processes.processes import ProcessTree
from inspector.collect.sources.processes.program import Keys
from inspector.stream.base import Event

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class FakeLoop:
    """Time stands still until a test moves it; background work is done at once."""

    def __init__(self) -> None:
        self.time = 10**12
        self.readable: dict[int, Callable[[], None]] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.once: list[Callable[[], None]] = []
        self.handed: list[Callable[[], None]] = []

    def now(self) -> int:
        self.time += 1
        return self.time

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        self.readable[fd] = callback

    def forget(self, fd: int) -> None:
        self.readable.pop(fd, None)

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append((seconds, callback))

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        self.once.append(callback)

    def soon(self, callback: Callable[[], None]) -> None:
        self.handed.append(callback)

    def in_background(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        done(work())

    def make_way(self) -> None:
        """Nothing else needs a processor."""

    def settle(self) -> None:
        """Run what was handed over."""
        while self.handed:
            self.handed.pop(0)()

    def tick(self) -> None:
        """Let every timer fire once."""
        once, self.once = self.once, []
        for callback in [*(callback for _, callback in self.timers), *once]:
            callback()


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def send(self, event: Event) -> None:
        self.events.append(event)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class Told:
    """A record source."""

    fd = -1

    def __init__(self) -> None:
        self.followed: list[int] = []
        self.waiting: list[Record] = []
        self.refuses = False

    def follow(self, pid: int) -> bool:
        self.followed.append(pid)
        return not self.refuses

    def drain(self) -> list[Record]:
        waiting, self.waiting = self.waiting, []
        return waiting


class Witness(TreeObserver):
    """Writes down what an observer hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def born(self, process: Tracked) -> None:
        self.heard.append(("born", process.pid))

    def executed(self, process: Tracked) -> None:
        self.heard.append(("executed", process.pid))

    def ended(self, process: Tracked) -> None:
        self.heard.append(("ended", process.pid))


class Grove:
    """A process tree on fakes."""

    def __init__(self, tells_ends: bool = True) -> None:
        self.loop, self.sink, self.source = FakeLoop(), Kept(), Told()
        self.feed = Feed(self.source, tells_ends=tells_ends)
        self.emptied = 0
        self.tree = ProcessTree(self.loop, self.sink, Keys([]), self.feed, self._count_empty)
        self.witness = Witness()
        self.tree.watch(self.witness)

    def _count_empty(self) -> None:
        self.emptied += 1
