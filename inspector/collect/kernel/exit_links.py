"""Probes on the `ret` instructions of a file's functions, which can be detached before those that count.

A `ret` is single-stepped, which costs as much as twenty counted calls, so its probe goes when enough results are known.
Functions of a kind share a link, since each link makes the end of the collector longer by a wait in the kernel. When
one of them goes, the others move to a new link: in between a return passes both, and the second finds no open call.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from .attach import ProbeSite, attach_all, close_all
from .counter_block import CounterBlock

Offsets = Mapping[int, Sequence[int]]
"""By function: file offsets of all its `ret` instructions."""


class _Group(msgspec.Struct):
    functions: frozenset[int]
    hurried: bool
    links: list[int] = msgspec.field(default_factory=list)


class ExitLinks:
    """The exits of functions of one file by number."""

    def __init__(self, block: CounterBlock, path: bytes) -> None:
        self._block, self._path = block, path
        self._exits: dict[int, Sequence[int]] = {}
        self._groups: list[_Group] = []
        self._lock = threading.Lock()
        self.refused: dict[int, str] = {}
        """Functions of which the kernel refuses some exit, and why: their results are not read."""
        self.since: dict[int, int] = {}
        """When each function's exits were probed: who entered it before may have left unseen."""

    @property
    def watched(self) -> frozenset[int]:
        """Functions whose results are read now."""
        return frozenset().union(*(group.functions for group in self._groups))

    @property
    def links(self) -> list[int]:
        """What holds the probes now."""
        return [link for group in self._groups for link in group.links]

    def attach(self, exits: Offsets, enough: int, *, hurried: bool = False) -> None:
        """Read results of these functions from now on; OSError when the kernel refuses it all.

        It tells when there were `enough` of one function, 0: never. `hurried`: one that goes must go at once, even if
        results of the others are missed for a moment; then returns of processes that are not observed count as well.
        """
        with self._lock:
            self._exits.update(exits)
            group = _Group(frozenset(exits), hurried)
            self._link(group)
            self._begin(group, enough, time.monotonic_ns())

    def adopt(self, exits: Offsets, links: list[int], since: int) -> None:
        """What another process has attached: as many results as there are."""
        with self._lock:
            self._exits.update(exits)
            self._begin(_Group(frozenset(exits), False, links), 0, since)

    def detach(self, functions: Iterable[int]) -> None:
        """Read no more results of these. Takes some 50 ms of waiting for the kernel: call it outside of any loop."""
        with self._lock:
            going = frozenset(functions)
            for number in going:
                self._block.ignore_exits(number)
            closing = [self._shrink(group, going) for group in list(self._groups) if group.functions & going]
            for thread in closing:
                thread.join()

    def take_links(self) -> list[int]:
        """All links, for the caller to close."""
        with self._lock:
            links = self.links
            for number in self.watched:
                self._block.ignore_exits(number)
            self._groups.clear()
        return links

    def _begin(self, group: _Group, enough: int, since: int) -> None:
        if group.functions:
            self._groups.append(group)
        for number in group.functions:
            self.since[number] = since
            self._block.tell_enough(number, enough, enough if group.hurried else 0)
            self._block.note_open_calls(number)

    def _shrink(self, group: _Group, going: frozenset[int]) -> threading.Thread:
        closing = threading.Thread(target=close_all, args=(group.links,), name="close")
        group.functions -= going
        if group.hurried:
            closing.start()
        self._link(group)
        if not group.functions:
            self._groups.remove(group)
        if not group.hurried:
            closing.start()
        return closing

    def _link(self, group: _Group) -> None:
        places = [(number, ProbeSite(offset, number)) for number in group.functions for offset in self._exits[number]]
        attached = attach_all(self._block.exits, self._path, [place for _, place in places])
        self.refused |= {places[place][0]: why for place, why in attached.refused.items()}
        group.functions -= self.refused.keys()
        group.links = attached.links
