"""What tells of libraries that are opened, while it matters: the first read of a file, or else its mapping.

The first read (the loader looks at the ELF header) comes before everything that the library does, but is told from
kernel 6.10 on only, and each read of a cached page costs everybody 70 ns more meanwhile. A mapping of code is told by
every kernel, for all processes, 0.1 ms later and before relocations and constructors.
"""

import os
import threading
import time
from typing import Protocol

from ..kernel import bpf, perf
from ..kernel.bpf import BpfError, ProgramKind
from ..kernel.btf import BtfError
from ..kernel.early_programs import FAULT_TRACEPOINTS, READ_TRACEPOINT, EarlyMaps, read_program
from ..kernel.membership import Membership


class Switch(Protocol):
    """A source that can be turned on and off."""

    def turn(self, on: bool) -> None:
        """Watch loads, or watch none, which costs nothing."""


class FirstReads:
    """Records of the first read of each library by members, in the ring of the processor where it happens.

    A file system that reads past the page cache (tmpfs) has them of the first page that is touched instead.
    """

    def __init__(self, members: Membership, maps: EarlyMaps) -> None:
        """BpfError or BtfError where this kernel has not the tracepoints or refuses the programs."""
        read, fault = (
            bpf.load_program(ProgramKind.RAW_TRACEPOINT, read_program(members, maps, any_page), name)
            for any_page, name in ((False, "first_read"), (True, "first_touch"))
        )
        self._programs = {READ_TRACEPOINT: read, **dict.fromkeys(FAULT_TRACEPOINTS, fault)}
        self._links: list[int] = []
        self.turn(True)
        self.turn(False)

    def turn(self, on: bool) -> None:
        """0.15 ms each."""
        if on and not self._links:
            self._links = [bpf.attach_raw_tracepoint(program, name) for name, program in self._programs.items()]
        elif not on:
            for link in self._links:
                os.close(link)
            self._links.clear()


class CodeMappings:
    """Records of each mapping of code by anybody, in a ring for each processor; OSError where they are refused."""

    def __init__(self, processors: list[int]) -> None:
        self.rings = {
            processor: perf.PerfRing(perf.open_event(perf.side_band(perf.MMAP | perf.MMAP2), -1, processor))
            for processor in processors
        }
        self.turn(False)

    def turn(self, on: bool) -> None:
        """For all processors."""
        for ring in self.rings.values():
            perf.enable(ring.fd, on)


class LoadWatch:
    """Turns a source on for a while."""

    def __init__(self, source: Switch) -> None:
        self._source, self._on, self._until = source, False, 0
        self._lock = threading.Lock()

    def keep(self, seconds: float) -> None:
        """Be on for so long at least."""
        with self._lock:
            self._until = max(self._until, time.monotonic_ns() + int(seconds * 1e9))
            if not self._on:
                self._on = True
                self._source.turn(True)

    def suspend_when_idle(self) -> bool:
        """Turn it off when its time is over; whether it is on."""
        with self._lock:
            if self._on and time.monotonic_ns() >= self._until:
                self._on = False
                self._source.turn(False)
            return self._on


def find_source(members: Membership, maps: EarlyMaps, processors: list[int]) -> tuple[FirstReads | CodeMappings, str]:
    """The best that this kernel has, and why it is not the first reads; OSError when there is none."""
    try:
        return FirstReads(members, maps), ""
    except (BpfError, BtfError) as error:
        return CodeMappings(processors), str(error).splitlines()[0]
