"""Counters and programs for a range of function numbers, made before it is known which functions get them.

Creating maps and having programs verified takes some 2 ms: too long when the first call of a library that was opened
just now comes within 0.1 ms. A block serves any number of files, one after the other.
"""

import contextlib
import mmap
from collections.abc import Sequence

import msgspec

from .call_maps import (
    COUNTER,
    EXIT_STATE,
    EXITS_ENOUGH,
    EXITS_ON,
    EXITS_PASSED,
    MOST_READS,
    READ_ROOM,
    READS,
    RESULTS_ENOUGH,
    RESULTS_READ,
    CallMaps,
    FileMaps,
)
from .call_programs import entry_program, exit_program
from .membership import Membership
from .shared_lock import SharedLock
from .shared_words import SharedWords
from .uprobes import UprobeProgram

BLOCK = 256
"""Functions of a block, unless more are asked for at once: 2 MiB of counters."""


class Read(msgspec.Struct, frozen=True):
    """Memory behind a pointer argument, to be read at an exit of the call."""

    argument: int
    """From 0 to 5."""
    size: int
    """Bytes, at most 256."""
    offset: int = 0
    string: bool = False
    """Ends at a zero byte."""


class CounterBlock:
    """Functions with the numbers `first`, `first` + 1, ...; OSError when the kernel refuses the programs."""

    def __init__(self, members: Membership, maps: CallMaps, first: int, count: int) -> None:
        self.first, self.count = first, count
        self._stack = contextlib.ExitStack()
        self._used = SharedWords(mmap.mmap(-1, mmap.PAGESIZE))
        """Also seen by processes that share the block since a fork."""
        self._stack.callback(self._used.close)
        self._lock = SharedLock()
        self._stack.callback(self._lock.close)
        try:
            self._maps = FileMaps.create(first, count)
            self._stack.callback(self._maps.close)
            self._memory = self._maps.counters.memory()
            self._stack.callback(self._memory.close)
            self._exits = SharedWords(self._maps.exits.memory())
            self._stack.callback(self._exits.close)
            self.entry = self._load(entry_program(members, maps, self._maps), "count_entry")
            self.exits = self._load(exit_program(members, maps, self._maps), "count_exit")
        except OSError:
            self.close()
            raise

    def take(self, count: int) -> int | None:
        """The first of so many consecutive numbers, which nobody else gets; None when there are not so many left."""
        with self._lock:
            used = self._used[0]
            if used + count > self.count:
                return None
            self._used[0] = used + count
            return self.first + used

    @property
    def left(self) -> int:
        """So many numbers can still be taken."""
        return self.count - self._used[0]

    def row(self, slot: int) -> bytes:
        """The counters of one process, of all numbers that were taken."""
        start = COUNTER.size * slot * self.count
        return self._memory[start : start + COUNTER.size * self._used[0]]

    def clear(self, slot: int) -> None:
        """Make the counters of one process zero."""
        start, size = COUNTER.size * slot * self.count, COUNTER.size * self._used[0]
        self._memory[start : start + size] = bytes(size)

    def put_reads(self, function: int, reads: Sequence[Read]) -> None:
        """What is to be read at the exits of this function."""
        self._maps.reads.put((function - self.first).to_bytes(4, "little"), _pack_reads(reads))

    def note_open_calls(self, function: int) -> None:
        """Note open calls of this function from now on: its exits are, or will soon be, probed."""
        self._exits[self._exit_place(function) + EXITS_ON] = 1

    def tell_enough(self, function: int, results: int, passed: int) -> None:
        """Tell when so many results more were read, or exits were passed so often more, by whomever; 0: never."""
        place = self._exit_place(function)
        self._exits[place + EXITS_ENOUGH] = self._exits[place + EXITS_PASSED] + passed if passed else 0
        self._exits[place + RESULTS_ENOUGH] = self._exits[place + RESULTS_READ] + results if results else 0

    def ignore_exits(self, function: int) -> None:
        """Note no open calls of this function any more."""
        self._exits[self._exit_place(function) + EXITS_ON] = 0

    def exits_passed(self, function: int) -> int:
        """How often any process passed an exit of this function while it was probed."""
        return self._exits[self._exit_place(function) + EXITS_PASSED]

    def results_read(self, function: int) -> int:
        """How many results of this function were read, all members together."""
        return self._exits[self._exit_place(function) + RESULTS_READ]

    def close(self) -> None:
        """Close maps and programs; links that are on keep what they need alive."""
        self._stack.close()

    def _exit_place(self, function: int) -> int:
        return (function - self.first) * (EXIT_STATE.size // 8)

    def _load(self, code: bytes, name: str) -> UprobeProgram:
        program = UprobeProgram(code, name)
        self._stack.callback(program.close)
        return program


def _pack_reads(reads: Sequence[Read]) -> bytes:
    fields: list[int] = []
    for read in reads[:MOST_READS]:
        fields += (read.argument, int(read.string), min(read.size, READ_ROOM), read.offset)
    return READS.pack(*fields, *[0] * (4 * MOST_READS - len(fields)))
