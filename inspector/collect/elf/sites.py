"""Where to put uprobes: for each function the entry, and the cheapest place that every call passes.

The first instruction decides what a probe costs, by a factor of 35: a `push`, a jump or a nop is emulated in the
kernel, anything else is single-stepped. So a probe goes behind `endbr64` and a nop of five bytes, or to the first
emulated instruction that follows in a straight line and is no branch target.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from msgspec import Struct

from inspector.stream.text import decode

from .eh_frame import FunctionRanges
from .file import PF_X, PT_LOAD, ElfError, ElfFile, Segment
from .processors.processor import Class, Processor, processors
from .processors.x86 import SHADOW_STACKS
from .symbols import STT_FUNC, STT_IFUNC, Symbol, SymbolTable

COST: Final[dict[Class, int]] = {"push": 500, "nop": 500, "branch": 500, "stepped": 16_300}
"""Nanoseconds that counting adds to a call, as measured in a KVM guest with kernel 6.18; `stepped` is less on metal."""

PLACES_DEPEND_ON: Final = f"shadow stacks {SHADOW_STACKS}"
"""What of the machine they depend on, beside the file."""
NOT_EXPORTED: Final = "the file does not export it"
_PROLOGUE: Final = 64
_LARGEST_BODY: Final = 1 << 16


class Site(Struct, frozen=True):
    """Where one function of a file can be probed; offsets are file offsets, as uprobes want them."""

    name: str
    aliases: tuple[str, ...]
    """Other names of the same address."""
    address: int
    """Link-time address (st_value)."""
    entry: int
    """For return probes, arguments and callers: the first instruction that does something."""
    entry_cost: int
    """ns a call."""
    offset: int
    """For counting only: `entry`, or a cheaper place behind it, where registers and stack may have changed."""
    cost: int
    kind: Class
    """What the instruction at `offset` is."""
    size: int = 0


class Refusal(Struct, frozen=True):
    """Names that cannot be probed, and why in words."""

    names: tuple[str, ...]
    why: str


class Sites(Struct, frozen=True):
    """The answer for one file."""

    found: list[Site]
    refused: list[Refusal]


def find_sites(open_path: bytes, names: Iterable[str] = ()) -> Sites:
    """The sites of these functions, or of all exported ones; raises ElfError when the file cannot be read."""
    with ElfFile(open_path) as elf:
        processor = processors().get(elf.machine_number)
        if processor is None:
            known = " and ".join(each.name for each in processors().values())
            raise ElfError(f"a library for {elf.machine}: probes are known for {known} only")
        table = SymbolTable(elf)
        wanted = _by_symbol(tuple(names))
        if wanted and not table.defines_any(wanted):
            return Sites([], [Refusal(tuple(wanted.values()), NOT_EXPORTED)])
        groups, refused = _group(table, wanted)
        text = [s for s in elf.segments if s.kind == PT_LOAD and s.flags & PF_X]
        sites = Sites([], refused)
        for address, (aliases, size) in groups.items():
            _probe_point(processor, elf, text, address, size, tuple(aliases), sites)
        return sites


@lru_cache(16)
def _by_symbol(names: tuple[str, ...]) -> dict[bytes, str]:
    return {name.encode(): name for name in names}


def site_at(open_path: bytes, offset: int, name: str) -> Site | None:
    """The site of a function that begins at a place in the file, whatever its tables say of it; None for no code."""
    with ElfFile(open_path) as elf:
        processor = processors().get(elf.machine_number)
        text = [s for s in elf.segments if s.kind == PT_LOAD and s.flags & PF_X]
        segment = next((s for s in text if s.offset <= offset < s.offset + s.file_size), None)
        if processor is None or segment is None:
            return None
        sites = Sites([], [])
        _probe_point(processor, elf, text, offset - segment.offset + segment.address, 0, (name,), sites)
        return next(iter(sites.found), None)


def begins_function(open_path: bytes, offset: int) -> bool:
    """Whether the file's table for unwinding tells of a function that begins at this place of it."""
    with ElfFile(open_path) as elf:
        text = [s for s in elf.segments if s.kind == PT_LOAD and s.flags & PF_X]
        segment = next((s for s in text if s.offset <= offset < s.offset + s.file_size), None)
        if segment is None:
            return False
        address = offset - segment.offset + segment.address
        found = FunctionRanges(elf).find(address)
        return found is not None and found.start == address


def _group(table: SymbolTable, wanted: dict[bytes, str]) -> tuple[dict[int, tuple[list[str], int]], list[Refusal]]:
    """Exported functions by address, wanted names first; and those that are no functions."""
    names = table.names()
    by_address: dict[int, tuple[list[str], int]] = {}
    refused: list[Refusal] = []
    order = {name: place for place, name in enumerate(wanted)}
    exported = [(i, s) for i, s in enumerate(table.symbols()) if s.defined and s.visible and names[i]]
    exported.sort(key=lambda entry: order.get(names[entry[0]], len(order)))
    asked = {symbol.value for index, symbol in exported if names[index] in order} if wanted else None
    for index, symbol in exported:
        if asked is not None and symbol.value not in asked:
            continue
        if why := _no_function(symbol):
            if wanted and names[index] in order:
                refused.append(Refusal((decode(names[index]),), why))
            continue
        aliases, size = by_address.get(symbol.value, ([], 0))
        name = decode(names[index])
        by_address[symbol.value] = (aliases if name in aliases else [*aliases, name]), max(size, symbol.size)
    known = {names[index] for index, _ in exported}
    if missing := tuple(name for raw, name in wanted.items() if raw not in known):
        refused.append(Refusal(missing, NOT_EXPORTED))
    return by_address, refused


def _no_function(symbol: Symbol) -> str:
    if symbol.type == STT_IFUNC:
        return f"an indirect function: {symbol.value:#x} is only its resolver, which chooses the code once, at load"
    if symbol.type != STT_FUNC:
        return "not a function"
    return ""


def _probe_point(
    processor: Processor,
    elf: ElfFile,
    text: list[Segment],
    address: int,
    size: int,
    names: tuple[str, ...],
    sites: Sites,
) -> None:
    segment = next((s for s in text if s.address <= address < s.address + s.file_size), None)
    if segment is None:
        sites.refused.append(Refusal(names, "its address is in no executable segment"))
        return
    start = address - segment.address + segment.offset
    left = segment.address + segment.file_size - address
    code = elf.read_some(start, min(_PROLOGUE, left))
    body = elf.read_some(start, min(size, left)) if 0 < size <= _LARGEST_BODY else b""
    place = processor.probe_point(code, body)
    if place is None:
        sites.refused.append(Refusal(names, f"its first instruction ({code[:5].hex(' ')}) cannot be probed here"))
        return
    site = Site(
        names[0], names[1:], address, start + place.entry, COST[place.kind], start + place.deeper,
        COST[place.deeper_kind], place.deeper_kind, size,
    )  # fmt: skip
    sites.found.append(site)
