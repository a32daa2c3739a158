"""A small eBPF assembler with labels, so that programs need no compiler on the machine that is observed.

Instruction encoding: linux/bpf.h and Documentation/bpf/standardization/instruction-set.rst.
"""

import struct
from enum import IntEnum

_INSTRUCTION = struct.Struct("<BBhi")
_SIZES = {8: 0x18, 4: 0x00, 2: 0x08, 1: 0x10}
_LDX, _ST, _STX, _JMP, _JMP32, _ALU32, _ALU64 = 0x61, 0x62, 0x63, 0x05, 0x06, 0x04, 0x07
_ALU = {
    "add": 0x00,
    "sub": 0x10,
    "mul": 0x20,
    "or": 0x40,
    "and": 0x50,
    "lsh": 0x60,
    "rsh": 0x70,
    "xor": 0xA0,
    "mov": 0xB0,
}
_TESTS = {"==": 0x10, ">": 0x20, ">=": 0x30, "&": 0x40, "!=": 0x50, "<": 0xA0, "<=": 0xB0, "s<": 0xC0, "s>=": 0x70}
_REGISTER_OPERAND = 0x08
_ATOMIC = 0xC3
_FETCH, _XCHG = 0x01, 0xE1
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2


class Reg(IntEnum):
    """eBPF registers: R0 result, R1 to R5 arguments (lost by calls), R6 to R9 kept, R10 the frame."""

    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


class Helper(IntEnum):
    """Kernel helpers by number (enum bpf_func_id of linux/bpf.h)."""

    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    KTIME_NS = 5
    PROCESSOR_ID = 8
    TAIL_CALL = 12
    PID_TGID = 14
    CURRENT_COMM = 16
    CURRENT_TASK = 35
    MAP_POP = 88
    PROBE_READ_USER = 112
    PROBE_READ_KERNEL = 113
    PROBE_READ_USER_STR = 114
    PROBE_READ_KERNEL_STR = 115
    SEQ_WRITE = 127
    RINGBUF_RESERVE = 131
    RINGBUF_SUBMIT = 132
    RINGBUF_DISCARD = 133
    RINGBUF_QUERY = 134
    CURRENT_TASK_BTF = 158
    ATTACH_COOKIE = 174
    TASK_PT_REGS = 175


Operand = Reg | int


class Assembler:
    """Instructions in order; jumps name labels that may be set before or after them."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self._fresh = 0

    def label(self, name: str) -> None:
        """Name the next instruction; ValueError when the name is taken."""
        if name in self._labels:
            raise ValueError(f"label {name} is set twice")
        self._labels[name] = len(self._code)

    def fresh(self, stem: str) -> str:
        """A label name that is not used yet."""
        self._fresh += 1
        return f"{stem}.{self._fresh}"

    def load(self, dst: Reg, src: Reg, offset: int, size: int = 8) -> None:
        """dst = *(src + offset), zero-extended."""
        self._emit(_LDX | _SIZES[size], dst | src << 4, offset)

    def store(self, dst: Reg, offset: int, value: Operand, size: int = 8) -> None:
        """*(dst + offset) = value; an immediate is a signed 32-bit number."""
        if isinstance(value, Reg):
            self._emit(_STX | _SIZES[size], dst | value << 4, offset)
        else:
            self._emit(_ST | _SIZES[size], dst, offset, value)

    def move(self, dst: Reg, value: Operand) -> None:
        """dst = value."""
        self.compute("mov", dst, value)

    def add(self, dst: Reg, value: Operand) -> None:
        """dst += value."""
        self.compute("add", dst, value)

    def compute(self, operation: str, dst: Reg, value: Operand, bits: int = 64) -> None:
        """dst = dst OPERATION value, for add, sub, mul, or, and, lsh, rsh, xor, mov; 32 bits clear the upper half."""
        width = _ALU64 if bits == 64 else _ALU32
        self._with_operand(width | _ALU[operation], dst, value)

    def jump(self, target: str) -> None:
        """Go to a label."""
        self._jumps.append((len(self._code), target))
        self._emit(_JMP, 0)

    def jump_if(self, dst: Reg, test: str, value: Operand, target: str, bits: int = 64) -> None:
        """Go to a label if dst TEST value; tests are unsigned but for `s<` and `s>=`; `&` is any common bit."""
        self._jumps.append((len(self._code), target))
        self._with_operand((_JMP if bits == 64 else _JMP32) | _TESTS[test], dst, value)

    def constant(self, dst: Reg, value: int) -> None:
        """dst = a 64-bit number."""
        self._wide(dst, 0, value & 0xFFFFFFFF, value >> 32)

    def map(self, dst: Reg, fd: int) -> None:
        """dst = the map behind a descriptor, as helpers want it."""
        self._wide(dst, _PSEUDO_MAP_FD, fd, 0)

    def map_value(self, dst: Reg, fd: int, offset: int = 0) -> None:
        """dst = address inside the only value of an array map, without a look-up."""
        self._wide(dst, _PSEUDO_MAP_VALUE, fd, offset)

    def atomic_add(self, dst: Reg, offset: int, src: Reg) -> None:
        """*(dst + offset) += src, atomically, 64 bits."""
        self._emit(_ATOMIC | _SIZES[8], dst | src << 4, offset)

    def call(self, helper: Helper) -> None:
        """R0 = helper(R1, ..., R5)."""
        self._emit(0x85, 0, 0, helper)

    def exit(self) -> None:
        """Return R0."""
        self._emit(0x95, 0)

    def leave(self) -> None:
        """Return 0."""
        self.move(Reg.R0, 0)
        self.exit()

    def stack_address(self, dst: Reg, offset: int) -> None:
        """dst = address of a stack slot (offset is negative)."""
        self.move(dst, Reg.R10)
        self.add(dst, offset)

    def build(self) -> bytes:
        """The program as bytes; KeyError names a label that was never set."""
        code = list(self._code)
        for place, target in self._jumps:
            op, registers, _, immediate = code[place]
            code[place] = (op, registers, self._labels[target] - place - 1, immediate)
        return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)

    def _with_operand(self, op: int, dst: Reg, value: Operand) -> None:
        if isinstance(value, Reg):
            self._emit(op | _REGISTER_OPERAND, dst | value << 4)
        else:
            self._emit(op, dst, 0, value)

    def _wide(self, dst: Reg, kind: int, low: int, high: int) -> None:
        self._emit(0x18, dst | kind << 4, 0, _signed(low))
        self._emit(0x00, 0, 0, _signed(high))

    def _emit(self, op: int, registers: int, offset: int = 0, immediate: int = 0) -> None:
        self._code.append((op, registers, offset, _signed(immediate)))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
