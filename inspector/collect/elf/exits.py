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
            if len(code) == size and (exits := exits_of(code, entry)) is not None:
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


def _stays_inside(operand: str, size: int) -> bool:
    """A direct jump to a place inside the function; an indirect one may go anywhere."""
    try:
        return 0 <= int(operand, 0) < size
    except ValueError:
        return False


@cache
def _decoder() -> "Cs | None":
    try:
        from capstone import CS_ARCH_X86, CS_MODE_64, Cs  # 60 ms: only when there is something to decode
    except ImportError:  # its native library does not load on this machine
        return None
    return Cs(CS_ARCH_X86, CS_MODE_64)
