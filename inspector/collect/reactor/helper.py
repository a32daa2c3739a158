"""The helper process: reacts to what the kernel tells, carries out what the collector asks, ends with the collector."""

import contextlib
import gc
import os
import queue
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from ..elf.exits import load_decoder
from ..kernel.counter_block import CounterBlock
from ..kernel.early_programs import EarlyMaps
from ..kernel.kernel_maps import KernelMaps
from ..kernel.perf import online_cpus
from .arming import Arming, Interests
from .foresight import Foresight
from .keeper import Keeper
from .messages import Answer, Arm, Observe, Order, Sync, Synced, Unable, Wait, receive_order, send
from .reacting import Reacting, ReadWatch, read_watch

_LOOK_SECONDS = 1.0
_SWITCH_SECONDS = 1e-4
"""Between threads of this process, where Python has 5 ms."""


def run(end: socket.socket, maps: KernelMaps, early: EarlyMaps, block: CounterBlock, interests: Interests) -> None:
    """In the child of a fork; returns when the collector is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.environ.get("INSPECTOR_DEBUG"):
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
    keeper = Keeper()
    load_decoder()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.disable()
    with contextlib.suppress(OSError):  # the collector is gone
        _Helper(end, maps, early, block, interests, keeper).serve()


class _Helper:
    def __init__(
        self,
        end: socket.socket,
        maps: KernelMaps,
        early: EarlyMaps,
        block: CounterBlock,
        interests: Interests,
        keeper: Keeper,
    ) -> None:
        self._end, self._early, self._keeper = end, early, keeper
        self._waiting, self._until = False, 0.0
        self._answers: queue.SimpleQueue[tuple[Answer, list[int]]] = queue.SimpleQueue()
        arming = Arming(block, maps.calls, early, interests, lambda *told: self._answers.put(told))
        watch = read_watch(maps.members, early)
        if isinstance(watch, str):
            self._answers.put((Unable("first calls of libraries that could not be foreseen", watch), []))
        self._reads = watch if isinstance(watch, ReadWatch) else None
        self._arming = arming
        self._reacting = Reacting(
            early, arming, Foresight(interests.stems), self._reads, interests.is_awaited, self._young
        )

    def serve(self) -> None:
        """Until the collector closes its end; OSError when it is gone before."""
        threading.Thread(target=self._tell, daemon=True, name="tell").start()
        self._reacting.start([each for each in online_cpus() if each < len(self._early.rings)])
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        while True:
            if not poll.poll(_LOOK_SECONDS * 1000 if self._busy() else None):
                continue
            received = receive_order(self._end)
            if received is None:
                return
            self._obey(*received)

    def _busy(self) -> bool:
        """Turn off what is not needed any more; False when nothing is on that has to be turned off."""
        reading = self._reads is not None and self._reads.rest() is not None
        young = time.monotonic() < self._until
        self._keeper.keep(young or self._waiting)
        return reading or young

    def _obey(self, order: Order, descriptors: list[int]) -> None:
        match order:
            case Wait(names):
                self._waiting = True
                self._reacting.active = True
                self._early.wait_for([os.fsencode(name) for name in names])
            case Observe(seconds):
                self._reacting.active = True
                if self._reads is not None:
                    self._reads.keep(seconds)
                self._until = max(self._until, time.monotonic() + seconds)
            case Arm(path):
                self._reacting.later(_once(lambda: self._arming.arm_opened(descriptors[0], path)))
            case Sync(number):
                self._reacting.later(_once(lambda: self._answers.put((Synced(number), []))))

    def _young(self) -> None:
        """A program began: its libraries will come soon."""
        self._until = max(self._until, time.monotonic() + Reacting.YOUNG_SECONDS)
        self._keeper.keep(True)

    def _tell(self) -> None:
        """A thread of its own: the collector may be slow to read."""
        while True:
            answer, descriptors = self._answers.get()
            try:
                send(self._end, answer, descriptors)
            except OSError:
                os._exit(0)
            for descriptor in descriptors:
                os.close(descriptor)


def _once(work: Callable[[], object]) -> Iterator[object]:
    yield work()
