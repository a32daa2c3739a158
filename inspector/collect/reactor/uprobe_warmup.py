"""Keeps the setting of probes cheap: 0.1 ms instead of 8 to 30.

The first probe of anybody waits for a grace period of RCU, because `dup_mmap_sem` (kernel/events/uprobes.c) is a
percpu_rwsem whose first writer has to make its readers slow (kernel/locking/percpu-rwsem.c, kernel/rcu/sync.c). While
another writer came within about one grace period they are slow already, and nobody waits. So a probe is set again and
again on a file of nobody. It takes 1 to 3 % of a processor, and so is done only while it matters.
"""

import contextlib
import os
import queue
import select
import threading
from typing import Protocol

from ..kernel import bpf, perf, tracefs_events
from ..kernel.assembler import Assembler
from ..kernel.bpf import ProgramKind
from ..kernel.parent import end_with_parent
from ..kernel.real_time import real_time
from ..kernel.uprobes import MultiLinks, means

_CLOSERS = 8
"""A close waits 45 to 70 ms for the kernel, and nobody waits for it."""
_PRIORITY = 40
_PATIENCE_SECONDS = 0.2
"""Longer than the kernel's wait for the first probe."""


class UprobeWarmup:
    """A process of its own: a second of waiting in it must not hold anything else up."""

    def __init__(self) -> None:
        theirs, self._control = os.pipe2(os.O_CLOEXEC)
        self._warm, told = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._control)
                os.close(self._warm)
                end_with_parent(parent)
                _keep(theirs, told)
            finally:
                os._exit(0)
        os.close(theirs)
        os.close(told)
        self._on = False

    def keep(self, wanted: bool) -> None:
        """Begin or end."""
        if wanted != self._on:
            self._on = wanted
            with contextlib.suppress(OSError):
                if select.select([self._warm], [], [], 0)[0]:
                    os.read(self._warm, 64)
                os.write(self._control, b"\1" if wanted else b"\0")

    def wait(self) -> None:
        """After `keep(True)`: return when its first probe is set, so that those of others cost 0.1 ms from now on."""
        select.select([self._warm], [], [], _PATIENCE_SECONDS)

    def close(self) -> None:
        """Return when it has ended and left nothing behind."""
        os.close(self._control)
        os.waitpid(self.pid, 0)


class _Writer(Protocol):
    """One way to take the lock as who sets a probe does."""

    @property
    def interval(self) -> int:
        """Milliseconds until it is to be taken again."""
        ...

    def take(self) -> None: ...

    def rest(self) -> None:
        """It will not be taken for a while."""
        ...

    def close(self) -> None: ...


class _Links:
    """A link each time, which others close."""

    interval = 16

    def __init__(self, path: bytes) -> None:
        code = Assembler()
        code.leave()
        self._program = bpf.load_program(ProgramKind.UPROBE, code.build(), "warmup", attach=bpf.UPROBE_MULTI)
        self._path = path
        self._links: queue.SimpleQueue[int] = queue.SimpleQueue()
        for _ in range(_CLOSERS):
            threading.Thread(target=self._close, daemon=True).start()

    def take(self) -> None:
        self._links.put(bpf.attach_uprobes(self._program, self._path, [0], [0]))

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _close(self) -> None:
        """At the warm-up's priority: it holds the semaphore for a moment, and must not be kept from letting it go."""
        real_time(_PRIORITY)
        while True:
            os.close(self._links.get())


class _Event:
    """One tracefs event that is on for a thread of ours alone.

    Whenever somebody opens it for all threads, or closes that again, the kernel looks through all processes
    (`uprobe_apply`): it takes the lock, and nobody waits for a probe that is taken away.
    """

    interval = 5
    """It costs little, and a grace period may take no more than 8 ms."""

    def __init__(self, path: bytes) -> None:
        self._name, number = tracefs_events.define(path, [0])
        self._event = perf.Event(kind=perf.TRACEPOINT, config=number)
        self._ours: list[int] = []

    def take(self) -> None:
        if len(self._ours) > 1:
            os.close(self._ours.pop())
        else:
            thread, processor = (-1, 0) if self._ours else (threading.get_native_id(), -1)
            self._ours.append(perf.open_event(self._event, thread, processor))

    def rest(self) -> None:
        while self._ours:
            os.close(self._ours.pop())

    def close(self) -> None:
        self.rest()
        tracefs_events.remove(self._name)


def _keep(control: int, told: int) -> None:
    """Until the other end of `control` is closed; `told` gets a byte when it has begun. OSError where it cannot be."""
    file = os.memfd_create("inspector-warmup", os.MFD_CLOEXEC)
    os.truncate(file, 4096)
    path = b"/proc/self/fd/%d" % file
    writer: _Writer = _Links(path) if isinstance(means(), MultiLinks) else _Event(path)
    real_time(_PRIORITY)
    on = False
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        if poll.poll(writer.interval if on else None):
            words = os.read(control, 64)
            if not words:
                writer.close()
                return
            on = bool(words[-1])
            if on:
                writer.take()
                os.write(told, b"\1")
            else:
                writer.rest()
        elif on:
            writer.take()
