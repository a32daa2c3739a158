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

from ..kernel import bpf
from ..kernel.assembler import Assembler
from ..kernel.bpf import ProgramKind
from ..kernel.parent import end_with_parent
from ..kernel.real_time import real_time

_INTERVAL_MS = 16
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


def _keep(control: int, told: int) -> None:
    """Until the other end of `control` is closed, by the end of its process; `told` gets a byte when it has begun."""
    code = Assembler()
    code.leave()
    program = bpf.load_program(ProgramKind.UPROBE, code.build(), "warmup", attach=bpf.UPROBE_MULTI)
    file = os.memfd_create("inspector-warmup", os.MFD_CLOEXEC)
    os.truncate(file, 4096)
    path = b"/proc/self/fd/%d" % file
    links: queue.SimpleQueue[int] = queue.SimpleQueue()
    for _ in range(_CLOSERS):
        threading.Thread(target=_close, args=(links,), daemon=True).start()
    real_time(_PRIORITY)
    on = False
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        if poll.poll(_INTERVAL_MS if on else None):
            words = os.read(control, 64)
            if not words:
                return
            on = bool(words[-1])
            if on:
                links.put(bpf.attach_uprobes(program, path, [0], [0]))
                os.write(told, b"\1")
        elif on:
            links.put(bpf.attach_uprobes(program, path, [0], [0]))


def _close(links: "queue.SimpleQueue[int]") -> None:
    """At the warm-up's priority: it holds the semaphore for a moment, and must not be kept from letting it go."""
    real_time(_PRIORITY)
    while True:
        os.close(links.get())
