"""The process that reacts: the threads of all processors, and nothing else that computes."""

import contextlib
import os
import select
import socket
import time

from ..kernel import uprobes
from ..kernel.call_maps import GROUPS
from ..kernel.counter_block import CounterBlock
from ..kernel.early_programs import EarlyMaps
from ..kernel.kernel_maps import KernelMaps
from ..kernel.perf import online_cpus
from ..kernel.real_time import real_time
from .arming import Arming, Interests
from .cpu_threads import CpuThreads
from .file_claims import FileClaims
from .load_candidates import LoadCandidates
from .load_watch import find_source
from .messages import Begun, Foresee, Observe, Order, Sync, Synced, Unable, Wait, receive_order, send
from .priority import PRIORITY, as_ordinary, switch_quickly
from .telling import Telling
from .uprobe_warmup import UprobeWarmup

_LOOK_SECONDS = 1.0
_PREPARED = 4
"""Files with many functions that may come at once."""
_FEW_PROCESSORS = 4
"""On fewer, which often share a core, what somebody else does beside a program that begins slows it down as well."""
FIRST_GROUP, END_OF_GROUPS = 0, GROUPS // 4
"""Numbers of groups that this process gives out."""


class Reacting:
    """Obeys the helper, which sends on what the collector orders."""

    def __init__(
        self,
        helper: socket.socket,
        collector: socket.socket,
        maps: KernelMaps,
        early: EarlyMaps,
        block: CounterBlock,
        interests: Interests,
    ) -> None:
        """To be called while this process has one thread."""
        self._helper, self._early = helper, early
        self._warmup = UprobeWarmup()
        self._waiting, self._until, self._rehearsed = False, 0.0, False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._telling = Telling(collector, PRIORITY)
        maps.calls.take_groups(FIRST_GROUP, END_OF_GROUPS)
        self._processors = [each for each in online_cpus() if each < len(early.rings)]
        source, why = find_source(maps.members, early, self._processors)
        if why:
            late = "first calls of libraries that were not predicted, if they come within 0.1 ms of the load"
            self._telling.say(Unable(late, why))
        self._telling.say(Begun(first_reads=not why))
        self._foresees_all = bool(why) or len(self._processors) >= _FEW_PROCESSORS
        self._arming = Arming(
            "reacting", block, maps.calls, FileClaims(early), interests, self._telling.armed, PRIORITY
        )
        self._arming.load()
        self._cpu_threads = CpuThreads(
            early,
            self._arming,
            LoadCandidates(interests.stems, interests.places),
            maps.members,
            source,
            interests.is_awaited,
            self._young,
            self._foresee,
            self._telling.failed,
        )
        for program in (block.entry, block.exits):
            uprobes.means().prepare(program, _PREPARED)

    def serve(self) -> None:
        """Until the helper closes its end; OSError when it is gone before."""
        if why := real_time(PRIORITY):
            late = (
                "first calls that come at once: what sets the probes may not run before the program that it reacts to"
            )
            self._telling.say(Unable(late, f"SCHED_FIFO is refused ({why})"))
        self._telling.start()
        self._cpu_threads.start(self._processors)
        switch_quickly()
        poll = select.poll()
        poll.register(self._helper, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = dict(poll.poll(_LOOK_SECONDS * 1000 if self._busy() else None))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if self._helper.fileno() not in ready:
                continue
            received = receive_order(self._helper)
            if received is None:
                return
            self._obey(received[0])

    def close(self) -> None:
        """Leave what was learnt of files for the next run."""
        self._arming.save()
        self._warmup.close()

    def _busy(self) -> bool:
        """Turn off what is not needed any more; False when nothing is on that has to be turned off."""
        attentive = self._cpu_threads.load_watch.suspend_when_idle()
        young = time.monotonic() < self._until
        self._warmup.keep(young or self._waiting)
        return attentive or young

    def _obey(self, order: Order) -> None:
        match order:
            case Wait(names):
                self._waiting = self._cpu_threads.active = True
                self._early.wait_for([os.fsencode(name) for name in names])
            case Observe(seconds):
                self._cpu_threads.active = True
                self._cpu_threads.load_watch.keep(seconds)
                self._until = max(self._until, time.monotonic() + seconds)
                self._warmup.keep(True)
                self._warmup.wait()
                self._rehearse()
            case Sync(number):
                self._telling.say(Synced(number), self._helper)

    def _rehearse(self) -> None:
        """Look at ourselves as at a program that begins: what is done for the first time costs several times as much,
        and a program would wait for it. What there is no time for is probed by the helper."""
        if not self._rehearsed:
            self._rehearsed = True
            with as_ordinary():
                self._cpu_threads.rehearse()

    def _foresee(self, pid: int) -> None:
        if not self._foresees_all:  # what it loads is met when it is read
            return
        with contextlib.suppress(OSError):  # it has much to do, or is gone
            send(self._helper, Foresee(pid), wait=False)

    def _young(self) -> None:
        """A program began: its libraries will come soon."""
        now, before = time.monotonic(), self._until
        self._until = max(before, now + CpuThreads.YOUNG_SECONDS)
        if now >= before:  # else it is on, and looked after each second
            self._warmup.keep(True)
            os.eventfd_write(self._wake, 1)
