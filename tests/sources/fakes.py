"""A loop, a sink and a tree that a test drives by hand."""

import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from inspector.collect.kernel import procfs
from inspector.collect.kernel.cgroup import unit_of
from inspector.collect.kernel.rootfs import Root
from inspector.collect.sources.contract import Session, Tracked, TreeObserver
from inspector.stream.base import Event
from inspector.stream.processes import ProcessExec
from inspector.stream.requests import Configure, Plan

T = TypeVar("T")
E = TypeVar("E", bound=Event)


class FakeLoop:
    """Runs timers, handed callbacks and readable descriptors once a turn; background work runs at once."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []
        self.once: list[Callable[[], None]] = []
        self.handed: deque[Callable[[], None]] = deque()
        self.readable: dict[int, Callable[[], None]] = {}

    def now(self) -> int:
        return time.monotonic_ns()

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        self.readable[fd] = callback

    def forget(self, fd: int) -> None:
        self.readable.pop(fd, None)

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append(callback)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        self.once.append(callback)

    def soon(self, callback: Callable[[], None]) -> None:
        self.handed.append(callback)

    def in_background(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        result = work()
        self.soon(lambda: done(result))

    def make_way(self) -> None:
        """Nothing else needs a processor."""

    def settle(self) -> None:
        """Run what was handed in, and what that hands in."""
        while self.handed:
            self.handed.popleft()()

    def turn(self) -> None:
        """One round of everything."""
        self.settle()
        ready, _, _ = select.select(list(self.readable), [], [], 0)
        for fd in ready:
            if fd in self.readable:
                self.readable[fd]()
        once, self.once = self.once, []
        for timer in [*self.timers, *once]:
            timer()
        self.settle()


class FakeWriter:
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def send(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


class FakeTree:
    """Processes that the test says are in the tree."""

    def __init__(self) -> None:
        self.observers: list[TreeObserver] = []
        self.tracked: dict[int, Tracked] = {}

    def watch(self, observer: TreeObserver) -> None:
        self.observers.append(observer)

    def processes(self) -> list[Tracked]:
        return [process for process in self.tracked.values() if process.alive]

    def find(self, pid: int) -> Tracked | None:
        return self.tracked.get(pid)

    def add(self, pid: int, unit: str | None = None, environment: dict[bytes, bytes] | None = None) -> Tracked:
        """Take a real, living process in, as if it had just executed its program."""
        root = Root(pid)
        program = ProcessExec(
            at=time.monotonic_ns(),
            pid=pid,
            argv=[os.fsdecode(word) for word in procfs.argv(pid)],
            exe=os.fsdecode(procfs.link(pid, "exe")),
            root=os.fsdecode(root.directory),
            mount_namespace=root.mount_namespace,
            own_root=root.foreign,
            unit=unit if unit is not None else unit_of(procfs.cgroup(pid)),
        )
        process = Tracked(
            pid=pid,
            ppid=procfs.stat(pid).ppid,
            started=0,
            program=program,
            root=root,
            raw_environment=environment or {},
        )
        self.tracked[pid] = process
        for observer in self.observers:
            observer.born(process)
            observer.executed(process)
        return process

    def end(self, pid: int) -> None:
        """Its end was seen."""
        self.tracked[pid].alive = False
        for observer in self.observers:
            observer.ended(self.tracked[pid])


class Bench:
    """A session of fakes."""

    def __init__(self, plan: Plan | None = None, logs: list[str] | None = None) -> None:
        self.loop = FakeLoop()
        self.sink = FakeWriter()
        self.tree = FakeTree()
        self.session = Session(self.loop, self.sink, self.tree, Configure(plan=plan or Plan(), logs=logs or []))

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop until something is so; fails when it does not become so (files and threads take their time)."""
        for _ in range(1500):
            self.loop.turn()
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError(f"did not happen; the last events: {self.sink.events[-5:]}")
