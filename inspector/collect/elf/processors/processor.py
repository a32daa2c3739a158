"""What the readers of files ask of a processor, and which one a file is made for."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from capstone import Cs

Class = Literal["push", "nop", "branch", "stepped", "refused"]
"""What a uprobe on an instruction is: the first three are emulated in the kernel, `stepped` runs out of line through a
single-step trap, `refused` cannot be probed, or not without harm."""
Read = Callable[[int, int], bytes]
"""Bytes at a link-time address; raises ElfError."""
X86_64, AARCH64 = 62, 183
"""e_machine of elf(5)."""


class Step(Struct, frozen=True):
    """One decoded instruction."""

    address: int
    size: int
    word: str
    """Mnemonic without prefixes."""
    operands: str
    locked: bool = False

    @property
    def after(self) -> int:
        """Address of the instruction behind it, where the processor goes on unless this one leads elsewhere."""
        return self.address + self.size

    @property
    def pair(self) -> tuple[str, str]:
        """Destination and source, as far as there are any."""
        first, _, second = self.operands.partition(", ")
        return first, second


class Way(Struct, frozen=True):
    """How control goes on behind one instruction."""

    returns: bool = False
    targets: frozenset[int] = field(default_factory=frozenset)
    """Where direct jumps and jump tables lead."""
    unknown: bool = False
    """It jumps through a pointer to code that is not known."""
    ends: bool = False
    """What stands behind it is not reached from it."""


STRAIGHT: Final = Way()


class ProbePoint(Struct, frozen=True):
    """Where a function is probed, in bytes from its first instruction."""

    entry: int
    kind: Class
    deeper: int
    deeper_kind: Class


class Relocations(Struct, frozen=True):
    """Numbers of the relocation types that write a function's address, and a plain one."""

    word: int
    glob_dat: int
    jump_slot: int
    relative: int


class LoaderNames(Struct, frozen=True):
    """What glibc's loader has built in."""

    folders: tuple[bytes, ...]
    """Searched last, without a trailing slash."""
    platform: bytes
    capability: bytes
    """Beside the platform, a folder that glibc before 2.37 tries (HWCAP_IMPORTANT)."""
    cache_flags: int
    """Of entries of ld.so.cache (FLAG_ELF_LIBC6 and the processor's)."""
    levels: tuple[tuple[bytes, Collection[str]], ...]
    """Folders of glibc-hwcaps, best first, each with the flags of /proc/cpuinfo that it takes."""


class Processor(Protocol):
    """One kind of processor."""

    @property
    def name(self) -> str:
        """As uname(2) has it: `x86_64`, `aarch64`."""

    @property
    def machine(self) -> int:
        """e_machine of its files (elf(5)): what else is made for another processor."""

    @property
    def relocations(self) -> Relocations:
        """Numbers of its relocation types (the psABI), by what they do."""

    @property
    def loader(self) -> LoaderNames:
        """File names of its dynamic loaders, glibc's and musl's."""

    def probe_point(self, code: bytes, body: bytes) -> ProbePoint | None:
        """Where to probe a function; None where its first instruction cannot be probed."""
        ...

    def decoder(self) -> "Cs":
        """Decodes its instructions; ImportError where the decoder does not load."""
        ...

    def way(self, step: Step, before: Sequence[Step], read: Read) -> Way:
        """How control goes on behind an instruction; `before` lead to it."""
        ...

    def __hash__(self) -> int: ...

    def goes_through_table(self, steps: Sequence[Step]) -> bool:
        """Whether these first instructions are a stub of the procedure linkage table."""
        ...


@cache
def processors() -> dict[int, Processor]:
    """All that are known, by e_machine."""
    from .arm64 import ARM64
    from .x86 import X86

    return {X86.machine: X86, ARM64.machine: ARM64}


def steps(decoder: "Cs", code: bytes, start: int, count: int = 0) -> Iterator[Step]:
    """Instructions one behind the other, until one cannot be decoded."""
    for address, size, mnemonic, operands in decoder.disasm_lite(code, start, count):
        yield Step(address, size, mnemonic.rpartition(" ")[2], operands, mnemonic.startswith("lock "))
