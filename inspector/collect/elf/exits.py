"""Where a function returns: the places of its `ret` instructions, proven by decoding the function whole.

A return probe would replace the return address while the function runs: an exception that passes through ends the
program then, a stack switch too, and dlopen, dlsym and backtrace, which look at that very address, get a wrong answer.
So results are read at `ret` instead, where nothing but the instruction itself has to be run for the program.

A function is decoded by its ranges (`eh_frame`), all of each: so what only an exception or a jump table leads to is
seen as well. Parts elsewhere (`name.cold`) and functions that it goes on in (tail calls) belong to it. Where the way
leads to code that this file does not hold, or that cannot be followed, its exits are not proven.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from .eh_frame import FunctionRanges
from .file import ElfError, ElfFile
from .jump_tables import Step, table_targets
from .prologue import ENDBR64
from .sites import Site

if TYPE_CHECKING:
    from capstone import Cs

_LARGEST: Final = 1 << 17
"""Bytes of all parts of a function together."""
_MOST_PARTS: Final = 48
_LONGEST: Final = 15
"""Bytes of an instruction."""
_HISTORY: Final = 32
"""Instructions before an indirect jump that may belong to its jump table."""
_NEVER_GO_ON: Final = ("jmp", "hlt", "ud2", "int3")

ELSEWHERE: Final = "it goes on in another file: it ends by a jump there"
THROUGH_POINTER: Final = "it ends by a jump through a pointer, to code that is not known"
UNDECODED: Final = "its code cannot be decoded whole"
TOO_LARGE: Final = "it is too large to be decoded whole"
ENDLESS: Final = "no instruction in it returns"


@dataclass(frozen=True, slots=True)
class Exits:
    """The `ret` instructions of one function."""

    offsets: tuple[int, ...]
    """In the file."""
    addresses: tuple[int, ...] = ()
    """At link time, in the same order."""
    unproven: str = ""
    """Why it may also leave in another way, so that some calls would not be seen to return; empty: all are known."""


@dataclass(slots=True)
class _Part:
    """What one stretch of code does; link-time addresses."""

    starts: frozenset[int]
    """Of its instructions."""
    size: int
    returns: list[int] = field(default_factory=list)
    targets: set[int] = field(default_factory=set)
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
        decoder = _decoder()
        if decoder is None:
            return "the decoder of instructions (capstone) does not load on this machine", None
        try:
            if self._leads_elsewhere(decoder, address):
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

    def _leads_elsewhere(self, decoder: "Cs", address: int) -> bool:
        """A stub of the procedure linkage table: a jump through a slot that the loader fills."""
        code = self._read(address, _LONGEST + len(ENDBR64))
        code = code.removeprefix(ENDBR64)
        step = next(_steps(decoder, code[:_LONGEST], address, 1), None)
        return step is not None and step.word == "jmp" and step.operands.startswith("qword ptr [rip")

    def _whole(self, decoder: "Cs", start: int, end: int) -> _Part:
        """All instructions of a range, one behind the other."""
        code = self._read(start, end - start)
        steps = list(_steps(decoder, code, start))
        part = _Part(frozenset(step.address for step in steps), end - start)
        if not steps or steps[-1].after != end:
            part.unproven = UNDECODED
        for place, step in enumerate(steps):
            self._take(part, step, steps[max(0, place - _HISTORY) : place])
        inside = [target for target in part.targets if start <= target < end]
        if not all(_is_start(part, steps, target) for target in inside):
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
                step = next(_steps(decoder, self._read(at, _LONGEST), at, 1), None)
                if step is None:
                    part.unproven = UNDECODED
                    break
                found[at] = step
                part.size += step.size
                before = set(part.targets)
                self._take(part, step, run[-_HISTORY:])
                waiting += part.targets - before
                run.append(step)
                if step.word.startswith("ret") or step.word in _NEVER_GO_ON:
                    break
                at = step.after
        part.starts = frozenset(found)
        part.targets = {target for target in part.targets if target not in found}
        return part

    def _take(self, part: _Part, step: Step, before: list[Step]) -> None:
        """What one instruction says about the ways out."""
        if step.word.startswith("ret"):
            part.returns.append(step.address)
        elif step.word[0] == "j" or step.word.startswith("loop") or step.word == "xbegin":
            target = _number(step.operands)
            if target is not None:
                part.targets.add(target)
                return
            table = table_targets(step, before, self._read)
            part.targets |= table or set()
            if table is None:
                part.unproven = THROUGH_POINTER

    def _read(self, address: int, size: int) -> bytes:
        return self._elf.read_some(self._elf.offset_of(address), size)


def _steps(decoder: "Cs", code: bytes, start: int, count: int = 0) -> Iterator[Step]:
    """Instructions one behind the other, until one cannot be decoded."""
    for address, size, mnemonic, operands in decoder.disasm_lite(code, start, count):
        yield Step(address, size, mnemonic.rpartition(" ")[2], operands, mnemonic.startswith("lock "))


def _is_start(part: _Part, steps: list[Step], target: int) -> bool:
    """A jump may also lead behind the `lock` prefix of an instruction, as in the C library."""
    if target in part.starts:
        return True
    return any(step.address == target - 1 and step.locked for step in steps)


def _number(operand: str) -> int | None:
    """Where a direct jump leads; None for an indirect one."""
    try:
        return int(operand, 0)
    except ValueError:
        return None


def load_decoder() -> None:
    """Import what decodes instructions before it is needed: that takes longer than a first call may."""
    _decoder()


@cache
def _decoder() -> "Cs | None":
    try:
        from capstone import CS_ARCH_X86, CS_MODE_64, Cs  # 60 ms: only when there is something to decode
    except ImportError:  # its native library does not load on this machine
        return None
    return Cs(CS_ARCH_X86, CS_MODE_64)
