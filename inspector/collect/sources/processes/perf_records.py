"""Births, execs and mappings from perf's side-band records: without root, of one's own processes, for little."""

import fcntl
import os
import select

from ...kernel import perf, procfs
from ...kernel.records import Executed, Forked, Lost, Mapped, Record, Written
from ..tolerant_reads import attempt

_SET_OUTPUT = 0x2405
"""PERF_EVENT_IOC_SET_OUTPUT (linux/perf_event.h): several events write into one ring of the same CPU."""
_PAGES = 16
"""Small: what a user without rights may lock is about 500 KiB (perf_event_mlock_kb)."""
_FLAGS = (
    perf.INHERIT
    | perf.TASK
    | perf.COMM
    | perf.COMM_EXEC
    | perf.MMAP
    | perf.MMAP2
    | perf.EXCLUDE_KERNEL
    | perf.EXCLUDE_HYPERVISOR
)


class PerfRecords:
    """A record source: an event that counts nothing on each thread, inherited by all that it gives birth to.

    It tells no ends (perf reports each thread's, not the last one's) and no arguments (those come from /proc).
    """

    def __init__(self) -> None:
        """OSError when perf events are not allowed here."""
        self._poll = select.epoll()
        self._rings: dict[int, perf.PerfRing] = {}
        self._events: list[int] = []
        self._cpus = perf.online_cpus()
        os.close(perf.open_event(perf.side_band(_FLAGS), os.getpid(), self._cpus[0]))

    @property
    def fd(self) -> int:
        """Readable when records wait."""
        return self._poll.fileno()

    def follow(self, pid: int) -> bool:
        """Put the event on every thread; False when it is refused (another user's process, too many open files)."""
        threads = attempt(lambda: os.listdir(procfs.path_of(pid, "task")), list[str]())
        try:
            for thread in threads:
                for cpu in self._cpus:
                    self._open(int(thread), cpu)
        except OSError:
            return False
        return bool(threads)

    def drain(self) -> list[Record]:
        """All records since the last call, in order of time."""
        raw = [record for ring in self._rings.values() for record in ring.drain()]
        records: list[Record] = []
        for each in raw:
            if isinstance(each, Forked | Mapped | Lost):
                records.append(each)
            elif isinstance(each, perf.Named) and each.executed:
                records.append(Executed(at=each.at, pid=each.pid, filename=b"", argv=b"", environment=b""))
        return sorted(records, key=lambda record: 0 if isinstance(record, Lost | Written) else record.at)

    def _open(self, thread: int, cpu: int) -> None:
        event = perf.open_event(perf.side_band(_FLAGS), thread, cpu)
        ring = self._rings.get(cpu)
        if ring is not None:
            fcntl.ioctl(event, _SET_OUTPUT, ring.fd)
            self._events.append(event)
            return
        self._rings[cpu] = perf.PerfRing(event, _PAGES)
        self._poll.register(event, select.EPOLLIN)
