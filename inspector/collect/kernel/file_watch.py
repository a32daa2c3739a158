"""One file under counting: its functions, and its links in groups that can be detached.

Likely hot functions make one group, the others another. To let a function go, the rest of its group moves to new links
while the old ones are still on, and the program sees to it that each call counts once. Exits have links of their own.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Sequence

import msgspec

from inspector.collect.access import mounts

from .attach import AttachThreads, ProbeSite, attach_all, checked_by_kernel, close_all
from .call_maps import COUNTER, OVERLAP, CallMaps, cookie
from .counter_block import CounterBlock, Read
from .exit_links import ExitLinks, Offsets

_OVERLAP_SECONDS = 0.02
"""No probe handler takes that long: after it every call that began before a change of the word has been handled."""
ENOUGH_RESULTS = 256
"""Of a function that does not decide: what it answered to observed processes in so many calls is known well enough."""
ENOUGH_OF_HOT = 8
"""Of one that is called at every launch: strangers that map the file pay as much, so their calls count too."""
EXIT_COST = 16_000
"""ns that a probe on a `ret` adds, as measured in a KVM guest with kernel 6.18: it is single-stepped."""


class Function(msgspec.Struct, frozen=True):
    """What to count."""

    offset: int
    """File offset of an instruction start."""
    cost: int = 500
    """ns that a probe there adds to a call."""
    hot: bool = False
    """Likely to be detached soon."""
    at_entry: bool = False
    """`offset` is its entry, where the stack pointer leads to the return address: callers are told apart."""
    decides: bool = False
    """Its results decide what the program does: they are read as long as that costs little, from the first call on."""
    reads: tuple[Read, ...] = ()


class Group(msgspec.Struct):
    """Functions of a file that share links."""

    number: int
    functions: list[int]
    generation: int = 0
    links: list[int] = msgspec.field(default_factory=list)


class FileWatch:
    """Counting of functions of one file, in all processes that map it, now and later; only members are told apart."""

    def __init__(
        self,
        block: CounterBlock,
        maps: CallMaps,
        path: bytes,
        first: int,
        functions: Sequence[Function],
        mapped: bool,
        threads: AttachThreads | None = None,
    ) -> None:
        """Functions get the numbers `first`, `first` + 1, ... of a block; OSError when file or probes are refused.

        `mapped`: some process maps the file, so that the kernel looks at each instruction at once. `threads` set the
        probes where they are to be set in a hurry.
        """
        self._init(block, maps, os.open(path, os.O_RDONLY | os.O_CLOEXEC), first, functions, mapped, threads)
        for number, function in enumerate(self.functions, first):
            if function.at_entry:
                block.put_reads(number, function.reads)
            if function.decides:
                block.note_open_calls(number)
        try:
            with self._checked():
                self._attach_groups()
        except OSError:
            self.close()
            raise

    def _init(
        self,
        block: CounterBlock,
        maps: CallMaps,
        file: int,
        first: int,
        functions: Sequence[Function],
        mapped: bool,
        threads: AttachThreads | None = None,
    ) -> None:
        self.first = first
        self.functions = list(functions)
        self.refused: dict[int, str] = {}
        """Functions that cannot be probed, and why."""
        self._stack = contextlib.ExitStack()
        self._stack.callback(mounts.close, file)
        self._fd, self._path = file, b"/proc/self/fd/%d" % file
        self._block, self._maps, self._mapped, self._threads = block, maps, mapped, threads
        self._exits = ExitLinks(block, self._path)
        self._lock = threading.Lock()
        self._groups: list[Group] = []
        self._counting: set[int] = set()

    @classmethod
    def adopt(
        cls,
        block: CounterBlock,
        maps: CallMaps,
        file: int,
        first: int,
        functions: Sequence[Function],
        groups: list[Group],
    ) -> "FileWatch":
        """What another process has set and `given`: its links are on since then. Takes the descriptors over."""
        watch = cls.__new__(cls)
        watch._init(block, maps, file, first, functions, mapped=True)
        watch._groups = groups
        watch._counting = {number for group in groups for number in group.functions}
        return watch

    def given(self) -> tuple[int, list[Group]]:
        """The file's descriptor and the groups with their links, to be adopted elsewhere; they stay ours as well."""
        return self._fd, list(self._groups)

    @property
    def exits(self) -> ExitLinks:
        """Where results are read."""
        return self._exits

    def read_results(self, exits: Offsets) -> None:
        """Read results of these functions from now on; OSError when the kernel refuses it all.

        Their `offset` must be their entry. Waits for the kernel.
        """
        counted = [number for number in exits if number in self._counting]
        deciding = [number for number in counted if self._function(number).decides]
        hot = [number for number in counted if self._function(number).hot and number not in deciding]
        others = [number for number in counted if number not in {*deciding, *hot}]
        with self._checked():
            for some, enough in ((deciding, 0), (others, ENOUGH_RESULTS), (hot, ENOUGH_OF_HOT)):
                if some:
                    self._exits.attach({number: exits[number] for number in some}, enough, hurried=some is hot)

    def row(self, slot: int) -> bytes:
        """The counters of one process."""
        start = COUNTER.size * (self.first - self._block.first)
        return self._block.row(slot)[start : start + COUNTER.size * len(self.functions)]

    def exits_passed(self, function: int) -> int:
        """How often an exit of this function was passed while it was probed."""
        return self._block.exits_passed(function)

    def results_read(self, function: int) -> int:
        """How many results of this function were read."""
        return self._block.results_read(function)

    @property
    def counting(self) -> frozenset[int]:
        """Functions that are counted now."""
        return frozenset(self._counting)

    def detach(self, functions: Iterable[int], *, hurried: bool = False) -> None:
        """Count these no more. Takes some 50 ms of waiting for the kernel: call it outside of any loop.

        `hurried`: they cost nothing any more within some ms, and calls of the others are missed for a moment.
        """
        with self._lock:
            going = self._counting.intersection(functions)
            self._counting -= going
            for group in list(self._groups):
                if going.intersection(group.functions):
                    self._shrink(group, going, hurried)

    def take_links(self) -> list[int]:
        """Its links, for the caller to close: nothing is counted here any more."""
        with self._lock:
            links = [link for group in self._groups for link in group.links]
            self._groups.clear()
            self._counting.clear()
        return links + self._exits.take_links()

    def close(self) -> None:
        """Take all probes away."""
        close_all(self.take_links())
        self._stack.close()

    def _checked(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._mapped else checked_by_kernel(self._fd)

    def _attach_groups(self) -> None:
        numbered = list(enumerate(self.functions, self.first))
        for hot in (False, True):
            part = [number for number, function in numbered if function.hot == hot]
            if not part:
                continue
            group = Group(self._maps.next_group(), part)
            self._groups.append(group)
            self._maps.words[group.number] = group.generation
            group.links = self._attach(group)

    def _attach(self, group: Group) -> list[int]:
        wanted = [number for number in group.functions if number not in self.refused]
        places = [self._site(number, group) for number in wanted]
        attached = attach_all(self._block.entry, self._path, places, self._threads)
        self.refused |= {wanted[place]: why for place, why in attached.refused.items()}
        group.functions = [number for number in wanted if number not in self.refused]
        self._counting.update(group.functions)
        return attached.links

    def _site(self, number: int, group: Group) -> ProbeSite:
        function = self._function(number)
        return ProbeSite(function.offset, cookie(number, group.generation, group.number, function.at_entry))

    def _function(self, number: int) -> Function:
        return self.functions[number - self.first]

    def _shrink(self, group: Group, going: Iterable[int], hurried: bool) -> None:
        """Take functions out of a group. While old and new links are on, each call passes both programs."""
        closing = threading.Thread(target=close_all, args=(group.links,), name="close")
        old = group.generation
        group.functions = [number for number in group.functions if number not in going]
        if hurried:  # alone: both would wait for each other's lock
            closing.start()
            closing.join()
        if not group.functions:
            self._groups.remove(group)
        elif hurried:
            group.generation = self._maps.words[group.number] = (old + 1) & 0xFFFF
            group.links = self._attach(group)
        else:
            group.generation = (old + 1) & 0xFFFF
            group.links = self._attach(group)
            self._maps.words[group.number] = OVERLAP | old
            time.sleep(_OVERLAP_SECONDS)
            self._maps.words[group.number] = group.generation
            self._maps.clear_marks()
        if not hurried:
            closing.start()
        closing.join()
