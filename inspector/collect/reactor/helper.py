"""The helper process: carries out what the collector asks, probes what may be loaded, ends with the collector.

It has a child that reacts to what the kernel tells (`reacting`): what takes long must not hold Python's lock there.
"""

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from itertools import chain

from ..elf.exits import load_decoder
from ..kernel.counter_block import CounterBlock
from ..kernel.descriptors import enlarge_table
from ..kernel.early_programs import EarlyMaps
from ..kernel.kernel_maps import KernelMaps
from ..kernel.parent import end_with_parent
from ..kernel.real_time import enter_root_group
from .arming import Arming, Interests
from .background import Background
from .file_claims import FileClaims
from .load_candidates import LoadCandidates
from .messages import (
    Arm,
    Foresee,
    Observe,
    Order,
    Report,
    Synced,
    Wait,
    pair,
    receive_order,
    receive_report,
    send,
)
from .reacting import END_OF_GROUPS, Reacting
from .remembered_files import recall_unrelated, remember_unrelated
from .telling import Telling


def run(
    end: socket.socket, maps: KernelMaps, early: EarlyMaps, block: CounterBlock, groups: int, interests: Interests
) -> None:
    """In the child of a fork; returns when the collector is gone. Groups have numbers below `groups`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.environ.get("INSPECTOR_DEBUG"):
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
    enter_root_group()
    load_decoder()
    gc.collect()
    gc.freeze()
    gc.disable()
    ours, theirs = pair()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            end_with_parent(parent)
            enlarge_table()
            _react(Reacting(theirs, end, maps, early, block, interests))
        finally:
            os._exit(0)
    theirs.close()
    enlarge_table()
    maps.calls.take_groups(END_OF_GROUPS, groups)
    helper = _Helper(end, ours, maps, early, block, interests)
    with contextlib.suppress(OSError):  # the collector is gone, or the child
        helper.serve()
    helper.remember()
    ours.close()
    os.waitpid(child, 0)


def _react(reacting: Reacting) -> None:
    with contextlib.suppress(OSError):  # the helper is gone
        reacting.serve()
    reacting.close()


class _Helper:
    def __init__(
        self,
        collector: socket.socket,
        reacting: socket.socket,
        maps: KernelMaps,
        early: EarlyMaps,
        block: CounterBlock,
        interests: Interests,
    ) -> None:
        self._collector, self._reacting = collector, reacting
        self._rehearsed = False
        self._telling = Telling(collector, 0)
        self._background = Background(self._telling.failed)
        self._claims = FileClaims(early)
        self._arming = Arming("helper", block, maps.calls, self._claims, interests, self._telling.armed, 0)
        self._load_candidates = LoadCandidates(interests.stems, interests.places)
        self._names = interests.names
        self._arming.load()
        self._claims.skip(recall_unrelated(interests.names))

    def serve(self) -> None:
        """Until the collector closes its end, or the process that reacts has ended; OSError when one is gone before."""
        self._telling.start()
        self._background.start()
        poll = select.poll()
        poll.register(self._collector, select.POLLIN)
        poll.register(self._reacting, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._reacting.fileno() in ready:
                report = receive_report(self._reacting)
                if report is None:
                    return
                self._hear(report)
            if self._collector.fileno() in ready:
                received = receive_order(self._collector)
                if received is None:
                    return
                self._obey(*received)

    def remember(self) -> None:
        """What was learnt of files, for the next run."""
        remember_unrelated(self._names, self._claims.unrelated())
        self._arming.save()

    def _obey(self, order: Order, descriptors: list[int]) -> None:
        if not isinstance(order, Arm):
            send(self._reacting, order)
        match order:
            case Wait(_, program):
                beside = self._load_candidates.of_program(program) if program else ()
                paths = chain(beside, self._load_candidates.common())
                self._background.whenever(self._arming.foresee(path) for path in paths)
            case Observe():
                self._rehearse()
            case Arm(path):
                self._background.soon(_once(lambda: self._arming.arm_opened(descriptors[0], path)))

    def _hear(self, report: Report) -> None:
        match report:
            case Foresee(pid):
                self._background.for_program(self._foresee(pid))
            case Synced(number):
                self._background.soon(_once(lambda: self._telling.say(Synced(number))))

    def _rehearse(self) -> None:
        """What any program may load is probed before one that we start begins."""
        if not self._rehearsed:
            self._rehearsed = True
            for _ in self._foresee(os.getpid()):
                pass

    def _foresee(self, pid: int) -> Iterator[object]:
        return (path and self._arming.foresee(path) for path in self._load_candidates.likely(pid))


def _once(work: Callable[[], object]) -> Iterator[object]:
    yield work()
