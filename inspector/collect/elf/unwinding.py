"""Who called whom, from a copy of the stack and the tables that every library carries for exceptions (.eh_frame).

Compilers leave out frame pointers, so following them alone gives wrong callers. The tables are exact for every
instruction. Instructions of call frames: DWARF 5, section 6.4; registers: System V ABI for x86-64, figure 3.36; DWARF
for the Arm 64-bit Architecture (AADWARF64), section 4.1.
"""

import struct
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from .eh_frame import LARGEST_DESCRIPTION, Cursor, FunctionRanges
from .file import ElfError

RBX, RBP, RSP, R12, R13, R14, R15, RETURN = 3, 6, 7, 12, 13, 14, 15, 16
_X19, _X20, _X21, _X22, _X29, _X30, _SP = 19, 20, 21, 22, 29, 30, 31
UNKNOWN_REGISTER: Final = "a register that is needed is not known"
NO_ROOM: Final = "there are more"
_WORD = struct.Struct("<Q")
_SIZES: Final = {0x02: "<B", 0x03: "<H", 0x04: "<I"}
Registers = dict[int, int]
"""By DWARF number; absent: not known."""


class Convention(msgspec.Struct, frozen=True):
    """How functions call each other on a processor; registers by DWARF number."""

    stack_pointer: int
    frame_pointer: int
    others: tuple[int, ...]
    """What of a thread's registers is known beside these two, in the order in which the kernel gives them."""
    kept: tuple[int, ...]
    """What a caller gets back as it was."""
    link: int | None = None
    """Holds the return address until a function saves it; None where a call leaves it on the stack."""
    mask: int = (1 << 64) - 1
    """What of a return address is the address: the rest may be its signature."""

    def returned(self, registers: Registers, stack: "StackCopy") -> tuple[int | None, Registers]:
        """Return address, and registers behind it, of a thread at the first or last instruction of a function."""
        sp = registers[self.stack_pointer]
        if self.link is None:
            return stack.word(sp), registers | {self.stack_pointer: sp + 8}
        return registers[self.link] & self.mask, registers


X86_64: Final = Convention(RSP, RBP, (RBX, R12, R13, R14, R15), (RBX, RBP, R12, R13, R14, R15))
ARM64: Final = Convention(
    _SP, _X29, (_X30, _X19, _X20, _X21, _X22), (_X19, _X20, _X21, _X22, _X29), link=_X30, mask=(1 << 48) - 1
)


class Row(msgspec.Struct):
    """How to get from one frame to that of its caller, at one instruction."""

    register: int = RSP
    offset: int = 8
    """The canonical frame address (CFA) is this register plus this offset."""
    saved: dict[int, int] = msgspec.field(default_factory=dict)
    """Where registers of the caller lie, from the CFA."""
    returns: int = RETURN
    """Which of them is the return address."""
    ends: bool = False
    """There is no caller: the thread begins here."""
    unknown: bool = False
    """An expression that is not computed here."""


class StackCopy:
    """Memory from the stack pointer on."""

    def __init__(self, begin: int, content: bytes) -> None:
        self._begin, self._content = begin, content

    def word(self, address: int) -> int | None:
        """None outside of the copy."""
        place = address - self._begin
        if not 0 <= place <= len(self._content) - 8:
            return None
        return int(_WORD.unpack_from(self._content, place)[0])


Rows = Callable[[int, bool], Row | str]
"""The row for an address of the process, or why there is none; True: it is a return address."""


def callers(
    pc: int, registers: Registers, stack: StackCopy, rows: Rows, *, most: int, convention: Convention = X86_64
) -> tuple[list[int], str]:
    """Return addresses from the innermost on, `pc` not among them, and why there are no more (empty: the beginning).

    `pc` is where the thread is; `registers` are those there.
    """
    found: list[int] = []
    returned = False
    while len(found) < most:
        row = rows(pc, returned)
        if isinstance(row, str):
            return found, row
        if row.ends:
            return found, ""
        base = registers.get(row.register)
        if row.unknown or base is None:
            return found, UNKNOWN_REGISTER
        frame, sp = base + row.offset, registers.get(convention.stack_pointer, 0)
        if frame < sp or (frame == sp and (returned or convention.link is None)):
            return found, "the stack is damaged"
        back = _return_address(row, registers, stack, frame, convention)
        if isinstance(back, str):
            return found, back
        if back == 0:
            return found, ""
        registers = _above(registers, row, stack, frame, convention)
        found.append(back)
        pc, returned = back, True
    return found, NO_ROOM


def _return_address(row: Row, registers: Registers, stack: StackCopy, frame: int, convention: Convention) -> int | str:
    """Or why it is not known."""
    if convention.link is not None and row.returns not in row.saved:
        back = registers.get(convention.link)
        return UNKNOWN_REGISTER if back is None else back & convention.mask
    back = stack.word(frame + row.saved.get(row.returns, -8))
    return "the copy of the stack ends" if back is None else back & convention.mask


def _above(registers: Registers, row: Row, stack: StackCopy, frame: int, convention: Convention) -> Registers:
    above: Registers = {convention.stack_pointer: frame}
    for number in convention.kept:
        value = stack.word(frame + row.saved[number]) if number in row.saved else registers.get(number)
        if value is not None:
            above[number] = value
    return above


def row_at(ranges: FunctionRanges, address: int) -> Row | None:
    """The row of a link-time address; None where no table speaks of it, or it is damaged."""
    at = ranges.description(address)
    if at is None:
        return None
    try:
        return _read(ranges, at, address)
    except (ElfError, struct.error, IndexError, ValueError):
        return None


class _Common(msgspec.Struct, frozen=True):
    """What descriptions of one kind share (CIE)."""

    pointer: int
    augmented: bool
    code_unit: int
    data_unit: int
    returns: int
    """Column of the return address."""
    instructions: Cursor


def _read(ranges: FunctionRanges, at: int, address: int) -> Row | None:
    raw = ranges.read(at, LARGEST_DESCRIPTION * 8)
    cursor = Cursor(raw, at)
    length = cursor.fixed("<I")
    if length in (0, 0xFFFFFFFF):
        return None
    to_common = cursor.fixed("<I")
    common = _common(ranges, at + 4 - to_common)
    start, size = cursor.pointer(common.pointer), cursor.pointer(common.pointer & 0x0F)
    if start is None or not size or not start <= address < start + size:
        return None
    if common.augmented:
        cursor.skip(cursor.unsigned())
    row = Row(returns=common.returns)
    machine = _Machine(common, row, start)
    machine.run(common.instructions, None)
    machine.initial = dict(row.saved)
    machine.run(Cursor(raw[: 4 + length], at, cursor.place), address)
    return machine.row


def _common(ranges: FunctionRanges, at: int) -> _Common:
    raw = ranges.read(at, LARGEST_DESCRIPTION)
    cursor = Cursor(raw, at)
    length = cursor.fixed("<I")
    cursor.fixed("<I")
    version, augmentation = cursor.byte(), cursor.string()
    code_unit, data_unit = cursor.unsigned(), cursor.signed()
    returns = cursor.byte() if version == 1 else cursor.unsigned()
    pointer = 0
    if augmentation.startswith(b"z"):
        end = cursor.unsigned() + cursor.place
        for letter in augmentation[1:].decode("latin-1"):
            if letter == "R":
                pointer = cursor.byte()
            elif letter == "L":
                cursor.byte()
            elif letter == "P":
                cursor.pointer(cursor.byte())
        cursor.place = end
    instructions = Cursor(raw[: 4 + length], at, cursor.place)
    return _Common(pointer, augmentation.startswith(b"z"), code_unit, data_unit, returns, instructions)


class _Machine:
    """Runs instructions of call frames up to an address."""

    def __init__(self, common: _Common, row: Row, start: int) -> None:
        self._common, self.row, self._place = common, row, start
        self.initial: dict[int, int] = {}
        self._remembered: list[Row] = []

    def run(self, code: Cursor, address: int | None) -> None:
        """All of them, or those that apply at the address."""
        while code.left:
            operation = code.byte()
            high, low = operation & 0xC0, operation & 0x3F
            if high == 0x40:
                self._place += low * self._common.code_unit
            elif high == 0x80:
                self.row.saved[low] = code.unsigned() * self._common.data_unit
            elif high == 0xC0:
                self._restore(low)
            elif operation == 0x01:
                self._place = code.pointer(self._common.pointer) or self._place
            elif operation in _SIZES:
                self._place += code.fixed(_SIZES[operation]) * self._common.code_unit
            else:
                self._other(operation, code)
            if address is not None and self._place > address:
                return

    def _other(self, operation: int, code: Cursor) -> None:
        row, unit = self.row, self._common.data_unit
        match operation:
            case 0x00 | 0x2D:  # the second one: from here on, or no more, the return address is signed
                pass
            case 0x05:
                number = code.unsigned()
                row.saved[number] = code.unsigned() * unit
            case 0x06:
                self._restore(code.unsigned())
            case 0x07:
                row.ends |= code.unsigned() == row.returns
            case 0x08:
                row.saved.pop(code.unsigned(), None)
            case 0x0A:
                self._remembered.append(replace(row, saved=dict(row.saved)))
            case 0x0B:
                self.row = self._remembered.pop()
            case 0x11:
                number = code.unsigned()
                row.saved[number] = code.signed() * unit
            case 0x2E:
                code.unsigned()
            case _:
                self._frame_address(operation, code)

    def _frame_address(self, operation: int, code: Cursor) -> None:
        row, unit = self.row, self._common.data_unit
        match operation:
            case 0x0C:
                row.register, row.offset, row.unknown = code.unsigned(), code.unsigned(), False
            case 0x0D:
                row.register = code.unsigned()
            case 0x0E:
                row.offset = code.unsigned()
            case 0x12:
                row.register, row.offset, row.unknown = code.unsigned(), code.signed() * unit, False
            case 0x13:
                row.offset = code.signed() * unit
            case 0x0F:
                code.skip(code.unsigned())
                row.unknown = True
            case 0x10 | 0x16:
                code.unsigned()
                code.skip(code.unsigned())
                row.unknown = True
            case _:
                raise ValueError(f"an unknown instruction {operation:#x}")

    def _restore(self, number: int) -> None:
        if number in self.initial:
            self.row.saved[number] = self.initial[number]
        else:
            self.row.saved.pop(number, None)
