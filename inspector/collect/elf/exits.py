"""Where a function returns: the places of its `ret` instructions, for probes that must not touch the return address.

A return probe replaces the return address while the function runs. dlopen, dlsym and their kin look at that very
address to learn who asks (RTLD_NEXT, the caller's RUNPATH and namespace), so their answers are read at `ret` instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .file import ElfFile
from .prologue import ENDBR64

if TYPE_CHECKING:
    from capstone import Cs

_LARGEST = 1 << 16
_LONGEST = 15
"""Bytes of an instruction."""
_MOST_STEPS = 2_000
_NEVER_GO_ON = ("jmp", "hlt", "ud2", "int3")


@dataclass(frozen=True, slots=True)
class Exits:
    """File offsets of all `ret` instructions of one function."""

    offsets: tuple[int, ...]
    complete: bool
    """False when it can also leave by a jump elsewhere: such calls are not seen to return."""


def find_exits(open_path: bytes, functions: Iterable[tuple[int, int]]) -> dict[int, Exits]:
    """The exits of functions given as (`Site.entry`, `Site.size`), by entry; those that cannot be decoded to their
    very end are left out. Raises ElfError when the file cannot be read."""
    found = {}
    with ElfFile(open_path) as elf:
        for entry, size in functions:
            if entry >= len(ENDBR64) and elf.read_some(entry - len(ENDBR64), len(ENDBR64)) == ENDBR64:
                size -= len(ENDBR64)
            code = elf.read_some(entry, size) if 0 < size <= _LARGEST else b""
            exits = exits_of(code, entry) if code and len(code) == size else None
            exits = exits or follow_exits(elf, entry)
            if exits is not None:
                found[entry] = exits
    return found


def exits_of(code: bytes, start: int) -> Exits | None:
    """The exits of one function's code at file offset `start`; None when it has none or cannot be decoded whole."""
    offsets, complete, at = [], True, 0
    decoder = _decoder()
    if decoder is None:
        return None
    for address, size, mnemonic, operands in decoder.disasm_lite(code, 0):
        if address != at:
            break
        at += size
        if mnemonic.split()[-1].startswith("ret"):
            offsets.append(start + address)
        elif mnemonic.split()[-1].startswith("j"):
            complete &= _stays_inside(operands, len(code))
    if at != len(code) or not offsets:
        return None
    return Exits(tuple(offsets), complete)


def follow_exits(elf: ElfFile, entry: int) -> Exits | None:
    """The exits along all direct branches from a file offset, for a function of unknown size or one that goes on in
    another (dlsym of musl is `jmp __dlsym`); None when it has none or some of the way cannot be decoded."""
    offsets: set[int] = set()
    seen: set[int] = set()
    complete, waiting = True, [entry]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        if len(seen) > _MOST_STEPS:
            return None
        step = _instruction(elf.read_some(at, _LONGEST), at)
        if step is None:
            return None
        seen.add(at)
        size, word, operands = step
        if word.startswith("ret"):
            offsets.add(at)
            continue
        if word.startswith("j"):
            target = _target(operands)
            complete &= target is not None
            waiting += [] if target is None else [target]
        if word not in _NEVER_GO_ON:
            waiting.append(at + size)
    return Exits(tuple(sorted(offsets)), complete) if offsets else None


def _instruction(code: bytes, at: int) -> tuple[int, str, str] | None:
    """Size, mnemonic without prefixes, and operands of the instruction there."""
    decoder = _decoder()
    if decoder is None:
        return None
    for _, size, mnemonic, operands in decoder.disasm_lite(code, at, 1):
        return size, mnemonic.split()[-1], operands
    return None


def _target(operand: str) -> int | None:
    """Where a direct jump leads; None for an indirect one."""
    try:
        return int(operand, 0)
    except ValueError:
        return None


def _stays_inside(operand: str, size: int) -> bool:
    """A direct jump to a place inside the function; an indirect one may go anywhere."""
    target = _target(operand)
    return target is not None and 0 <= target < size


@cache
def _decoder() -> "Cs | None":
    try:
        from capstone import CS_ARCH_X86, CS_MODE_64, Cs  # 60 ms: only when there is something to decode
    except ImportError:  # its native library does not load on this machine
        return None
    return Cs(CS_ARCH_X86, CS_MODE_64)
