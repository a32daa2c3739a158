"""arm64 (aarch64): relocations of the ELF ABI for the 64-bit Arm architecture, instructions that can be probed, jumps.

What the kernel probes and how: arch/arm64/kernel/probes/decode-insn.c. Encodings: Arm ARM, C4.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .processor import AARCH64, STRAIGHT, Class, LoaderNames, ProbePoint, Read, Relocations, Step, Way

if TYPE_CHECKING:
    from capstone import Cs

_BRANCHES: Final = (
    (0x7C000000, 0x14000000),  # b, bl
    (0xFF000010, 0x54000000),  # b.cond
    (0x7E000000, 0x34000000),  # cbz, cbnz
    (0x7E000000, 0x36000000),  # tbz, tbnz
    (0xFF9FFC1F, 0xD61F0000),  # br, ret
    (0xFFFFFC1F, 0xD63F0000),  # blr
    (0x1F000000, 0x10000000),  # adr, adrp
    (0xBF000000, 0x18000000),  # ldr of a literal
    (0xFF000000, 0x98000000),  # ldrsw of a literal
)
"""Simulated in the kernel: mask and value."""
_REFUSED: Final = (
    (0xFFFF0000, 0x00000000),  # udf
    (0x3F000000, 0x08000000),  # exclusive loads and stores
    (0xFE000000, 0xD6000000),  # other branches by register: with authentication, eret
    (0xFF000000, 0xD4000000),  # svc, hvc, smc, brk, hlt
    (0xFFF00000, 0xD5100000),  # msr of a register
    (0xFFF8F01F, 0xD500401F),  # msr of an immediate
    (0x3B000000, 0x18000000),  # other literals
)
_HINT: Final = (0xFFFFF01F, 0xD503201F)
_HINTS: Final = frozenset((0, 7, 8, 10, 12, 14, *range(24, 32), 32, 34, 36, 38))
"""nop, xpaclri, pac*, aut*, bti: those that can be stepped."""
_JUMPS: Final = re.compile(r"b(c?\.\w\w)?$|cbn?z$|tbn?z$")
_STUB: Final = ("adrp", "ldr", "add", "br")
_NEVER_GO_ON: Final = ("udf", "brk", "hlt")


def class_of(code: bytes) -> Class:
    """What a uprobe on the instruction at the start of `code` would be."""
    if len(code) < 4:
        return "refused"
    word = int.from_bytes(code[:4], "little")
    if word & _HINT[0] == _HINT[1]:
        return "stepped" if word >> 5 & 0x7F in _HINTS else "refused"
    if any(word & mask == value for mask, value in _BRANCHES):
        return "branch"
    return "refused" if any(word & mask == value for mask, value in _REFUSED) else "stepped"


class _Arm64:
    name, machine = "aarch64", AARCH64
    relocations = Relocations(word=257, glob_dat=1025, jump_slot=1026, relative=1027)
    loader = LoaderNames(
        folders=(b"/lib/aarch64-linux-gnu", b"/usr/lib/aarch64-linux-gnu", b"/lib", b"/usr/lib"),
        platform=b"aarch64",
        capability=b"atomics",
        cache_flags=0x0A03,
        levels=(),
    )

    def probe_point(self, code: bytes, body: bytes) -> ProbePoint | None:
        """The first instruction, also where that is `bti`: a breakpoint is as good a landing pad."""
        kind = class_of(code)
        return None if kind == "refused" else ProbePoint(0, kind, 0, kind)

    def decoder(self) -> "Cs":
        from capstone import CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, Cs

        return Cs(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN)

    def way(self, step: Step, before: Sequence[Step], read: Read) -> Way:
        """Jump tables are not followed: a function with one is counted, and its results are not known."""
        word = step.word
        if word.startswith("ret"):
            return Way(returns=True, ends=True)
        if word.startswith("br") and word not in _NEVER_GO_ON:
            return Way(unknown=True, ends=True)
        if _JUMPS.match(word):
            target = int(step.operands.rpartition("#")[2], 0)
            return Way(targets=frozenset((target,)), ends=word == "b")
        return Way(ends=True) if word in _NEVER_GO_ON else STRAIGHT

    def goes_through_table(self, steps: Sequence[Step]) -> bool:
        words = [step for step in steps if step.word != "bti"][: len(_STUB)]
        named = tuple(step.word for step in words) == _STUB
        return named and words[0].operands.startswith("x16") and words[-1].operands == "x17"


ARM64: Final = _Arm64()
