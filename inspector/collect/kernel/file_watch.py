"""One file under counting: its functions, and its links in groups that can be let go.

Likely hot functions make one group, the others another. To let a function go, the rest of its group moves to new links
while the old ones are still on, and the program sees to it that each call counts once.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .attach import Place, attach_all, checked_by_kernel, close_all
from .call_programs import OVERLAP, CallMaps, cookie
from .counter_block import CounterBlock, Read
from .uprobes import UprobeProgram

_OVERLAP_SECONDS = 0.02
"""No probe handler takes that long: after it every call that began before a change of the word has been handled."""


@dataclass(frozen=True, slots=True)
class Function:
    """What to count."""

    offset: int
    """File offset of an instruction start."""
    cost: int = 500
    """ns that a probe there adds to a call."""
    hot: bool = False
    """Likely to be let go soon."""
    returns: bool = False
    """A C function that returns an int: probe its return too. Then `offset` must be its entry."""
    reads: tuple[Read, ...] = ()


@dataclass(slots=True)
class Group:
    """Functions of a file that share links."""

    number: int
    functions: list[int]
    generation: int = 0
    links: list[int] = field(default_factory=list)


class FileWatch:
    """Counting of functions of one file, in all processes that map it, now and later; only members are told apart."""

    def __init__(
        self, block: CounterBlock, maps: CallMaps, path: bytes, first: int, functions: Sequence[Function], mapped: bool
    ) -> None:
        """Functions get the numbers `first`, `first` + 1, ... of a block; OSError when file or probes are refused.

        `mapped`: some process maps the file, so that the kernel looks at each instruction at once.
        """
        self._init(block, maps, first, functions)
        try:
            self._start(path, mapped)
        except OSError:
            self.close()
            raise

    def _init(self, block: CounterBlock, maps: CallMaps, first: int, functions: Sequence[Function]) -> None:
        self.first = first
        self.functions = list(functions)
        self._returns = block.entry.means.returns
        self.refused: dict[int, str] = {}
        """Functions that cannot be probed, and why."""
        self._stack = contextlib.ExitStack()
        self._block, self._maps = block, maps
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
        watch._init(block, maps, first, functions)
        watch._keep_open(file)
        watch._groups = groups
        watch._counting = {number for group in groups for number in group.functions}
        return watch

    def given(self) -> tuple[int, list[Group]]:
        """The file's descriptor and the groups with their links, to be adopted elsewhere; they stay ours as well."""
        return self._fd, list(self._groups)

    @property
    def counting(self) -> frozenset[int]:
        """Functions that are counted now."""
        return frozenset(self._counting)

    def let_go(self, functions: Iterable[int]) -> None:
        """Count these no more. Takes some 50 ms of waiting for the kernel: call it outside of any loop."""
        with self._lock:
            going = self._counting.intersection(functions)
            self._counting -= going
            for group in list(self._groups):
                if going.intersection(group.functions):
                    self._shrink(group, going)

    def take_links(self) -> list[int]:
        """Its links, for the caller to close: nothing is counted here any more."""
        with self._lock:
            links = [link for group in self._groups for link in group.links]
            self._groups.clear()
            self._counting.clear()
        return links

    def close(self) -> None:
        """Take all probes away."""
        close_all(self.take_links())
        self._stack.close()

    def _start(self, path: bytes, mapped: bool) -> None:
        self._keep_open(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        for number, function in enumerate(self.functions, self.first):
            if function.returns:
                self._block.put_reads(number, function.reads)
        with contextlib.nullcontext() if mapped else checked_by_kernel(self._fd):
            self._attach_groups()

    def _keep_open(self, fd: int) -> None:
        self._fd, self._path = fd, b"/proc/self/fd/%d" % fd
        self._stack.callback(os.close, fd)

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
        """Returns first: then no call is noted as open whose return nobody would see."""
        links: list[int] = []
        try:
            returning = [number for number in group.functions if self._returns and self._function(number).returns]
            if returning:
                links += self._attach_some(self._block.returns, group, returning, returns=True)
            links += self._attach_some(self._block.entry, group, group.functions, returns=False)
        except OSError:
            close_all(links)
            raise
        group.functions = [number for number in group.functions if number not in self.refused]
        self._counting.update(group.functions)
        return links

    def _attach_some(self, program: UprobeProgram, group: Group, functions: list[int], returns: bool) -> list[int]:
        wanted = [number for number in functions if number not in self.refused]
        places = [self._place(number, group) for number in wanted]
        attached = attach_all(program, self._path, places, returns=returns)
        self.refused |= {wanted[place]: why for place, why in attached.refused.items()}
        return attached.links

    def _place(self, number: int, group: Group) -> Place:
        function = self._function(number)
        returns = self._returns and function.returns
        return Place(function.offset, cookie(number, group.generation, group.number, returns))

    def _function(self, number: int) -> Function:
        return self.functions[number - self.first]

    def _shrink(self, group: Group, going: Iterable[int]) -> None:
        """Take functions out of a group. While old and new links are on, each call passes both programs."""
        old_links, old = group.links, group.generation
        group.functions = [number for number in group.functions if number not in going]
        if group.functions:
            group.generation = (old + 1) & 0xFFFF
            group.links = self._attach(group)
            self._maps.words[group.number] = OVERLAP | old
            time.sleep(_OVERLAP_SECONDS)
            self._maps.words[group.number] = group.generation
            self._maps.clear_marks()
        else:
            self._groups.remove(group)
        close_all(old_links)
