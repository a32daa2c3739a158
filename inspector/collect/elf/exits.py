"""Where a function returns: the places of its `ret` instructions, proven by decoding the function whole.

A return probe would replace the return address while the function runs: an exception that passes through ends the
program then, a stack switch too, and dlopen, dlsym and backtrace, which look at that very address, get a wrong answer.
So results are read at `ret` instead, where nothing but the instruction itself has to be run for the program.

A function is decoded by its ranges (`eh_frame`), all of each: so what only an exception or a jump table leads to is
seen as well. Parts elsewhere (`name.cold`) and functions that it goes on in (tail calls) belong to it. Where the way
leads to code that this file does not hold, or that cannot be followed, its exits are not proven.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from .eh_frame import FunctionRanges
from .file import ElfError, ElfFile
from .processors.processor import Processor, Step, processors, steps
from .sites import Site

if TYPE_CHECKING:
    from capstone import Cs

_LARGEST: Final = 1 << 17
"""Bytes of all parts of a function together."""
_MOST_PARTS: Final = 48
_LONGEST: Final = 15
"""Bytes of an instruction."""
_STUB: Final = 24
"""Bytes at the start of which a stub of the procedure linkage table is known for what it is."""
_HISTORY: Final = 32
"""Instructions before an indirect jump that may belong to its jump table."""

ELSEWHERE: Final = "it goes on in another file: it ends by a jump there"
THROUGH_POINTER: Final = "it ends by a jump through a pointer, to code that is not known"
NO_DECODER: Final = "the decoder of instructions (capstone) does not load on this machine"
UNDECODED: Final = "its code cannot be decoded whole"
TOO_LARGE: Final = "it is too large to be decoded whole"
ENDLESS: Final = "no instruction in it returns"


class Exits(msgspec.Struct, frozen=True):
    """The `ret` instructions of one function."""

    offsets: tuple[int, ...]
    """In the file."""
    addresses: tuple[int, ...] = ()
    """At link time, in the same order."""
    unproven: str = ""
    """Why it may also leave in another way, so that some calls would not be seen to return; empty: all are known."""


class _Part(msgspec.Struct):
    """What one stretch of code does; link-time addresses."""

    starts: frozenset[int]
    """Of its instructions."""
    size: int
    returns: list[int] = msgspec.field(default_factory=list)
    targets: set[int] = msgspec.field(default_factory=set)
    """Where direct jumps, jump tables and exceptions lead."""
    unproven: str = ""


def find_exits(open_path: bytes, sites: Iterable[Site]) -> dict[int, Exits]:
    """The exits of functions by `Site.entry`. Raises ElfError when the file cannot be read."""
    with ElfFile(open_path) as elf:
        finder = _Finder(elf)
        return {site.entry: finder.exits(site) for site in sites}


class _Finder:
    """Decodes each part of a file once, however many functions go on in it."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._processor = processors().get(elf.machine_number)
        self._ranges = FunctionRanges(elf)
        self._parts: dict[int, _Part] = {}

    def exits(self, site: Site) -> Exits:
        """All exits of one function, and why they may not be all."""
        parts: list[_Part] = []
        unproven = ""
        waiting = [(site.address, site.size)]
        while waiting:
            address, size = waiting.pop()
            if any(address in part.starts for part in parts):
                continue
            why, part = self._part_at(address, size)
            unproven = unproven or why
            if part is None:
                continue
            parts.append(part)
            unproven = unproven or part.unproven
            waiting += [(target, 0) for target in part.targets]
            if len(parts) > _MOST_PARTS or sum(part.size for part in parts) > _LARGEST:
                unproven = unproven or TOO_LARGE
                break
        returns = sorted({address for part in parts for address in part.returns})
        offsets = tuple(self._elf.offset_of(address) for address in returns)
        return Exits(offsets, tuple(returns), unproven or ("" if offsets else ENDLESS))

    def _part_at(self, address: int, size: int) -> tuple[str, _Part | None]:
        """The part that holds an address, or why there is none."""
        decoder = _decoder(self._processor) if self._processor is not None else None
        if decoder is None or self._processor is None:
            return NO_DECODER, None
        try:
            if self._processor.goes_through_table(list(steps(decoder, self._read(address, _STUB), address))):
                return ELSEWHERE, None
            known = self._ranges.find(address)
            start, end = (known.start, known.end) if known else (address, address + size)
            if end - start > _LARGEST:
                return TOO_LARGE, None
            if start not in self._parts:
                part = self._whole(decoder, start, end) if end > start else self._followed(decoder, address)
                part.targets |= set(known.landing_pads) if known else set()
                self._parts[start] = part
            part = self._parts[start]
        except ElfError:
            return UNDECODED, None
        if address not in part.starts:
            return UNDECODED, None
        return "", part

    def _whole(self, decoder: "Cs", start: int, end: int) -> _Part:
        """All instructions of a range, one behind the other."""
        code = self._read(start, end - start)
        found = list(steps(decoder, code, start))
        part = _Part(frozenset(step.address for step in found), end - start)
        if not found or found[-1].after != end:
            part.unproven = UNDECODED
        for place, step in enumerate(found):
            self._take(part, step, found[max(0, place - _HISTORY) : place])
        inside = [target for target in part.targets if start <= target < end]
        if not all(_is_start(part, found, target) for target in inside):
            part.unproven = UNDECODED
        return part

    def _followed(self, decoder: "Cs", start: int) -> _Part:
        """Instructions along all direct jumps, where nothing tells the end of the function."""
        found: dict[int, Step] = {}
        part = _Part(frozenset(), 0)
        waiting = [start]
        while waiting and part.size < _LARGEST:
            at = waiting.pop()
            run: list[Step] = []
            while at not in found:
                step = next(steps(decoder, self._read(at, _LONGEST), at, 1), None)
                if step is None:
                    part.unproven = UNDECODED
                    break
                found[at] = step
                part.size += step.size
                before = set(part.targets)
                ends = self._take(part, step, run[-_HISTORY:])
                waiting += part.targets - before
                run.append(step)
                if ends:
                    break
                at = step.after
        part.starts = frozenset(found)
        part.targets = {target for target in part.targets if target not in found}
        return part

    def _take(self, part: _Part, step: Step, before: list[Step]) -> bool:
        """What one instruction says about the ways out; True when it never goes on to the next one."""
        assert self._processor is not None
        way = self._processor.way(step, before, self._read)
        if way.returns:
            part.returns.append(step.address)
        part.targets |= way.targets
        if way.unknown:
            part.unproven = THROUGH_POINTER
        return way.ends

    def _read(self, address: int, size: int) -> bytes:
        return self._elf.read_some(self._elf.offset_of(address), size)


def _is_start(part: _Part, steps: list[Step], target: int) -> bool:
    """A jump may also lead behind the `lock` prefix of an instruction, as in the C library."""
    if target in part.starts:
        return True
    return any(step.address == target - 1 and step.locked for step in steps)


def load_decoder() -> None:
    """Import what decodes instructions before it is needed: that takes longer than a first call may."""
    for processor in processors().values():
        _decoder(processor)


@cache
def _decoder(processor: Processor) -> "Cs | None":
    try:
        return processor.decoder()
    except ImportError:  # its native library does not load on this machine
        return None
