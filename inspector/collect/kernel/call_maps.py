"""What counted calls lie in: maps that kernel programs and collector share, and cookies that tell a probe's function.

Counters are an array in memory shared with the collector: no call leaves the kernel to be counted.
"""

import errno
import struct
import threading

import msgspec

from .bpf import MMAPABLE, NO_PREALLOC, Map, MapKind
from .membership import CONTROL_LOST_CALLS, SLOTS
from .ring import RingBuffer
from .shared_words import SharedWords
from .stack_requests import StackMaps

COUNTER = struct.Struct("<QQQQ")
"""Entries, first, last of the first TIMED_CALLS, returns told in full."""
OUTCOME_KEY = struct.Struct("<IIQQ")
"""Slot, function, return address, result; entries are summed up with the result 0."""
OUTCOME = struct.Struct("<QQQ")
"""Calls, first, last of the first TIMED_CALLS."""
EXIT_STATE = struct.Struct("<QQQQQ")
"""Of one function: whether its exits are watched; how often one was passed, by whomever, and how often is enough;
how many results of members were read, and how many are enough. Enough is 0 where nothing is."""
EXITS_ON, EXITS_PASSED, EXITS_ENOUGH, RESULTS_READ, RESULTS_ENOUGH = range(5)
MOST_READS = 8
READ_ROOM = 256
READS = struct.Struct("<" + "BBHI" * MOST_READS)
"""For each read: argument, whether it is a string, bytes (0: no read), offset."""
_OUTCOMES = 16384
_RING_BYTES = 4 << 20

GENERATION_AT, GROUP_AT, _AT_ENTRY = 32, 48, 63
"""Bits of an attach cookie: below them the function, then generation, group, flag."""
GROUPS = 4096
OVERLAP = 1 << 63
"""In a generation word: two links of the group are on, of this generation and the next one; see `call_programs`."""


def cookie(function: int, generation: int, group: int, at_entry: bool) -> int:
    """The attach cookie of a probe that counts; `at_entry`: the stack pointer there points to the return address."""
    return function | (generation & 0xFFFF) << GENERATION_AT | group << GROUP_AT | int(at_entry) << _AT_ENTRY


class CallMaps:
    """Maps that all watched files share."""

    def __init__(self, frames: Map, stacks: StackMaps) -> None:
        self.frames, self.stacks = frames, stacks
        self.outcomes = Map(MapKind.HASH, OUTCOME_KEY.size, OUTCOME.size, _OUTCOMES)
        self.callers = Map(MapKind.HASH, OUTCOME_KEY.size, OUTCOME.size, _OUTCOMES)
        self.generations = Map(MapKind.ARRAY, 4, 8 * GROUPS, 1, MMAPABLE)
        self.marks = Map(MapKind.HASH, 8, 4, 4096, NO_PREALLOC)
        self.ring = RingBuffer(_RING_BYTES, CONTROL_LOST_CALLS)
        self.words = SharedWords(self.generations.memory())
        """Generation word of each group."""
        self._groups, self._groups_end = 0, GROUPS
        self._lock = threading.Lock()

    def next_group(self) -> int:
        """A group number that is free; OSError when there are no more."""
        with self._lock:
            if self._groups == self._groups_end:
                raise OSError(errno.ENOSPC, "too many groups of functions")
            self._groups += 1
            return self._groups - 1

    def take_groups(self, first: int, end: int = GROUPS) -> None:
        """Give out groups from this number on to another: other processes give out the rest."""
        with self._lock:
            self._groups, self._groups_end = max(self._groups, first), end

    def clear_marks(self) -> None:
        """Forget the marks of a change that is over."""
        for key, _ in self.marks.items():
            self.marks.delete(key)

    def close(self) -> None:
        """Close the maps."""
        self.words.close()
        for each in (self.outcomes, self.callers, self.generations, self.marks, self.ring):
            each.close()


class FileMaps(msgspec.Struct, frozen=True):
    """Maps of one watched file, whose functions have the numbers from `first` on."""

    first: int
    count: int
    counters: Map
    reads: Map
    exits: Map

    @classmethod
    def create(cls, first: int, count: int) -> "FileMaps":
        """Maps for `count` functions from number `first` on; OSError where the kernel refuses them (bpf(2))."""
        counters = Map(MapKind.ARRAY, 4, COUNTER.size, SLOTS * count, MMAPABLE)
        exits = Map(MapKind.ARRAY, 4, EXIT_STATE.size, count, MMAPABLE)
        return cls(first, count, counters, Map(MapKind.ARRAY, 4, READS.size, count), exits)

    def close(self) -> None:
        """Close the maps."""
        for each in (self.counters, self.reads, self.exits):
            each.close()
