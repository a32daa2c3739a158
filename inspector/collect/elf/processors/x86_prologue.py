"""Lengths of the x86-64 instructions that functions begin with, and what a uprobe on each of them costs.

Knows only what compilers put into prologues and says None for all else: a wrong length would let a breakpoint split an
instruction, which the kernel does not check. Encoding: Intel SDM volume 2, appendix A. What the kernel emulates:
arch/x86/kernel/uprobes.c (branch_setup_xol_ops, push_setup_xol_ops, is_prefix_bad, good_insns_64).
"""

from typing import Final

from .processor import Class

ENDBR64: Final = b"\xf3\x0f\x1e\xfa"
NOP5: Final = b"\x0f\x1f\x44\x00\x00"
"""From Linux 6.18 on a uprobe here becomes a call of code that makes a system call (arch/x86/kernel/uprobes.c,
can_optimize): it ends programs that trap their own system calls (prctl(2), PR_SET_SYSCALL_USER_DISPATCH)."""

_REFUSED: Final = frozenset(
    [
        *(0xF0, 0x26, 0x2E, 0x36, 0x3E),  # lock and segment prefixes
        *(0x62, 0xC4, 0xC5),  # EVEX and VEX
        *(0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x27, 0x2F, 0x37, 0x3F),
        *(0x60, 0x61, 0x82, 0x9A, 0xD4, 0xD5, 0xD6, 0xEA),  # with the line above: invalid in 64-bit code
        *(0x6C, 0x6D, 0x6E, 0x6F, 0xE4, 0xE5, 0xE6, 0xE7, 0xEC, 0xED, 0xEE, 0xEF),  # input and output
        *(0xCC, 0xCE, 0xF1, 0xF4, 0xFA, 0xFB),  # traps, hlt, cli, sti
    ]
)  # fmt: skip
_ALU_ROWS: Final = range(0x00, 0x40, 8)
_MODRM: Final = frozenset(
    [
        *(row + column for row in _ALU_ROWS for column in range(4)),
        0x63,
        *range(0x84, 0x8C),
        0x8D,
        0xD0,
        0xD1,
        0xD2,
        0xD3,
    ]
)
_MODRM_BYTE: Final = frozenset([0x80, 0x83, 0x6B, 0xC0, 0xC1, 0xC6])
_MODRM_WORD: Final = frozenset([0x81, 0x69, 0xC7])
_PLAIN: Final = frozenset([*range(0x50, 0x60), 0x90, 0x98, 0x99, 0xC9])
_BYTE: Final = frozenset([*(row + 4 for row in _ALU_ROWS), 0x6A, 0xA8, *range(0xB0, 0xB8)])
_WORD: Final = frozenset([*(row + 5 for row in _ALU_ROWS), 0x68, 0xA9])
_MODRM_0F: Final = frozenset(
    [
        *(0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1F, 0x28, 0x29, 0x2A, 0x2C, 0x2D, 0x2E, 0x2F),
        *range(0x40, 0x60), 0x6E, 0x6F, 0x7E, 0x7F, *range(0x90, 0xA0), 0xA3, 0xAF, 0xB6, 0xB7, 0xBE, 0xBF, 0xD6, 0xEF,
    ]
)  # fmt: skip
_PREFIXES: Final = frozenset([0x64, 0x65, 0x66, 0xF2, 0xF3])


def class_of(code: bytes) -> Class:
    """What a uprobe on the instruction at the start of `code` would be."""
    if not code or code[0] in _REFUSED or code.startswith(NOP5):
        return "refused"
    first = code[0]
    if 0x50 <= first <= 0x57 or (first == 0x41 and len(code) > 1 and 0x50 <= code[1] <= 0x57):
        return "push"
    if first == 0x90:
        return "nop"
    if first in (0xE8, 0xE9, 0xEB) or 0x70 <= first <= 0x7F:
        return "branch"
    if first == 0x0F and len(code) > 1 and 0x80 <= code[1] <= 0x8F:
        return "branch"
    return _class_behind_prefixes(code)


def is_call(code: bytes) -> bool:
    """Whether the first instruction puts a return address on the stack."""
    at = 0
    while at < len(code) and (code[at] in _PREFIXES or 0x40 <= code[at] <= 0x4F):
        at += 1
    opcode, operation = code[at : at + 1], code[at + 1 : at + 2]
    return opcode == b"\xe8" or (opcode == b"\xff" and operation != b"" and operation[0] >> 3 & 7 in (2, 3))


def _class_behind_prefixes(code: bytes) -> Class:
    """Padded branches (`66 48 e8`, the TLS call) are refused with errno 524, and so is what a prefix only hides."""
    at, narrow = 0, False
    while at < len(code) and (code[at] in _PREFIXES or 0x40 <= code[at] <= 0x4F):
        narrow |= code[at] == 0x66
        at += 1
    if at == len(code) or code[at] in _REFUSED:
        return "refused"
    if narrow and (code[at] in (0xE8, 0xE9, 0xEB) or 0x70 <= code[at] <= 0x7F):
        return "refused"
    return "stepped"


def straight_length(code: bytes) -> int | None:
    """Length of the first instruction when it is known and always goes on to the next one; None otherwise."""
    at, narrow, wide = 0, False, False
    while at < len(code) and code[at] in _PREFIXES:
        narrow |= code[at] == 0x66
        at += 1
    if at < len(code) and 0x40 <= code[at] <= 0x4F:
        wide = bool(code[at] & 8)
        at += 1
    if at > 3 or at >= len(code):
        return None
    opcode, at = code[at], at + 1
    tail = _second_page(code, at) if opcode == 0x0F else _first_page(code, opcode, at, narrow and not wide, wide)
    if tail is None or at + tail > len(code):
        return None
    return at + tail


def _first_page(code: bytes, opcode: int, at: int, narrow: bool, wide: bool) -> int | None:
    """Bytes behind a one-byte opcode."""
    word = 2 if narrow else 4
    if opcode in _PLAIN:
        return 0
    if opcode in _BYTE:
        return 1
    if opcode in _WORD:
        return word
    if 0xB8 <= opcode <= 0xBF:
        return 8 if wide else word
    operand = _operand(code, at)
    if operand is None:
        return None
    if opcode in _MODRM:
        return operand
    if opcode in _MODRM_BYTE:
        return operand + 1
    if opcode in _MODRM_WORD:
        return operand + word
    return _grouped(opcode, code[at] >> 3 & 7, operand, word)


def _grouped(opcode: int, operation: int, operand: int, word: int) -> int | None:
    """Opcodes whose meaning is in the ModRM byte: F6, F7 (test, not, neg, mul), FE, FF (inc, dec, push)."""
    if opcode in (0xF6, 0xF7):
        immediate = (1 if opcode == 0xF6 else word) if operation < 2 else 0
        return operand + immediate
    if opcode in (0xFE, 0xFF) and operation in (0, 1, 6):
        return operand
    return None


def _second_page(code: bytes, at: int) -> int | None:
    """Bytes behind 0F."""
    if at >= len(code):
        return None
    if code[at - 1 : at + 2] == ENDBR64[1:]:
        return 2
    operand = _operand(code, at + 1)
    return 1 + operand if operand is not None and code[at] in _MODRM_0F else None


def _operand(code: bytes, at: int) -> int | None:
    """Bytes of ModRM, SIB and displacement."""
    if at + 1 >= len(code):
        return 1 if at < len(code) and code[at] >> 6 == 3 else None
    mode, register = code[at] >> 6, code[at] & 7
    if mode == 3:
        return 1
    sib = register == 4
    base = code[at + 1] & 7 if sib else register
    displacement = (4 if base == 5 else 0, 1, 4)[mode]
    return 1 + sib + displacement
