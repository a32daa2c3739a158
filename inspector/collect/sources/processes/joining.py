"""Attaching to processes that start later: by `--wait`, in an observed unit or container, or by mapping a library."""

import os
import select
from collections.abc import Callable, Iterable

import msgspec

from ...kernel import perf, procfs
from ...kernel.procfs import Stat
from ...kernel.records import Executed, Mapped
from ..contract import Loop
from ..tolerant_reads import attempt
from .feed import Feed
from .processes import ProcessTree

_YOUNG = 1_000_000_000
"""ns after its fork during which a new process may still call execve(2)."""


class Program(msgspec.Struct, frozen=True):
    """The program of a process; `Matches` decides by it whether the process is attached."""

    pid: int
    argv: list[bytes]
    exe: bytes
    comm: bytes


Matches = Callable[[Program], bool]


def program_of(stat: Stat) -> Program:
    """Program and arguments from /proc/PID/exe and cmdline; empty where we may not read them."""
    argv = attempt(lambda: procfs.argv(stat.pid), list[bytes]())
    return Program(stat.pid, argv, attempt(lambda: procfs.link(stat.pid, "exe"), b""), stat.comm)


def program_of_exec(record: Executed) -> Program:
    """The same for a process that is inside execve(2)."""
    argv = procfs.split_strings(record.argv) or attempt(lambda: procfs.argv(record.pid), list[bytes]())
    return Program(record.pid, argv, _from_root(record), os.path.basename(record.filename)[:15])


def _from_root(record: Executed) -> bytes:
    """The path of the program, as `program_of` has it: execve(2) may have been given it relative to a folder."""
    if record.filename.startswith(b"/"):
        return record.filename
    folder = attempt(lambda: procfs.link(record.pid, "cwd"), b"")
    return os.path.normpath(os.path.join(folder, record.filename)) if folder else record.filename


class ExecArrivals:
    """Attaches at the kernel's record of execve(2): a matching program is observed from its first instruction."""

    def __init__(self, tree: ProcessTree, feed: Feed, matches: Matches) -> None:
        self._tree = tree
        self._matches = matches
        feed.listen(Executed, self._executed, first=True)

    def _executed(self, record: Executed) -> None:
        known = self._tree.find(record.pid)
        if (known is None or not known.alive) and self._matches(program_of_exec(record)):
            self._tree.expect(record.pid, "attach", record.at)


class PolledArrivals:
    """The same without kernel records, by polling /proc: processes shorter than a poll and the first ms are missed."""

    def __init__(self, loop: Loop, tree: ProcessTree, matches: Matches, seconds: float) -> None:
        self._loop = loop
        self._tree = tree
        self._matches = matches
        self._judged: set[int] = set()
        """Processes that were checked and are too old to become a target."""
        loop.every(seconds, self._look)

    def _look(self) -> None:
        pids = set(procfs.pids())
        self._judged &= pids
        for pid in sorted(pids - self._judged):
            stat = attempt(lambda pid=pid: procfs.stat(pid), None)  # type: ignore[misc]
            known = self._tree.find(pid)
            if stat is None or stat.kernel_thread or (known and known.alive):
                self._judged.add(pid)
            elif self._matches(program_of(stat)):
                self._tree.attach([pid])
            elif self._loop.now() - stat.started > _YOUNG:
                self._judged.add(pid)


class OverlookedArrivals:
    """Attaches what matches though the kernel's name of it does not: started through a link, or under another name.

    At the second look only: the kernel tells of the others at once, and a busy machine lets us hear it later.
    """

    LOOK_SECONDS = 2.0

    def __init__(self, loop: Loop, tree: ProcessTree, matches: Matches) -> None:
        self._tree, self._matches = tree, matches
        self._judged: set[int] = set()
        self._seen: set[int] = set()
        """Processes that matched at the last poll."""
        loop.every(self.LOOK_SECONDS, self._look)

    def _look(self) -> None:
        pids = set(procfs.pids())
        self._judged &= pids
        matching: set[int] = set()
        for pid in pids - self._judged:
            stat = attempt(lambda pid=pid: procfs.stat(pid), None)  # type: ignore[misc]
            known = self._tree.find(pid)
            if stat is None or stat.kernel_thread or (known and known.alive):
                continue
            if self._matches(program_of(stat)):
                matching.add(pid)
            else:
                self._judged.add(pid)
        self._tree.attach(sorted(matching & self._seen))
        self._seen = matching


class MappingArrivals:
    """Attaches every process that maps one file, from perf mmap records, else by polling /proc/PID/maps."""

    LOOK_SECONDS = 2.0

    def __init__(
        self, loop: Loop, tree: ProcessTree, is_wanted: Callable[[Mapped], bool], find: Callable[[], Iterable[int]]
    ) -> None:
        self._tree = tree
        self._is_wanted = is_wanted
        self._find = find
        self._rings: list[perf.PerfRing] = []
        self._poll = select.epoll()
        self.told_by_kernel = self._open_rings()
        if self.told_by_kernel:
            loop.on_readable(self._poll.fileno(), self._drain)
        else:
            loop.every(self.LOOK_SECONDS, self._look)

    def _open_rings(self) -> bool:
        """Mapping records of every CPU; needs CAP_PERFMON or perf_event_paranoid below 1."""
        try:
            for cpu in perf.online_cpus():
                ring = perf.PerfRing(perf.open_event(perf.side_band(perf.MMAP | perf.MMAP2), -1, cpu))
                self._rings.append(ring)
                self._poll.register(ring.fd, select.EPOLLIN)
        except OSError:
            return False
        return True

    def _drain(self) -> None:
        records = (record for ring in self._rings for record in ring.drain())
        self._join({each.pid for each in records if isinstance(each, Mapped) and self._is_wanted(each)})

    def _look(self) -> None:
        self._join(self._find())

    def _join(self, pids: Iterable[int]) -> None:
        for pid in pids:
            known = self._tree.find(pid)
            if known is None or not known.alive:
                self._tree.attach([pid], "map")
