"""Passive evidence as events: made from page tables and memory that were read, without a process to touch."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from inspector.stream.libraries import CodePatched, ImageRead, NeverExecuted, Slot, SlotsRead
from inspector.stream.text import decode

from ...elf.file import DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_TEXTREL, ElfError, ElfFile
from ...elf.relocations import FunctionSlots
from ...kernel.memory import Memory
from ...kernel.pages import PageTable, Presence
from ..contract import Mapping

_WINDOW: Final = 1 << 16
"""What the kernel maps around a page that is touched, where it has it in memory: fault_around_bytes of mm/memory.c."""
_MOST_START_UP: Final = 64
_NAMES_OF_START_UP: Final = ("_init", "_fini")


class Code(msgspec.Struct, frozen=True):
    """The executable mappings of one file in one process, and their pages."""

    path: str
    file: str
    base: int
    spans: Sequence[tuple[int, int]]
    presence: Presence

    @classmethod
    def look(cls, pages: PageTable, mappings: Sequence[Mapping]) -> "Code":
        """Read the page table; OSError when the process is gone."""
        spans = sorted((mapping.start, mapping.end) for mapping in mappings)
        found = [span for start, end in spans for span in pages.spans(start, end)]
        first = mappings[0]
        return cls(first.path, first.file, first.base, spans, Presence(found))

    def holds(self, address: int) -> bool:
        """Whether an address lies in this code."""
        return any(start <= address < end for start, end in self.spans)

    def untouched(self, address: int) -> bool:
        """Whether nothing in the window of an address was ever brought in.

        A page that is absent amid neighbours that are there was perhaps taken away alone, as a probe's page is.
        """
        if not self.holds(address):
            return False
        window = address & -_WINDOW
        return self.presence.empty(window, window + _WINDOW)


class Circumstances(msgspec.Struct, frozen=True):
    """What else must be known of a file's code in a process before an absent page means that it never ran."""

    start_up: Sequence[int]
    """Addresses of code that ran when the library was loaded, where no function lies that others can call."""
    copied: bool | None
    """Whether there ever was a private copy of a page of this code: a probe needs one. None: not known."""
    swapped: int
    """Bytes of the process in swap."""

    def caveat(self, code: Code) -> str:
        """Why absent pages prove nothing, in words; empty where they do.

        The kernel keeps no account of pages that were dropped (by madvise, by reclaim). But code that surely ran is a
        witness: when it is absent, pages were dropped; when it is there and nothing that could be called from outside
        is, nobody brought it back.
        """
        if self.copied is None:
            return "only root learns whether probes were on this code before (Linux 5.12): their removal drops pages"
        if self.copied:
            return "probes (of an earlier look, say) or a debugger were on this code before: their removal drops pages"
        if self.swapped:
            return f"{self.swapped >> 20} MiB of the process are swapped out: pages may have been dropped"
        if not self.start_up:
            return "no code that ran at its load stands apart, to show that pages were not dropped"
        if any(code.presence.absent(address) for address in self.start_up):
            return "code that ran at its load is gone from memory: pages were dropped (madvise, or lack of memory)"
        return ""


class FileFacts(msgspec.Struct):
    """What passive evidence needs of a file beyond its image."""

    init: int | None = None
    """DT_INIT: link-time address of code that runs once, at load."""
    init_array: int = 0
    """DT_INIT_ARRAY: link-time address of pointers to such code, 0 for none."""
    init_count: int = 0
    text_relocations: bool = False
    """The loader itself writes into its code."""


def read_facts(open_path: bytes) -> FileFacts:
    """Never raises; an unreadable file has no facts."""
    try:
        with ElfFile(open_path) as elf:
            size = elf.tag(DT_INIT_ARRAYSZ) or 0
            return FileFacts(elf.tag(DT_INIT), elf.tag(DT_INIT_ARRAY) or 0, size // 8, DT_TEXTREL in elf.dynamic)
    except ElfError:
        return FileFacts()


def start_up_code(memory: Memory, code: Code, facts: FileFacts, image: ImageRead) -> list[int]:
    """Addresses of code that ran at load, in windows without a function that others can call.

    Raises OSError when the memory cannot be read.
    """
    count = min(facts.init_count, _MOST_START_UP) if facts.init_array else 0
    found = [memory.word(code.base + facts.init_array + 8 * place) for place in range(count)]
    if facts.init is not None:
        found.append(code.base + facts.init)
    callable_from_outside = {
        (code.base + export.address) & -_WINDOW
        for export in image.exports
        if export.kind in ("func", "ifunc") and export.name not in _NAMES_OF_START_UP
    }
    return [each for each in found if code.holds(each) and each & -_WINDOW not in callable_from_outside]


def copied(code: Code, ever: Sequence[tuple[int, int]] | None) -> bool | None:
    """Whether any mapping of this code ever held private copies, by start and end of mappings that did."""
    if ever is None:
        return None
    return any(start < to and end > at for start, end in code.spans for at, to in ever)


def never_executed(
    at: int, pid: int, since: int, code: Code, image: ImageRead, wanted: frozenset[str], caveat: str
) -> NeverExecuted:
    """Which exported functions of a provider are proven not executed."""
    functions = {export.name: export.address for export in image.exports if export.kind == "func"}
    untouched = {name for name, address in functions.items() if code.untouched(code.base + address)}
    return NeverExecuted(
        at=at,
        pid=pid,
        path=code.path,
        file=code.file,
        base=code.base,
        since=since,
        functions=sorted(untouched & wanted),
        proven=len(untouched),
        total=len(functions),
        caveat=caveat,
    )


def code_patched(at: int, pid: int, code: Code, facts: FileFacts) -> CodePatched | None:
    """Private copies among a file's code pages; None when there are none, or the loader made them."""
    pages = code.presence.private_pages
    if not pages or facts.text_relocations:
        return None
    return CodePatched(at=at, pid=pid, path=code.path, pages=pages)


def slots_read(
    at: int, memory: Memory, consumer: Sequence[Mapping], slots: FunctionSlots, code: Sequence[Mapping]
) -> SlotsRead:
    """What the GOT slots of a consumer hold; a lazy slot that points into the consumer's own PLT was never used.

    `code` is everything executable in the process. Raises OSError when the memory cannot be read.
    """
    own = [(mapping.start, mapping.end) for mapping in consumer]
    base = consumer[0].base

    def target(address: int) -> str | None:
        value = memory.word(base + address)
        if any(start <= value < end for start, end in own):
            return None
        return next((other.path for other in code if other.start <= value < other.end), None)

    lazily = _binds_lazily(slots, target)
    found = [
        Slot(name=decode(slot.name), bound_to=target(slot.address), lazy=slot.lazy and lazily) for slot in slots.wanted
    ]
    return SlotsRead(at=at, pid=consumer[0].pid, path=consumer[0].path, slots=found)


def _binds_lazily(slots: FunctionSlots, target: Callable[[int], str | None]) -> bool:
    """One PLT slot that is still unbound shows that this file was not loaded with RTLD_NOW."""
    lazy = [slot.address for slot in slots.wanted if slot.lazy]
    return any(target(address) is None for address in [*lazy, *slots.others])
