"""Passive evidence as events: made from page tables and memory that were read, without a process to touch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inspector.stream.libraries import CodePatched, ImageRead, NeverExecuted, Slot, SlotsRead
from inspector.stream.text import decode

from ...elf.file import DT_INIT, DT_TEXTREL, ElfError, ElfFile
from ...elf.relocations import FunctionSlots
from ...kernel.memory import Memory
from ...kernel.pages import PageTable, Presence
from ..contract import Mapping


@dataclass(frozen=True, slots=True)
class Code:
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
        """Whether the page of an address of this code was never brought in."""
        return self.holds(address) and self.presence.absent(address)


@dataclass(frozen=True, slots=True)
class Pressure:
    """Whether pages may have been taken away from a process, so that an absent one proves less."""

    reclaimed: int
    """Pages that the kernel has reclaimed since boot; -1 unknown."""
    swapped: int
    """Bytes of the process in swap."""

    def caveat(self, code: Code, init: int | None) -> str:
        """What weakens the proof, in words; empty for nothing.

        When the machine has reclaimed pages at some time, the library's own start-up code is the witness: it ran once,
        when the library was loaded, so it is the first that reclaim would have taken.
        """
        if self.swapped:
            return f"{self.swapped >> 20} MiB of the process are swapped out: pages may have been dropped"
        if not self.reclaimed:
            return ""
        if init is not None and code.holds(code.base + init) and not code.presence.absent(code.base + init):
            return ""
        return "the machine has reclaimed memory since its boot, and nothing shows that these pages were spared"


@dataclass(slots=True)
class FileFacts:
    """What passive evidence needs of a file beyond its image."""

    init: int | None = None
    """DT_INIT: link-time address of code that runs once, at load."""
    text_relocations: bool = False
    """The loader itself writes into its code."""


def read_facts(open_path: bytes) -> FileFacts:
    """Never raises; an unreadable file has no facts."""
    try:
        with ElfFile(open_path) as elf:
            return FileFacts(elf.tag(DT_INIT), DT_TEXTREL in elf.dynamic)
    except ElfError:
        return FileFacts()


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
