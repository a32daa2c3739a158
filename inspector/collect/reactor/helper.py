"""The helper process: reacts to what the kernel tells, carries out what the collector asks, ends with the collector."""

import contextlib
import errno
import gc
import os
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain

from ..elf.exits import load_decoder
from ..kernel import uprobes
from ..kernel.counter_block import CounterBlock
from ..kernel.descriptors import enlarge_table
from ..kernel.early_programs import EarlyMaps
from ..kernel.kernel_maps import KernelMaps
from ..kernel.perf import online_cpus
from ..kernel.real_time import enter_root_group, real_time
from .arming import Arming, Interests
from .cpu_threads import CpuThreads
from .load_candidates import LoadCandidates
from .load_watch import find_source
from .messages import Answer, Arm, Begun, Observe, Order, Sync, Synced, Unable, Wait, receive_order, send
from .priority import PRIORITY, as_ordinary, switch_quickly
from .remembered_files import recall_unrelated, remember_unrelated
from .uprobe_warmup import UprobeWarmup

_LOOK_SECONDS = 1.0
_FULL, _FULL_SECONDS = (errno.EAGAIN, errno.ETOOMANYREFS), 0.01
"""The collector has to read first; after so long it may have."""
_PREPARED = 4
"""Files with many functions that may come at once."""


def run(end: socket.socket, maps: KernelMaps, early: EarlyMaps, block: CounterBlock, interests: Interests) -> None:
    """In the child of a fork; returns when the collector is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.environ.get("INSPECTOR_DEBUG"):
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
    enlarge_table()
    enter_root_group()
    warmup = UprobeWarmup()
    load_decoder()
    gc.collect()
    gc.freeze()
    gc.disable()
    helper = _Helper(end, maps, early, block, interests, warmup)
    with contextlib.suppress(OSError):  # the collector is gone
        helper.serve()
    helper.remember()
    warmup.close()


class _Helper:
    def __init__(
        self,
        end: socket.socket,
        maps: KernelMaps,
        early: EarlyMaps,
        block: CounterBlock,
        interests: Interests,
        warmup: UprobeWarmup,
    ) -> None:
        self._end, self._early, self._warmup = end, early, warmup
        self._waiting, self._until, self._rehearsed = False, 0.0, False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._said: set[type[Exception]] = set()
        self._answers: queue.SimpleQueue[tuple[Answer, list[int]]] = queue.SimpleQueue()
        arming = Arming(block, maps.calls, early, interests, self._armed)
        self._processors = [each for each in online_cpus() if each < len(early.rings)]
        source, why = find_source(maps.members, early, self._processors)
        if why:
            late = "first calls of libraries that were not predicted, if they come within 0.1 ms of the load"
            self._answers.put((Unable(late, why), []))
        self._answers.put((Begun(first_reads=not why), []))
        load_candidates = self._load_candidates = LoadCandidates(interests.stems, interests.places)
        self._cpu_threads = CpuThreads(
            early, arming, load_candidates, maps.members, source, interests.is_awaited, self._young, self._failed
        )
        self._arming = arming
        self._names = interests.names
        for program in (block.entry, block.exits):
            uprobes.means().prepare(program, _PREPARED)
        arming.load()
        arming.skip(recall_unrelated(interests.names))

    def serve(self) -> None:
        """Until the collector closes its end; OSError when it is gone before."""
        if why := real_time(PRIORITY):
            late = (
                "first calls that come at once: what sets the probes may not run before the program that it reacts to"
            )
            self._answers.put((Unable(late, f"SCHED_FIFO is refused ({why})"), []))
        threading.Thread(target=self._tell, daemon=True, name="tell").start()
        self._cpu_threads.start(self._processors)
        switch_quickly()
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = dict(poll.poll(self._rest()))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if self._end.fileno() not in ready:
                continue
            received = receive_order(self._end)
            if received is None:
                return
            self._obey(*received)

    def remember(self) -> None:
        """What was learnt of files, for the next run."""
        remember_unrelated(self._names, self._arming.unrelated)
        self._arming.save()

    def _rest(self) -> float | None:
        """Look after what is on; milliseconds until the next look, None when there is nothing to look after."""
        if not self._busy():
            return None
        return _LOOK_SECONDS * 1000

    def _busy(self) -> bool:
        """Turn off what is not needed any more; False when nothing is on that has to be turned off."""
        attentive = self._cpu_threads.load_watch.suspend_when_idle()
        young = time.monotonic() < self._until
        self._warmup.keep(young or self._waiting)
        return attentive or young

    def _obey(self, order: Order, descriptors: list[int]) -> None:
        match order:
            case Wait(names, program):
                self._waiting = True
                self._cpu_threads.active = True
                self._early.wait_for([os.fsencode(name) for name in names])
                beside = self._load_candidates.of_program(program) if program else ()
                paths = chain(beside, self._load_candidates.common())
                self._cpu_threads.in_background(self._arming.foresee(path) for path in paths)
            case Observe(seconds):
                self._cpu_threads.active = True
                self._cpu_threads.load_watch.keep(seconds)
                self._until = max(self._until, time.monotonic() + seconds)
                self._warmup.keep(True)
                self._warmup.wait()
                self._rehearse()
            case Arm(path):
                self._cpu_threads.later(_once(lambda: self._arming.arm_opened(descriptors[0], path)))
            case Sync(number):
                self._cpu_threads.later(_once(lambda: self._answers.put((Synced(number), []))))

    def _rehearse(self) -> None:
        """Look at ourselves as at a program that begins: what is done for the first time costs several times as much,
        and a program would wait for it. What any program may load is probed before one that we start begins."""
        if not self._rehearsed:
            self._rehearsed = True
            with as_ordinary():  # it can take long, and nobody waits for this thread yet
                for path in filter(None, self._load_candidates.likely(os.getpid())):
                    self._arming.foresee(path)

    def _failed(self, error: Exception) -> None:
        """Said once for each kind."""
        if type(error) not in self._said:
            self._said.add(type(error))
            self._answers.put((Unable("first calls of one file", f"{type(error).__name__}: {error}"), []))

    def _young(self) -> None:
        """A program began: its libraries will come soon."""
        now, before = time.monotonic(), self._until
        self._until = max(before, now + CpuThreads.YOUNG_SECONDS)
        if now >= before:  # else it is on, and looked after each second
            self._warmup.keep(True)
            os.eventfd_write(self._wake, 1)

    def _armed(self, answer: Answer, descriptors: list[int]) -> None:
        """Told by the thread that set the probes: another one would be in its way when the next library comes."""
        try:
            send(self._end, answer, descriptors, wait=False)
        except OSError as error:
            if error.errno in _FULL:
                self._answers.put((answer, descriptors))
        else:
            _give(descriptors)

    def _tell(self) -> None:
        """A thread of its own for what the collector is slow to read."""
        real_time(PRIORITY)
        while True:
            answer, descriptors = self._answers.get()
            while True:
                try:
                    send(self._end, answer, descriptors)
                except OSError as error:
                    if error.errno not in _FULL:  # it is gone, and `serve` ends
                        return
                    time.sleep(_FULL_SECONDS)
                else:
                    break
            _give(descriptors)


def _give(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        uprobes.give(descriptor)


def _once(work: Callable[[], object]) -> Iterator[object]:
    yield work()
