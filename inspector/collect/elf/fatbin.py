"""Which GPU architectures the embedded GPU code of a file is for, by walking the headers of .nv_fatbin.

NVIDIA does not document the container. The layout is the one that NVIDIA's cuobjdump and open-source readers agree on:
a region header (magic, version u16, header size u16, bytes u64) and entries (kind u16 at 0, header size u32 at 4,
bytes u64 at 8, architecture u32 at 28).
"""

import struct
from collections.abc import Iterator
from typing import Final

from .file import ElfError, ElfFile
from .sections import Section

_MAGIC: Final = 0xBA55ED50
_REGION: Final = struct.Struct("<IHHQ")
_ENTRY: Final = struct.Struct("<HHIQ12xI")
_PTX, _CODE = 1, 2
_MOST_ENTRIES: Final = 20_000
_ALIGNMENT: Final = 8


def gpu_architectures(elf: ElfFile, section: Section | None) -> list[str]:
    """`sm_90` for machine code, `compute_90` for PTX, each once, ascending; empty when there is none."""
    if section is None:
        return []
    found: set[tuple[int, int]] = set()
    try:
        found.update(_entries(elf, section.offset, section.offset + section.size))
    except ElfError:
        pass
    return [f"{'compute' if kind == _PTX else 'sm'}_{number}" for number, kind in sorted(found)]


def _entries(elf: ElfFile, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Architecture and kind of each entry of each region."""
    budget = _MOST_ENTRIES
    while at + _REGION.size <= end and budget > 0:
        magic, _, header, size = _REGION.unpack(elf.read(at, _REGION.size))
        if magic != _MAGIC or header < _REGION.size:
            return
        entry, stop = at + header, min(at + header + size, end)
        while entry + _ENTRY.size <= stop and budget > 0:
            kind, _, entry_header, entry_size, number = _ENTRY.unpack(elf.read(entry, _ENTRY.size))
            if kind in (_PTX, _CODE) and 0 < number < 1000:
                yield number, kind
            entry += max(entry_header + entry_size, _ENTRY.size)
            budget -= 1
        at = -(-(at + header + size) // _ALIGNMENT) * _ALIGNMENT
        budget -= 1
