"""Uprobes in the best way that this kernel and this user have; which one that is, is found out by trying.

First choice are `uprobe_multi` links (Linux 6.6) with any number of places; else perf and tracefs uprobe events.
"""

import errno
import functools
import os
import queue
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from . import bpf, uprobe_events
from .assembler import Assembler
from .bpf import BpfError, ProgramKind
from .lock_priority import above_programs

MULTI_SINCE = "6.6"
"""The Linux that brought `uprobe_multi` links; distributions may have them earlier."""
_NOWHERE = b"/inspector-asks-whether-it-may"


class ProbeSite(NamedTuple):
    """Where to probe, and what the program is told there."""

    offset: int
    """File offset of an instruction start."""
    cookie: int


class Means(Protocol):
    """One way to set uprobes."""

    @property
    def name(self) -> str:
        """What it is called, for people."""
        ...

    @property
    def most(self) -> int | None:
        """Places at the same time; None for any number."""
        ...

    def load(self, code: bytes, name: str) -> int:
        """A descriptor of the program; BpfError when the kernel refuses it."""
        ...

    @property
    def lost(self) -> str:
        """What is lost against the best means, in words; empty for the best."""
        ...

    @property
    def left(self) -> float:
        """Share of `most` that is free, 1 where any number can be set."""
        ...

    def prepare(self, program: "UprobeProgram", files: int) -> None:
        """Do now what it takes to attach a program to places of so many files, so that it is quick then."""
        ...

    def portions(self, places: Sequence[ProbeSite]) -> list[list[int]]:
        """Numbers of the places that go into one link each."""
        ...

    def attach(self, program: "UprobeProgram", path: bytes, places: Sequence[ProbeSite]) -> int:
        """A descriptor that keeps the program on one portion of places, all or nothing; OSError when refused."""
        ...

    def close(self, link: int) -> None:
        """Take the probes of one descriptor away; waits some 50 ms for the kernel, or leaves that to `finish`."""
        ...

    def give(self, link: int) -> None:
        """Close a descriptor that another process has by now: its probes stay."""
        ...

    def finish(self) -> None:
        """Return when all that was closed is away."""
        ...


class UprobeEventsError(OSError):
    """The kernel knows no links and does not permit events either."""


class UprobeProgram:
    """A program for uprobes, loaded as this kernel wants it; BpfError when it is refused."""

    def __init__(self, code: bytes, name: str) -> None:
        self.code, self.name = code, name
        self.means = means()
        self.fd = self.means.load(code, name)
        self.copies: queue.SimpleQueue[uprobe_events.TabledProgram] = queue.SimpleQueue()
        """What `prepare` has made."""

    def close(self) -> None:
        """Close the program; what is attached stays on."""
        os.close(self.fd)
        while not self.copies.empty():
            self.copies.get().close()


class MultiLinks:
    """Links over any number of places of one file."""

    name, most, lost, left = "uprobe_multi links", None, "", 1.0

    def load(self, code: bytes, name: str) -> int:
        """Load code of this kind of program and give its descriptor; OSError with the verifier's errno."""
        return bpf.load_program(ProgramKind.UPROBE, code, name, attach=bpf.UPROBE_MULTI)

    def prepare(self, program: UprobeProgram, files: int) -> None:
        """Nothing: a link of this kind takes its places when it is made."""

    def portions(self, places: Sequence[ProbeSite]) -> list[list[int]]:
        """Indices of places for each link: one link takes them all."""
        return [list(range(len(places)))]

    def attach(self, program: UprobeProgram, path: bytes, places: Sequence[ProbeSite]) -> int:
        """Set probes at all places of a file by one link, whose descriptor it gives; OSError where one is refused."""
        offsets, cookies = [place.offset for place in places], [place.cookie for place in places]
        with above_programs():
            return bpf.attach_uprobes(program.fd, path, offsets, cookies)

    def close(self, link: int) -> None:
        """Take the probes of a link away; the kernel waits for programs that run meanwhile."""
        with above_programs():
            os.close(link)

    def give(self, link: int) -> None:
        """Close our descriptor of a link that another process holds as well: its probes stay."""
        os.close(link)

    def finish(self) -> None:
        """Nothing: no state is kept beside the links."""

    def attempt(self) -> None:
        """OSError when the kernel does not allow it: a place that does not exist is asked for."""
        nothing = Assembler()
        nothing.leave()
        program = self.load(nothing.build(), "inspector")
        try:
            os.close(bpf.attach_uprobes(program, _NOWHERE, [0], [0]))
        except BpfError as error:
            if error.errno != errno.ENOENT:
                raise
        finally:
            os.close(program)


def find_means() -> Means:
    """The best that this kernel and this user have; OSError when there is none, for the best that the kernel knows."""
    multi = MultiLinks()
    try:
        multi.attempt()
    except OSError as refused:
        if refused.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        try:
            return uprobe_events.attempt(_NOWHERE)
        except OSError as error:
            raise UprobeEventsError(error.errno, error.strerror) from None
    return multi


@functools.cache
def means() -> Means:
    """What `find_means` found when it was first asked; all probes of this process are set that way."""
    return find_means()


def close(link: int) -> None:
    """Take away what hangs on a descriptor, whatever it is."""
    if means.cache_info().currsize:
        means().close(link)
    else:
        os.close(link)


def give(link: int) -> None:
    """Close a descriptor that another process has by now; what hangs on it stays."""
    if means.cache_info().currsize:
        means().give(link)
    else:
        os.close(link)


def finish() -> None:
    """Return when all that was closed is away."""
    if means.cache_info().currsize:
        means().finish()
