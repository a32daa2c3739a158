"""A session without an agent: work is done at once, events are kept, the tree holds what the test puts in."""

import time
from collections.abc import Callable
from typing import TypeVar

from inspector.collect.elf.image import read_image
from inspector.collect.kernel import procfs
from inspector.collect.sources.contract import Mapping, Session, Tracked, TreeObserver
from inspector.stream.base import Event
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import Configure, Plan
from inspector.stream.text import decode

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class ImmediateLoop:
    """Callbacks run when the test says so, background work at once."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []
        self.once: list[Callable[[], None]] = []

    def now(self) -> int:
        return time.monotonic_ns()

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None: ...

    def forget(self, fd: int) -> None: ...

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append(callback)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        self.once.append(callback)

    def soon(self, callback: Callable[[], None]) -> None:
        callback()

    def in_background(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        done(work())

    def make_way(self) -> None:
        """Nothing else needs a processor."""

    def tick(self) -> None:
        """All timers fire once."""
        once, self.once = self.once, []
        for callback in [*self.timers, *once]:
            callback()


class KeepingWriter:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Event] = []

    def send(self, event: Event) -> None:
        self.sent.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.sent if isinstance(event, kind)]


class FixedTree:
    """The processes that the test names."""

    def __init__(self) -> None:
        self.members: list[Tracked] = []
        self.observers: list[TreeObserver] = []

    def watch(self, observer: TreeObserver) -> None:
        self.observers.append(observer)

    def processes(self) -> list[Tracked]:
        return [process for process in self.members if process.alive]

    def find(self, pid: int) -> Tracked | None:
        return next((process for process in self.members if process.pid == pid), None)


class Bench:
    """A session and everything that a test wants to see of it."""

    def __init__(self, plan: Plan, *, count: bool = True) -> None:
        self.loop, self.sink, self.tree = ImmediateLoop(), KeepingWriter(), FixedTree()
        self.session = Session(self.loop, self.sink, self.tree, Configure(plan=plan, count=count))

    def track(self, pid: int) -> Tracked:
        """Put a living process into the tree, with its executable mappings."""
        process = Tracked(pid=pid, ppid=1, started=procfs.stat(pid).started)
        for line in procfs.executable_maps(pid):
            if line.path.startswith(b"/"):
                path = b"/proc/%d/map_files/%x-%x" % (pid, line.start, line.end)
                process.mappings[line.start] = Mapping(
                    pid, decode(line.path), path, line.file, line.start, line.end, line.offset, line.start - line.offset
                )
        self.tree.members.append(process)
        return process

    def tell_images(self, process: Tracked) -> list[ImageRead]:
        """Tell the observers the ELF facts of everything that a process maps."""
        images = []
        for mapping in list(process.mappings.values()):
            image = read_image(mapping.open_path, mapping.path, mapping.file, self.loop.now(), self.session.plan)
            images.append(image)
            for observer in self.tree.observers:
                observer.image(process, mapping, image)
        return images
