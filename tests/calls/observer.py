"""A collector's kernel side as a process of its own, to be killed."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

from inspector.collect.elf.exits import find_exits
from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel import procfs
from inspector.collect.kernel.counter_block import Read
from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.file_watch import Function
from inspector.collect.kernel.lookup_probes import SIGNALS, LookupProbes
from inspector.collect.kernel.lookup_programs import KINDS
from inspector.collect.sources.lookups.lookups import lookup_functions


class Observer:
    """A fork of this process that watches a target until it is killed."""

    def __init__(self, pid: int, library: bytes) -> None:
        reader, writer = os.pipe()
        self._ready = reader
        self.pid = os.fork()
        if self.pid == 0:
            os.closerange(3, writer)  # also the target's standard input: it waits for its end
            os.closerange(writer + 1, 1024)
            with contextlib.suppress(BaseException):
                watch(pid, library, lambda: os.write(writer, b"!"))
            os._exit(1)
        os.close(writer)

    def wait_until_watching(self) -> bool:
        """False when it could not begin."""
        return os.read(self._ready, 1) == b"!"

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Until the kernel has taken all away."""
        os.waitpid(self.pid, 0)
        os.close(self._ready)


def watch(pid: int, library: bytes, ready: Callable[[], object]) -> None:
    """Watch everything that can be watched, and take in what it tells, for ever."""
    engine = Engine()
    lookup_probes = LookupProbes(engine)
    counting = Counting(engine, percent=5.0)
    engine.follow(pid)
    for line in procfs.executable_maps(os.getpid()):
        if b"libc.so" in line.path or b"ld-linux" in line.path:
            sites = find_sites(line.path, (*KINDS, *SIGNALS)).found
            lookup_probes.watch(lookup_probes.reserve(), line.path, lookup_functions(line.path, sites))
    sites = find_sites(library).found
    reads = (Read(argument=0, size=4), Read(argument=1, size=32, string=True))
    sites = [site for site in sites if site.name != "locked"]
    functions = [Function(s.entry, s.entry_cost, at_entry=True, decides=True, reads=reads) for s in sites]
    watch = counting.watch(library, functions)
    exits = find_exits(library, sites)
    watch.read_results({number: exits[s.entry].offsets for number, s in enumerate(sites, watch.first)})
    ready()
    while True:
        select.select([engine.fd], [], [], 0.02)
        engine.drain()
        counting.counts()
        counting.outcomes()
        counting.judge(time.monotonic_ns())
