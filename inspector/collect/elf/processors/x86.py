"""x86-64: relocations and levels of the psABI, prologues, jumps."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .processor import STRAIGHT, X86_64, Class, LoaderNames, ProbePoint, Read, Relocations, Step, Way
from .x86_jump_tables import table_targets
from .x86_prologue import ENDBR64, NOP5, class_of, is_call, straight_length

if TYPE_CHECKING:
    from capstone import Cs

_DEEPEST: Final = 6
_NEVER_GO_ON: Final = ("jmp", "hlt", "ud2", "int3")
_BACKWARD_NEAR: Final = re.compile(rb"(?=(?:[\xe8\xe9]|\x0f[\x80-\x8f])(..\xff\xff))", re.DOTALL)
_BACKWARD_SHORT: Final = re.compile(rb"(?=[\x70-\x7f\xeb\xe0-\xe3]([\x80-\xff]))", re.DOTALL)


def _shadow_stacks() -> bool:
    """Whether programs here may have a second stack of return addresses, which `ret` compares (x86/shstk.rst)."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            return b" user_shstk" in file.read(1 << 14)
    except OSError:
        return False


SHADOW_STACKS: Final = _shadow_stacks()
"""A probe on a call leaves no address there where older kernels emulate it, and that of its copy where it is
single-stepped (arch/x86/kernel/uprobes.c, branch_emulate_op and default_post_xol_op): it would end
the program at the next `ret`."""


class _X86:
    name, machine = "x86_64", X86_64
    relocations = Relocations(word=1, glob_dat=6, jump_slot=7, relative=8)
    loader = LoaderNames(
        folders=(b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib", b"/usr/lib"),
        platform=b"x86_64",
        capability=b"x86_64",
        cache_flags=0x0303,
        levels=(
            (b"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
            (b"x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
            (b"x86-64-v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
        ),
    )
    """x86-64 psABI, relocations and table 3.1."""

    def probe_point(self, code: bytes, body: bytes) -> ProbePoint | None:
        entry = _entry(code, body)
        kind = class_of(code[entry:])
        return ProbePoint(entry, kind, *_cheapest(code, body, entry, kind)) if _may_be(code[entry:]) else None

    def decoder(self) -> "Cs":
        from capstone import CS_ARCH_X86, CS_MODE_64, Cs  # 60 ms: only when there is something to decode

        return Cs(CS_ARCH_X86, CS_MODE_64)

    def way(self, step: Step, before: Sequence[Step], read: Read) -> Way:
        if step.word.startswith("ret"):
            return Way(returns=True, ends=True)
        ends = step.word in _NEVER_GO_ON
        if step.word[0] != "j" and not step.word.startswith("loop") and step.word != "xbegin":
            return Way(ends=True) if ends else STRAIGHT
        target = _number(step.operands)
        if target is not None:
            return Way(targets=frozenset((target,)), ends=ends)
        table = table_targets(step, before, read)
        return Way(targets=frozenset(table or ()), unknown=table is None, ends=ends)

    def goes_through_table(self, steps: Sequence[Step]) -> bool:
        first = next((step for step in steps if step.word != "endbr64"), None)
        return first is not None and first.word == "jmp" and first.operands.startswith("qword ptr [rip")


def _number(operand: str) -> int | None:
    """Where a direct jump leads; None for an indirect one."""
    try:
        return int(operand, 0)
    except ValueError:
        return None


def _entry(code: bytes, body: bytes) -> int:
    """Behind what a function begins with and does nothing, unless what follows is worse or a loop comes back to it."""
    places = [0]
    while mark := next((each for each in (ENDBR64, NOP5) if code.startswith(each, places[-1])), b""):
        behind = places[-1] + len(mark)
        if _is_target(body, behind):
            break
        places.append(behind)
    return next((place for place in reversed(places) if _may_be(code[place:])), 0)


def _may_be(code: bytes) -> bool:
    """Whether a probe may sit on the first instruction."""
    return class_of(code) != "refused" and not (SHADOW_STACKS and is_call(code))


def _cheapest(code: bytes, body: bytes, entry: int, kind: Class) -> tuple[int, Class]:
    """The first emulated instruction in a straight line from the entry, where no branch leads back into that line."""
    at, here = entry, kind
    for _ in range(_DEEPEST):
        if here in ("push", "branch", "nop") and _may_be(code[at:]):
            return at, here
        length = straight_length(code[at:])
        if length is None:
            break
        at += length
        if at >= len(body) or _is_target(body, at):
            break
        here = class_of(code[at:])
    return entry, kind


def _is_target(body: bytes, at: int) -> bool:
    """Whether any byte sequence of the function could be a direct branch back to `at`, at whatever alignment."""
    for match in _BACKWARD_NEAR.finditer(body, at):
        end = match.end(1)
        if end + int.from_bytes(match[1], "little", signed=True) == at:
            return True
    return any(
        match.end(1) + match[1][0] - 256 == at for match in _BACKWARD_SHORT.finditer(body, at, min(len(body), at + 130))
    )


X86: Final = _X86()
