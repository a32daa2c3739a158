"""The process tree: births, execs and ends of the target and of everything that it gives birth to."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from inspector.stream.invocation import is_inspector
from inspector.stream.libraries import ImageRead
from inspector.stream.processes import ProcessEnded, ProcessStarted
from inspector.stream.session import EventsLost
from inspector.stream.text import decode

from ...kernel import procfs
from ...kernel.losses import OF_LIVES
from ...kernel.pidfd import ExitWatch
from ...kernel.records import Executed, Exited, Forked, Lost, Record
from ..contract import EventSink, Loop, Mapping, Tracked, TreeObserver
from ..tolerant_reads import attempt
from .fault_isolation import tell
from .feed import Feed
from .program import Keys, read_program

Origin = Literal["attach", "fork", "run", "map"]
Kind = Literal["born", "executed", "ended", "forgotten", "mapped", "unmapped", "image"]
"""What observers of the tree hear of."""
_DEAD_KEPT = 500
"""Dead processes that late records can still be resolved against."""

SAME_BIRTH = 3 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
"""/proc tells births in clock ticks: what is closer than three of them is the same birth."""


class ProcessTree:
    """The processes under observation; a `contract.Tree`."""

    def __init__(self, loop: Loop, sink: EventSink, keys: Keys, feed: Feed, emptied: Callable[[], None]) -> None:
        """`emptied` is called when the last living process has ended."""
        self._loop = loop
        self._sink = sink
        self._keys = keys
        self._feed = feed
        self._emptied = emptied
        self._processes: dict[int, Tracked] = {}
        self._living: dict[int, Tracked] = {}
        self._dead: deque[Tracked] = deque()
        self._watches: dict[int, ExitWatch] = {}
        self._gone: set[int] = set()
        """Those that a look did not find any more, whose end was not told yet."""
        self._observers: list[TreeObserver] = []
        self._hearing: dict[Kind, list[Callable[..., None]]] = {}
        self._last_word: dict[int, Record] = {}
        """Within the batch being handed out: the last exec or end of each process."""
        self._ends: dict[int, int] = {}
        """Within it: when the last process of each number ended."""
        feed.before_batch(self._look_ahead)
        feed.listen(Forked, self._forked)
        feed.listen(Executed, self._executed)
        feed.listen(Exited, self._exited)
        feed.listen(Lost, self._lost)

    def watch(self, observer: TreeObserver) -> None:
        """Tell this observer of everything from now on."""
        self._observers.append(observer)
        self._hearing.clear()

    def tell(self, kind: Kind, process: Tracked, *about: Mapping | ImageRead) -> None:
        """Tell those observers who do something when they hear of this: most births concern few."""
        hearers = self._hearing.get(kind)
        if hearers is None:
            nothing = getattr(TreeObserver, kind)
            hearing = [observer for observer in self._observers if getattr(type(observer), kind) is not nothing]
            hearers = self._hearing[kind] = [getattr(observer, kind) for observer in hearing]
        tell(self._loop, hearers, process, *about)

    def processes(self) -> list[Tracked]:
        """The living ones, in order of admission."""
        return list(self._living.values())

    def find(self, pid: int) -> Tracked | None:
        """The newest process with this pid, dead or alive."""
        return self._processes.get(pid)

    def attach(self, pids: Iterable[int], origin: Origin = "attach") -> None:
        """Take these processes and their descendants in: follow first, look second, so that no birth falls between.

        All are told before the first is looked at closely, which takes long.
        """
        found: list[Tracked] = []
        pending = [pid for pid in pids if not self._lives(pid)]
        for pid in pending:
            self._feed.follow(pid)
        while pending:
            found += [process for pid in pending if (process := self._admit_found(pid, origin)) is not None]
            pending = self._unknown_descendants()
            for pid in pending:
                self._feed.follow(pid)
        for process in found:
            self._describe(process, self._loop.now())

    def introduce(self) -> None:
        """Tell observers of the processes that were taken in before any watched: first of all, then of each program."""
        programs = [(process, process.program) for process in self.processes()]
        for process, _ in programs:
            process.program = None  # that is how a process is known to be found and not forked
            self.tell("born", process)
        for process, program in programs:
            process.program = program
            self.tell("executed", process)

    def expect(self, pid: int, origin: Origin, at: int) -> None:
        """Take in a followed process whose program an exec record is about to tell; it may have ended already."""
        if self._lives(pid):
            return
        stat = attempt(lambda: procfs.stat(pid), None)
        self._admit(Tracked(pid, stat.ppid if stat else 0, stat.started if stat else at), origin, "")

    def recheck(self, process: Tracked) -> procfs.Stat | None:
        """Its stat line if it still lives; notes an end at the second look: its records may wait to be read."""
        stat = attempt(lambda: procfs.stat(process.pid), None)
        if stat is not None and stat.alive and abs(stat.started - process.started) < SAME_BIRTH:
            return stat
        if process.alive and process.pid in self._gone:
            self._feed.tell(Exited(at=self._loop.now(), pid=process.pid, status=None))
        elif process.alive:
            self._gone.add(process.pid)
        return None

    def _lives(self, pid: int) -> bool:
        return pid in self._living

    def _unknown_descendants(self) -> list[int]:
        """Never ourselves, who may descend from the target: what we do to look would be seen, and told, for ever."""
        parents = {stat.pid: stat.ppid for stat in procfs.all_stats() if stat.alive}
        ours = _ourselves(parents)
        return [
            pid for pid, parent in parents.items() if self._lives(parent) and pid not in ours and not self._lives(pid)
        ]

    def _admit_found(self, pid: int, origin: Origin) -> Tracked | None:
        stat = attempt(lambda: procfs.stat(pid), None)
        if stat is None or not stat.alive or self._lives(pid):
            return None
        return self._admit(Tracked(pid=pid, ppid=stat.ppid, started=stat.started), origin, decode(stat.comm))

    def _admit(self, process: Tracked, origin: Origin, comm: str) -> Tracked:
        self._processes[process.pid] = self._living[process.pid] = process
        if process.readable:
            self._hold(process.pid)
        self._sink.send(
            ProcessStarted(
                at=process.started if origin == "fork" else self._loop.now(),
                pid=process.pid,
                ppid=process.ppid,
                started=process.started,
                origin=origin,
                comm=comm,
            )
        )
        self.tell("born", process)
        return process

    def _hold(self, pid: int) -> None:
        """Keep a descriptor of it for its exit status; where nothing else tells of ends, also for the moment."""
        watch = attempt(lambda: ExitWatch(pid), None)
        if watch is None:
            return
        self._watches[pid] = watch
        if not self._feed.tells_ends:
            self._loop.on_readable(watch.fd, lambda: self._feed.tell(Exited(at=self._loop.now(), pid=pid, status=None)))

    def _describe(self, process: Tracked, at: int, record: Executed | None = None) -> None:
        superseded = record is not None and self._last_word.get(process.pid, record) is not record
        program = read_program(process, at, self._keys, record, superseded)
        process.program, process.raw_environment, process.root = program.event, program.environment, program.root
        self._sink.send(program.event)
        self.tell("executed", process)

    def _look_ahead(self, batch: list[Record]) -> None:
        self._last_word, self._ends = {}, {}
        for record in batch:
            if isinstance(record, Executed):
                self._last_word[record.pid] = record
            elif isinstance(record, Exited):
                self._last_word[record.pid] = record
                if record.status is not None:  # else only its descriptor tells how it ended
                    self._ends[record.pid] = record.at
        for pid in self._ends.keys() & self._living.keys():
            self._mark_if_gone(self._living[pid])

    def _mark_if_gone(self, process: Tracked) -> None:
        process.gone = self._ends.get(process.pid, 0) >= process.started

    def _forked(self, record: Forked) -> None:
        if self._lives(record.pid):
            known = self._processes[record.pid]
            if abs(known.started - record.at) < SAME_BIRTH:
                return  # found by looking, before its record was read
            self._feed.tell(Exited(at=record.at, pid=record.pid, status=None))
        parent = self._processes.get(record.ppid)
        if parent is None:
            return
        child = Tracked(
            pid=record.pid,
            ppid=record.ppid,
            started=record.at,
            program=parent.program,
            raw_environment=parent.raw_environment,
            mappings={start: mapping.of(record.pid) for start, mapping in parent.mappings.items()},
        )
        self._mark_if_gone(child)
        self._admit(child, "fork", parent.program.comm if parent.program else "")

    def _executed(self, record: Executed) -> None:
        process = self._processes.get(record.pid)
        if process is None or not process.alive:
            self._adopt(record)
            process = self._processes.get(record.pid)
        if process is not None and process.alive and not _is_known(process, record):
            self._describe(process, record.at, record)

    def _adopt(self, record: Executed) -> None:
        """A process whose birth was not told: ours when its parent is."""
        stat = attempt(lambda: procfs.stat(record.pid), None)
        if stat is not None and self._lives(stat.ppid):
            self._forked(Forked(at=stat.started, ppid=stat.ppid, pid=record.pid))

    def _exited(self, record: Exited) -> None:
        process = self._processes.get(record.pid)
        if process is None or not process.alive:
            return
        process.alive = False
        del self._living[record.pid]
        self._dead.append(process)
        self._gone.discard(record.pid)
        self._sink.send(_ended(record, record.status if record.status is not None else self._let_go(record.pid)))
        self._let_go(record.pid)
        self.tell("ended", process)
        self._forget_long_dead()
        if not self._living:
            self._emptied()

    def _let_go(self, pid: int) -> int | None:
        watch = self._watches.pop(pid, None)
        if watch is None:
            return None
        status = watch.status()
        self._loop.forget(watch.fd)
        watch.close()
        return status

    def _forget_long_dead(self) -> None:
        while len(self._dead) > _DEAD_KEPT:
            process = self._dead.popleft()
            if self._processes.get(process.pid) is process:
                del self._processes[process.pid]
                self.tell("forgotten", process)

    def _lost(self, record: Lost) -> None:
        """After a hole in the records: say it, and look for births and ends that may have fallen into it.

        Into no other: who ended a moment ago would be taken for ended in an unknown way, before its record is read.
        """
        self._sink.send(EventsLost(at=self._loop.now(), source=record.source, count=record.count))
        if record.source not in OF_LIVES:
            return
        for process in self.processes():
            self.recheck(process)
        self.attach(self._unknown_descendants(), "fork")


def _is_known(process: Tracked, record: Executed) -> bool:
    """True when /proc, read after this exec, has told of its program already."""
    program = process.program
    return program is not None and program.pid == process.pid and record.at <= program.at


def _ended(record: Exited, status: int | None) -> ProcessEnded:
    """The event for a wait status (wait(2))."""
    if status is None:
        return ProcessEnded(at=record.at, pid=record.pid, cpu=record.cpu)
    if os.WIFSIGNALED(status):
        return ProcessEnded(
            at=record.at, pid=record.pid, signal=os.WTERMSIG(status), core=os.WCOREDUMP(status), cpu=record.cpu
        )
    return ProcessEnded(at=record.at, pid=record.pid, code=os.WEXITSTATUS(status), cpu=record.cpu)


def _ourselves(parents: dict[int, int]) -> set[int]:
    """The collector, the inspector that started it, and what lies between the two (sudo)."""
    above = [os.getpid()]
    while (parent := parents.get(above[-1], 0)) and parent not in above:
        above.append(parent)
        if is_inspector(_argv(parent)):
            return set(above)
    return {os.getpid()}


def _argv(pid: int) -> list[bytes]:
    return attempt(lambda: procfs.argv(pid), list[bytes]())
