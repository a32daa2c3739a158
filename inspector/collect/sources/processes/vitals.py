"""How each process is doing, once a second: CPU, memory, threads, state; and what its stuck threads wait for."""

import os

import msgspec

from inspector.stream.base import Event
from inspector.stream.calls import CallsInside, OpenCall
from inspector.stream.processes import ThreadWaits, Vitals

from ...kernel import procfs
from ...kernel.syscalls import name_of
from ..contract import EventSink, Session, Tracked, TreeObserver
from ..poll_rate import Rounds
from ..tolerant_reads import attempt
from .processes import ProcessTree

_TICKS = os.sysconf("SC_CLK_TCK")
_ONE_TICK = 150 / _TICKS
"""Percent of a processor, for a second or a little less: who uses as much now and then is told of once."""
_MOST_WAITS = 64


class Sample(msgspec.Struct, frozen=True):
    """How a process did in the last second, as `Vitals`."""

    cpu: float
    rss: int
    threads: int
    state: str


def is_news(sample: Sample, told: Sample | None, rested: bool) -> bool:
    """Whether a sample differs from the one that was told last by more than the clock's step.

    `rested`: it used no processor in the second before either.
    """
    if told is None or (sample.rss, sample.threads, sample.state) != (told.rss, told.threads, told.state):
        return True
    return abs(told.cpu - sample.cpu) > _ONE_TICK or (rested and not sample.cpu and told.cpu > 0)


class VitalsSource(TreeObserver):
    """Sends Vitals that changed; also the safety net for ends that no record told of.

    Who used the CPU is looked at again a second later; of many that rest, some each second.
    """

    def __init__(self, session: Session, tree: ProcessTree) -> None:
        self._session = session
        self._tree = tree
        self._before: dict[int, tuple[int, int]] = {}
        """pid -> moment and CPU ticks of the last sample."""
        self._told: dict[int, Sample] = {}
        self._rounds = Rounds(tree.processes)
        self._busy: set[int] = set()
        """pids that used the CPU, or are new."""
        tree.watch(self)
        session.loop.every(1.0, self._sample)

    def born(self, process: Tracked) -> None:
        """Look at it next time, whoever's turn it is."""
        self._busy.add(process.pid)

    def ended(self, process: Tracked) -> None:
        """Forget it."""
        self._before.pop(process.pid, None)
        self._told.pop(process.pid, None)
        self._busy.discard(process.pid)

    def _sample(self) -> None:
        turn = {process.pid: process for process in self._rounds.next()}
        busy = {pid: process for pid in self._busy if (process := self._tree.find(pid)) is not None}
        for process in (turn | busy).values():
            stat = self._tree.recheck(process)
            if stat is not None:
                self._tell(stat, self._session.loop.now())

    def _tell(self, stat: procfs.Stat, now: int) -> None:
        then, ticks = self._before.get(stat.pid, (now, stat.cpu_ticks))
        self._before[stat.pid] = now, stat.cpu_ticks
        cpu = round(100e9 * (stat.cpu_ticks - ticks) / _TICKS / (now - then), 1) if now > then else 0.0
        sample = Sample(cpu, stat.rss, stat.threads, stat.state)
        rested = stat.pid not in self._busy
        if cpu:
            self._busy.add(stat.pid)
        else:
            self._busy.discard(stat.pid)
        if is_news(sample, self._told.get(stat.pid), rested):
            self._told[stat.pid] = sample
            self._session.sink.send(Vitals(at=now, pid=stat.pid, **msgspec.structs.asdict(sample)))


class WaitsSource:
    """A sink that passes everything on and looks at threads that the passing events say are inside a call."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._open: list[OpenCall] = []
        self._sent: dict[tuple[int, int], tuple[str, str]] = {}

    def send(self, event: Event) -> None:
        """Pass it on."""
        if type(event) is CallsInside:
            self._open = event.open
        self._sink.send(event)

    def look(self, now: int) -> None:
        """Say where each thread inside a watched call waits in the kernel, when that changed."""
        places = {(call.pid, call.tid): _waiting_at(call.pid, call.tid) for call in self._open[:_MOST_WAITS]}
        for (pid, tid), place in places.items():
            if self._sent.get((pid, tid), ("", "")) != place:
                self._sink.send(ThreadWaits(at=now, pid=pid, tid=tid, syscall=place[0], wchan=place[1]))
        self._sent = places


def _waiting_at(pid: int, tid: int) -> tuple[str, str]:
    """System call and kernel function (proc_pid_syscall(5), proc_pid_wchan(5)); empty while it runs or ended."""
    call = attempt(lambda: procfs.read(pid, f"task/{tid}/syscall"), b"").split()
    place = attempt(lambda: procfs.read(pid, f"task/{tid}/wchan"), b"").decode("ascii", "replace")
    number = attempt(lambda: int(call[0]), -1)
    return name_of(number) if number >= 0 else "", "" if place == "0" else place
