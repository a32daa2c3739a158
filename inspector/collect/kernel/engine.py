"""The kernel's own report on a tree of processes: births, execs, ends, signals, mappings, opens, writes.

Everything hangs on descriptors of this process: when it dies, by whatever signal, the kernel takes all of it away.
"""

import contextlib
import os
import select
from collections.abc import Callable, Collection, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from . import bpf, perf
from .attach import close_all
from .bpf import BpfError, ProgramKind
from .btf import BtfError
from .decode import Birth, Death, Decoded, decode
from .kernel_maps import KernelMaps
from .losses import Losses
from .records import (
    CallsBegan,
    CallSum,
    Executed,
    Forked,
    Lost,
    Mapped,
    OfMember,
    Record,
    ResultsKnown,
    Written,
)
from .refusals import Need, Refusal, explain, foreign_namespace
from .syscall_context import SyscallMaps
from .syscall_refusals import SUM, SUM_KEY, sums_map
from .syscall_watch import SyscallWatch
from .syscall_writes import Writes
from .system_calls import BY_NUMBER
from .tree_programs import tree_programs

Told = Decoded | perf.PerfRecord | Record
_AT = attrgetter("at")
Matches = Callable[[Executed], bool]


_MAPPINGS_WAKE = 16384
"""Bytes, some 120 records: most are of strangers."""


class EngineError(Exception):
    """This machine or user does not allow kernel programs; the message says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why)
        self.refusal = refusal


class SlotUser(Protocol):
    """Something that keeps counters under the slots of processes."""

    def settle(self, gone: Mapping[int, int | None]) -> None:
        """Processes are gone: take their last counts and clear their slots, which others get next.

        By slot the pid, None for one that was none of ours.
        """
        ...


class Source(Protocol):
    """A further ring of records that is drained together with the tree's."""

    @property
    def fd(self) -> int:
        """Descriptor that is readable while records wait (poll(2))."""

    def drain(self) -> list[Record]:
        """All records that wait, in the order in which the kernel wrote them."""


class Engine:
    """Kernel programs on a tree of processes. `fd` is readable when `drain` has something to tell.

    EngineError when the kernel or the user's rights do not allow it.
    """

    def __init__(self, maps: KernelMaps | None = None) -> None:
        """`maps`: made before, by who closes them; else they are its own."""
        self._stack = contextlib.ExitStack()
        self._poll = select.epoll()
        self._stack.callback(self._poll.close)
        self._held: list[int] = []
        self._slots: dict[int, int] = {}
        self._undecided: dict[int, int] = {}
        """Processes that may become members: how many of their execs were told. See `_deny`."""
        self._executed_at: dict[int, int] = {}
        """When each process last executed a program, as told so far."""
        self._departing: list[tuple[int, int]] = []
        """Processes that ended in the last drain, with their slots."""
        self._ending: set[tuple[int, int]] = set()
        """The same, with those of the drain before, while one is under way."""
        self._users: list[SlotUser] = []
        self._sources: list[Source] = []
        self._executing: dict[int, list[Record]] = {}
        self._early: list[OfMember | perf.Named] = []
        """Records of processes that are none of ours, or whose birth was not told yet."""
        self._matches: Matches | None = None
        self._has_waited = False
        """Members may be candidates of `wait_for`, which are none of ours until they match."""
        self._rings: list[perf.PerfRing] = []
        self.mappings_seen = False
        self._takers: dict[type, Callable[[Any], list[Record]]] = {
            Birth: self._born,
            Death: self._died,
            Executed: self._executed,
            perf.Named: self._begins_program,
            Mapped: self._mapped,
            **dict.fromkeys((Forked, perf.ThreadEnded), _of_no_interest),
            **dict.fromkeys((Lost, CallsBegan, ResultsKnown), _of_nobody),
        }
        if foreign := foreign_namespace():
            raise EngineError(foreign)
        try:
            self._start(maps)
        except (BpfError, BtfError) as error:
            self.close()
            raise EngineError(explain(error, Need.PROGRAMS)) from None

    @property
    def fd(self) -> int:
        """Readable when `drain` has something to tell."""
        return self._poll.fileno()

    def follow(self, pid: int) -> bool:
        """Observe a living process and all that it starts from now on; False when there is no such process."""
        if pid in self._slots:
            return True
        self._slots[pid] = self.members.add(pid)
        if Path(f"/proc/{pid}").exists():
            return True
        self.forget(pid)
        return False

    def forget(self, pid: int) -> None:
        """Observe a process no more; its children stay observed."""
        slot = self.members.remove(pid)
        ours = self._slots.pop(pid, None) is not None
        self._executed_at.pop(pid, None)
        if slot is not None:
            self._settle({slot: pid if ours else None})

    @contextlib.contextmanager
    def adopting(self) -> Iterator[None]:
        """Observe, from its very birth, every process that the caller starts meanwhile."""
        with self.members.only_children_of(os.getpid()):
            yield

    def wait_for(self, matches: Matches | None, names: Collection[str] = ()) -> None:
        """Report every exec on the machine that matches and observe that process from its first instruction.

        Meanwhile each process that executes a program of one of these names, or any where there are none, is a member
        until `matches` denies it. None ends the waiting.
        """
        self._matches, self._has_waited = matches, self._has_waited or matches is not None
        self.members.wait_for(None if matches is None else [os.fsencode(name) for name in names])

    @property
    def waiting(self) -> bool:
        """Whether processes that match may still join."""
        return self._matches is not None

    def slot(self, pid: int) -> int | None:
        """Under which slot counters of a process are kept; None when it is not observed."""
        return self._slots.get(pid)

    def slots(self) -> list[tuple[int, int]]:
        """pid and slot of each observed process."""
        return list(self._slots.items())

    def processes(self) -> list[int]:
        """Observed processes, as far as drained."""
        return list(self._slots)

    def add_slot_user(self, user: SlotUser) -> None:
        """Have a user settle the counters of each process that ends."""
        self._users.append(user)

    def add_source(self, source: Source) -> None:
        """Drain another ring together with the tree's."""
        self._sources.append(source)
        self._poll.register(source.fd, select.EPOLLIN)

    def drain(self) -> list[Record]:
        """All that happened since the last call, in order of time.

        Rings are read in the order lives, calls, mappings: so the end of a process comes with its last calls, and a
        call with the mapping of its caller. What comes before the birth of its process waits for the next time.
        """
        departing, self._departing = self._departing, []
        self._ending = set(departing)
        early, self._early = self._early, []
        waited = {id(record) for record in early}
        rings = (self.members.ring, self.members.deferred_ring)
        lives = [record for ring in rings for raw in ring.drain() if (record := decode(raw)) is not None]
        calls = [record for source in self._sources for record in source.drain()]
        mappings = [record for ring in self._rings for record in ring.drain()]
        merged: list[Told] = [*early, *lives, *calls, *mappings]
        merged.sort(key=_AT)
        self._written.expect_ends(sum(type(each) is Death for each in lives))
        records: list[Record] = [*self._losses.new()]
        take, of_member = self._takers.get, self._of_member
        for each in merged:
            records += take(type(each), of_member)(each)
        self._early = [record for record in self._early if id(record) not in waited]
        self._depart(departing)
        return records

    def writes(self) -> list[Written]:
        """What each living process of ours wrote to descriptors 1 and 2 so far; `drain` tells it of those that end."""
        return [written for written in self._written.all() if written.pid in self._slots]

    def call_sums(self) -> list[CallSum]:
        """Failed system calls that are only counted, of every process, also of those that have ended since."""
        rows = [(SUM_KEY.unpack(key), SUM.unpack(value)) for key, value in self._sums.items()]
        return [
            CallSum(pid, BY_NUMBER[number].name, code, count, first, last)
            for (pid, number, code), (count, first, last) in rows
            if number in BY_NUMBER
        ]

    def forget_call_sums(self, pids: Collection[int]) -> None:
        """Drop what was counted of processes that have ended."""
        for key, _ in self._sums.items() if pids else ():
            if SUM_KEY.unpack(key)[0] in pids:
                self._sums.delete(key)

    def close(self) -> None:
        """Take everything out of the kernel."""
        close_all(self._held)
        self._held.clear()
        self._stack.close()

    def _start(self, maps: KernelMaps | None) -> None:
        if maps is None:
            maps = KernelMaps()
            self._stack.callback(maps.close)
        self.maps, self.members, self._losses = maps, maps.members, Losses(maps.members)
        for ring in (self.members.ring, self.members.deferred_ring):
            self._poll.register(ring.fd, select.EPOLLIN)
        self._written = Writes()
        self._stack.callback(self._written.close)
        self._sums = sums_map()
        self._stack.callback(self._sums.close)
        open_ones = (maps.open_calls, maps.open_lookups)
        for name, code in tree_programs(self.members, maps.open_calls, open_ones, maps.stacks).items():
            self._hold(self._raw(name, code))
        told = SyscallMaps(self._written.map, self._sums, maps.open_calls, maps.open_lookups)
        self.system_calls = SyscallWatch(self.members, told)
        self._stack.callback(self.system_calls.close)
        self._watch_mappings()

    def _raw(self, tracepoint: str, code: bytes) -> int:
        program = bpf.load_program(ProgramKind.RAW_TRACEPOINT, code, tracepoint)
        try:
            return bpf.attach_raw_tracepoint(program, tracepoint)
        finally:
            os.close(program)

    def _watch_mappings(self) -> None:
        """Side-band records of every CPU; they cannot be filtered in the kernel, so strangers' are dropped here.

        A busy stranger must not keep us awake: they are read with whatever members do, and when there are many.
        """
        try:
            for cpu in perf.online_cpus():
                event = perf.side_band(perf.MMAP | perf.MMAP2 | perf.COMM | perf.COMM_EXEC, _MAPPINGS_WAKE)
                ring = perf.roomy_ring(perf.open_event(event, -1, cpu))
                self._rings.append(ring)
                self._stack.callback(ring.close)
                self._poll.register(ring.fd, select.EPOLLIN)
        except OSError:
            return
        self.mappings_seen = True

    def _hold(self, fd: int) -> None:
        self._held.append(fd)

    def _of_member(self, record: OfMember) -> list[Record]:
        """What comes before the birth of its process is kept for the next time."""
        if record.pid in self._slots:
            return [record]
        self._early.append(record)
        return []

    def _begins_program(self, record: perf.Named) -> list[Record]:
        """The kernel maps a new program before it reports the exec: those mappings are held back until then.

        Not when the exec was told already: these records come from another buffer and may be late. Or early: then it
        waits for the birth of its process, as the mappings behind it do.
        """
        if not record.executed or self._executed_at.get(record.pid, 0) > record.at:
            return []
        if record.pid in self._slots or self._matches is not None:
            self._executing[record.pid] = []
        else:
            self._early.append(record)
        return []

    def _mapped(self, record: Mapped) -> list[Record]:
        held = self._executing.get(record.pid)
        if held is not None:
            held.append(record)
            return []
        return self._of_member(record)

    def _born(self, birth: Birth) -> list[Record]:
        """A child of a candidate that `wait_for` denied is denied too."""
        pid, parent = birth.record.pid, birth.record.ppid
        if not self._has_waited or parent in self._slots or parent == os.getpid():
            self._take_in(pid, birth.slot)
            return [birth.record]
        self._deny(pid, told=0)
        return []

    def _take_in(self, pid: int, slot: int) -> None:
        """Its counters are in the slot that the kernel gave it; what `follow` gave one that had ended goes."""
        had = self._slots.get(pid, slot)
        self._slots[pid] = slot
        if had != slot and (pid, had) not in self._ending:  # else its number was taken by a process that was born since
            self.members.remove(pid, had)
            self._settle({had: pid})

    def _executed(self, record: Executed) -> list[Record]:
        """A process that we do not know is a candidate of `wait_for`."""
        mapped = self._executing.pop(record.pid, [])
        self._executed_at[record.pid] = record.at
        if record.pid in self._slots:
            return [record, *mapped]
        if self._matches is None or not self._matches(record):
            self._deny(record.pid, self._undecided.get(record.pid, 0) + 1)
            return []
        self._undecided.pop(record.pid, None)
        self._slots[record.pid] = self.members.add(record.pid)
        return [record, *mapped]

    def _deny(self, pid: int, told: int) -> None:
        """Forget a candidate, unless it has executed another program meanwhile: that one may be the awaited one.

        Its counts would be lost: a script that executes the awaited program is judged late on a busy machine.
        """
        if self._matches is not None and self.members.executions(pid) > told:
            self._undecided[pid] = told
        else:
            self._undecided.pop(pid, None)
            self.forget(pid)

    def _died(self, death: Death) -> list[Record]:
        pid = death.record.pid
        self._executing.pop(pid, None)
        self._undecided.pop(pid, None)
        slot = self._slots.get(pid)
        if slot is None:
            self._executed_at.pop(pid, None)
            self._settle({death.slot: None if self._has_waited else pid})  # whose birth was lost
            return []
        if slot != death.slot:  # it ended before `wait_for` could add it: the kernel's own slot is the true one
            self.members.release(slot)
            self._slots[pid] = death.slot
        self.members.remove(pid, slot)  # what `add` has put in again while it ended: another process may get its number
        self._departing.append((pid, death.slot))
        self._ending.add((pid, death.slot))
        return [*self._written.take(pid), death.record]

    def _depart(self, departing: list[tuple[int, int]]) -> None:
        """One drain after their ends, when records that were late are in."""
        for pid, slot in departing:
            if self._slots.get(pid) == slot:
                del self._slots[pid]
                self._executed_at.pop(pid, None)
        if departing:
            self._settle({slot: pid for pid, slot in departing})

    def _settle(self, gone: Mapping[int, int | None]) -> None:
        for user in self._users:
            user.settle(gone)
        for slot in gone:
            self.members.release(slot)


def _of_no_interest(_: Told) -> list[Record]:
    return []


def _of_nobody(record: Record) -> list[Record]:
    return [record]
