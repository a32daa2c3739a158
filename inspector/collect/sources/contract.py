"""What every source may rely on: the loop that drives it, the sink for its events, the tree that it watches."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from inspector.stream.base import Event
from inspector.stream.libraries import ImageRead
from inspector.stream.processes import ProcessExec
from inspector.stream.requests import Configure, Plan

from ..elf.image_cache import ImageCache
from ..kernel.rootfs import Root

T = TypeVar("T")


class EventSink(Protocol):
    """Where events go; thread-safe, never blocks the caller for long."""

    def send(self, event: Event) -> None:
        """Hand an event on, to the viewer and to a recording; it never blocks."""


class Loop(Protocol):
    """The collector's single loop; all callbacks run in its thread. An exception in one becomes a LimitNoted."""

    def now(self) -> int:
        """CLOCK_MONOTONIC ns."""
        ...

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back in the loop whenever a descriptor can be read (poll(2))."""

    def forget(self, fd: int) -> None:
        """Call back no more for a descriptor; before it is closed, since its number is used again."""

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back each so many seconds until the loop ends."""

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, in so many seconds."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Run in the loop's thread; may be called from any thread."""
        ...

    def in_background(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `work` in the one worker thread (files, hashing), then `done` with its result in the loop."""
        ...

    def make_way(self) -> None:
        """In a thread of one's own that reads files: return when a program that begins needs no processor of ours."""
        ...


class Mapping(msgspec.Struct):
    """One file mapped executable in one tracked process."""

    pid: int
    path: str
    """As the process sees it, harmless text."""
    open_path: bytes
    """By which the collector can open exactly that file: /proc/PID/map_files/..., /proc/PID/root/... or the path."""
    file: str
    """`MAJOR:MINOR:INODE`."""
    start: int
    end: int
    offset: int
    base: int
    """Load bias."""

    def of(self, pid: int) -> "Mapping":
        """The same in a child."""
        return Mapping(pid, self.path, self.open_path, self.file, self.start, self.end, self.offset, self.base)


class Tracked(msgspec.Struct):
    """One process under observation, as the sources share it."""

    pid: int
    ppid: int
    started: int
    alive: bool = True
    gone: bool = False
    """Its end is among the records that are handed out now: /proc tells nothing of it any more."""
    program: ProcessExec | None = None
    root: Root | None = None
    """The file tree that its program began in; None when that was not seen, or it is a fork of who saw it."""
    raw_environment: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    """Whole environment at exec; never leaves the collector."""
    mappings: dict[int, Mapping] = msgspec.field(default_factory=dict)
    """Executable file mappings by start address."""

    @property
    def readable(self) -> bool:
        """Whether /proc may still tell something of it: who asks of one that is gone waits for nothing."""
        return self.alive and not self.gone

    @property
    def seen_from_its_exec(self) -> bool:
        """Whether its program began under our eyes, so that nothing of it was before us; its process may be older."""
        return self.program is not None and self.program.environment_source == "exec"


class TreeObserver:
    """What a source overrides to hear about the tree; called in the loop's thread, after the event was sent."""

    def born(self, process: Tracked) -> None:
        """A process joined the tree: forked by one of it, or found when we attached."""

    def executed(self, process: Tracked) -> None:
        """It executed a program: all that was mapped before is gone."""

    def ended(self, process: Tracked) -> None:
        """It ended; its files in /proc may be gone already."""

    def forgotten(self, process: Tracked) -> None:
        """It ended long ago and nobody has its number: no record of it is to come."""

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """A file was mapped executable in a process."""

    def unmapped(self, process: Tracked, mapping: Mapping) -> None:
        """A mapping is gone, by munmap(2), dlclose(3) or an exec."""

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """The ELF facts of a mapped file are known (once per process and file)."""


class Tree(Protocol):
    """The processes under observation."""

    def watch(self, observer: TreeObserver) -> None:
        """Tell an observer of everything from now on; what is there already it has to ask for."""

    def processes(self) -> list[Tracked]:
        """The living ones."""
        ...

    def find(self, pid: int) -> Tracked | None:
        """The living process of that number; None where it is not of the tree."""


class Session:
    """What one observation shares among its sources."""

    def __init__(self, loop: Loop, sink: EventSink, tree: Tree, configure: Configure) -> None:
        self.loop, self.sink, self.tree, self.configure = loop, sink, tree, configure
        self.captured: dict[tuple[int, int], str] = {}
        """Files of ours in which the output of a program is caught that we started, by device and inode: what they
        hold."""
        self.probed: set[str] = set()
        """Files (by identity) that carry or carried probes of ours: their code pages are no evidence of a patch."""
        self.lookups_probed_at = 0
        """When look-ups of one more file began to be told, ns: what was in the middle of one then is told by nobody."""
        self.images = ImageCache(configure.plan)
        """What was read of library files, in this run and before."""

    @property
    def plan(self) -> Plan:
        """What to look for, as the viewer last said."""
        return self.configure.plan
