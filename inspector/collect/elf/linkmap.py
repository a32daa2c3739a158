"""The loader's own list of what a process has loaded: r_debug and link_map, read from outside.

glibc keeps the list for debuggers (link.h; elf/rtld-debugger-interface.txt): AT_PHDR of the auxiliary vector leads to
PT_DYNAMIC, its DT_DEBUG entry to r_debug, that to one chain of link_map a namespace. The process goes on meanwhile, so
every step is bounded and a chain that changes under our feet ends where it stopped making sense.
"""

import struct
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from .file import DT_DEBUG, PT_DYNAMIC

AT_PHDR, AT_PHENT, AT_PHNUM = 3, 4, 5
"""getauxval(3)."""
PT_PHDR: Final = 6
_MOST_SEGMENTS: Final = 512
_MOST_TAGS: Final = 256
_MOST_OBJECTS: Final = 8192
_MOST_NAMESPACES: Final = 32
"""glibc has 16 (DL_NNS)."""
_LONGEST_NAME: Final = 4096
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_TAG: Final = struct.Struct("<QQ")
_DEBUG: Final = struct.Struct("<i4xQQi4xQ")
"""r_debug: r_version, r_map, r_brk, r_state, r_ldbase."""
_NEXT_AT: Final = 40
"""r_debug_extended.r_next, there when r_version is at least 2 (glibc 2.35)."""
_OBJECT: Final = struct.Struct("<5Q")
"""link_map: l_addr, l_name, l_ld, l_next, l_prev."""


class Reader(Protocol):
    """The memory of a process."""

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes; OSError when they cannot be read."""
        ...


class LoadedObject(msgspec.Struct, frozen=True):
    """One entry of the loader's list."""

    namespace: int
    """0 is the main one; others come from dlmopen."""
    base: int
    """l_addr: what the loader added to the addresses in the file."""
    name: bytes
    """l_name: the path by which it was found; empty for the executable."""
    dynamic: int
    """l_ld: address of its dynamic section."""


class LinkMap(msgspec.Struct, frozen=True):
    """All loaded objects in load order, namespace by namespace."""

    objects: list[LoadedObject] = msgspec.field(default_factory=list)
    consistent: bool = True
    """False when the loader was at work, or a chain broke off: some objects may be missing."""


def read_link_map(memory: Reader, auxiliary: Mapping[int, int]) -> LinkMap:
    """Walk all namespaces; an empty list for static programs and before the loader has begun."""
    try:
        debug = _find_debug(memory, auxiliary)
    except (OSError, OverflowError):
        return LinkMap(consistent=False)
    walk = _Walk(memory)
    seen: set[int] = set()
    while debug and debug not in seen and len(seen) < _MOST_NAMESPACES:
        seen.add(debug)
        debug = walk.namespace(debug, len(seen) - 1)
    return LinkMap(walk.objects, walk.consistent)


def _find_debug(memory: Reader, auxiliary: Mapping[int, int]) -> int:
    """Address of r_debug; 0 when the program has no dynamic section or the loader has not filled it in."""
    table, count = auxiliary.get(AT_PHDR, 0), min(auxiliary.get(AT_PHNUM, 0), _MOST_SEGMENTS)
    if not table or auxiliary.get(AT_PHENT) != _SEGMENT.size:
        return 0
    bias = dynamic = 0
    for kind, _, _, address, *_ in _SEGMENT.iter_unpack(memory.read(table, count * _SEGMENT.size)):
        if kind == PT_PHDR:
            bias = table - address
        elif kind == PT_DYNAMIC:
            dynamic = address
    if not dynamic:
        return 0
    for place in range(_MOST_TAGS):
        tag, value = _TAG.unpack(memory.read(bias + dynamic + place * _TAG.size, _TAG.size))
        if tag in (0, DT_DEBUG):
            return int(value) if tag else 0
    return 0


class _Walk:
    """The objects found so far."""

    def __init__(self, memory: Reader) -> None:
        self._memory = memory
        self.objects: list[LoadedObject] = []
        self.consistent = True
        self._seen: set[int] = set()

    def namespace(self, debug: int, number: int) -> int:
        """Walk one chain; the address of the next namespace's r_debug, 0 for none."""
        try:
            version, first, _, state, _ = _DEBUG.unpack(self._memory.read(debug, _DEBUG.size))
            self.consistent = self.consistent and state == 0
            self._chain(first, number)
            if version < 2:
                return 0
            return int.from_bytes(self._memory.read(debug + _NEXT_AT, 8), "little")
        except (OSError, OverflowError):
            self.consistent = False
            return 0

    def _chain(self, at: int, number: int) -> None:
        before = 0
        while at:
            if at in self._seen or len(self._seen) >= _MOST_OBJECTS:
                self.consistent = False
                return
            self._seen.add(at)
            base, name, dynamic, following, previous = _OBJECT.unpack(self._memory.read(at, _OBJECT.size))
            if previous != before:
                self.consistent = False
            self.objects.append(LoadedObject(number, base, self._name(name), dynamic))
            before, at = at, following

    def _name(self, address: int) -> bytes:
        """A string in steps that do not cross pages, so that one at the end of memory can be read."""
        name = b""
        while address and len(name) < _LONGEST_NAME:
            here = address + len(name)
            piece, end, _ = self._memory.read(here, 256 - here % 256).partition(b"\0")
            name += piece
            if end:
                break
        return name
