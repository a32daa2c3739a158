"""Kernel programs that copy a call stack at the very moment of an event: registers, stack, and CPython's own frames.

The thread is in the middle of the event meanwhile, so nothing of what is copied can change: what was read is exact.
Who wants one asks for it by `stack_requests`. Frames of CPython are linked lists in the memory of the process; where
the fields lie is data (`interpreter_fields`), which differs by version and build.
"""

import struct

from .assembler import Helper, Reg
from .btf import kernel_offsets
from .frames import SP
from .interpreter_fields import ABSENT, OFFSETS
from .membership import HEADER, MemberAssembler, Membership
from .registers import HERE, X86_64
from .stack_requests import StackMaps, keep_to_budget, take_request

STACK = 48
BODY = struct.Struct("<IIQ8QII")
"""Occasion, how the search for Python's frames ended, moment that tells which call or signal, registers, bytes of the
stack, number of frames. The record's own number is the function; stack and frames follow."""
STACK_BYTES = 8192
FRAMES = 32
FILE_BYTES, NAME_BYTES, TABLE_BYTES = 192, 64, 632
FRAME = struct.Struct(f"<QQiIIIQII{FILE_BYTES}sQII{NAME_BYTES}sQ{TABLE_BYTES}s")
"""Code object, instruction, first line, who owns the frame, whether it has code; then of file and function the length
in characters, the state and the last bytes; then the length of the table of lines and its first bytes."""
_CODE, _INSTRUCTION, _FIRST, _OWNER, _KIND, _FILE, _NAME, _TABLE = 0, 8, 16, 20, 24, 32, 240, 320
SIZE = HEADER.size + BODY.size + STACK_BYTES + FRAMES * FRAME.size
NO_PYTHON, FOUND, NO_THREAD, TWO_STATES, TOO_MANY, UNREADABLE = range(6)
_THREADS = 64
_SIZES = (*range(STACK_BYTES, 0, -1024), 512, 256, 64, 8)
_ASCII, _WIDTH = 1 << 6, 7
_WIDTH_SHIFT = 2
"""struct PyASCIIObject.state: two bits, three of the bytes a character, compact, ascii (cpython/unicodeobject.h)."""


def stack_program(members: Membership, maps: StackMaps, *, tracepoint: bool) -> bytes:
    """Copy the stack of the current thread as it was asked for.

    Stack: -8 pid and tid, -16 and -24 addresses, -32 thread state, -40 thread pointer, -48 interpreter, -64 key,
    -72 text, -80 pid, -88 turns of a loop, -104 request, -112 one.
    """
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    take_request(a, maps)
    keep_to_budget(a, maps)
    a.reserve(maps.ring, SIZE, "out")
    a.head(STACK)
    a.load(Reg.R1, Reg.R10, -92, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, -96, 4)
    a.store(Reg.R9, HEADER.size, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, -104)
    a.store(Reg.R9, HEADER.size + 8, Reg.R1)
    if tracepoint:
        a.user_registers(Reg.R6)
    _copy_stack(a)
    a.store(Reg.R9, HEADER.size + 84, 0, 4)
    _end(a, NO_PYTHON)
    if HERE is X86_64:  # elsewhere the thread pointer is not what CPython knows a thread by
        _copy_python(a, maps)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _copy_stack(a: MemberAssembler) -> None:
    """Registers from R6; as much of the stack as is there, which may end soon above the stack pointer."""
    for number, register in enumerate(HERE.unwinding):
        a.load(Reg.R1, Reg.R6, register)
        a.store(Reg.R9, HEADER.size + 16 + 8 * number, Reg.R1)
    a.load(Reg.R8, Reg.R6, SP)
    for size in _SIZES:
        a.store(Reg.R9, HEADER.size + 80, size, 4)
        a.move(Reg.R1, Reg.R9)
        a.add(Reg.R1, HEADER.size + BODY.size)
        a.move(Reg.R2, size)
        a.move(Reg.R3, Reg.R8)
        a.call(Helper.PROBE_READ_USER)
        a.jump_if(Reg.R0, "==", 0, "stack copied")
    a.store(Reg.R9, HEADER.size + 80, 0, 4)
    a.label("stack copied")


def _copy_python(a: MemberAssembler, maps: StackMaps) -> None:
    """R6 becomes the layout of this process's interpreter; a child that was just forked has its parent's."""
    task = kernel_offsets(("task_struct.thread", "thread_struct.fsbase", "task_struct.real_parent", "task_struct.tgid"))
    a.call(Helper.CURRENT_TASK)
    a.move(Reg.R7, Reg.R0)
    a.read_kernel(-40, 8, Reg.R7, task["task_struct.thread"] + task["thread_struct.fsbase"])
    a.look_up(maps.pythons, -80)
    a.jump_if(Reg.R0, "!=", 0, "python")
    a.read_kernel(-16, 8, Reg.R7, task["task_struct.real_parent"])
    a.load(Reg.R3, Reg.R10, -16)
    a.read_kernel(-80, 4, Reg.R3, task["task_struct.tgid"])
    a.look_up(maps.pythons, -80)
    a.jump_if(Reg.R0, "==", 0, "copied")
    a.label("python")
    a.move(Reg.R6, Reg.R0)
    _find_thread(a)
    _copy_frames(a)
    a.label("copied")
    _doubt_the_parents(a)


def _doubt_the_parents(a: MemberAssembler) -> None:
    """What its parent's layout did not lead to may be another program, whose interpreter, if any, is not known yet."""
    own = a.fresh("own")
    a.load(Reg.R1, Reg.R10, -80, 4)
    a.load(Reg.R2, Reg.R10, -4, 4)
    a.jump_if(Reg.R1, "==", Reg.R2, own)
    a.load(Reg.R1, Reg.R9, HEADER.size + 4, 4)
    a.jump_if(Reg.R1, "==", FOUND, own)
    _end(a, NO_PYTHON)
    a.label(own)


def _end(a: MemberAssembler, how: int) -> None:
    a.store(Reg.R9, HEADER.size + 4, how, 4)


def _field(a: MemberAssembler, register: Reg, name: str) -> None:
    a.load(register, Reg.R6, 16 + 4 * OFFSETS.index(name), 4)


def _follow(a: MemberAssembler, base: int, name: str, to: int, failed: str) -> None:
    """Read the word at the address on the stack at `base` plus a field's offset to the stack at `to`."""
    _field(a, Reg.R3, name)
    a.load(Reg.R1, Reg.R10, base)
    a.add(Reg.R3, Reg.R1)
    a.stack_address(Reg.R1, to)
    a.move(Reg.R2, 8)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, failed)


def _find_thread(a: MemberAssembler) -> None:
    """Leave the first frame of the one thread state whose pthread_self() is our thread pointer at -16.

    Other threads may change the list meanwhile: what is not found then is unknown, and a wrong state does not match.
    """
    _end(a, UNREADABLE)
    a.store(Reg.R10, -32, 0)
    a.stack_address(Reg.R1, -48)
    a.move(Reg.R2, 8)
    a.load(Reg.R3, Reg.R6, 0)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, "copied")
    a.load(Reg.R1, Reg.R10, -48)
    a.jump_if(Reg.R1, "==", 0, "copied")
    _follow(a, -48, "threads", -16, "copied")
    _begin_loop(a, "threads", _THREADS, "too many")
    a.load(Reg.R1, Reg.R10, -16)
    a.jump_if(Reg.R1, "!=", 0, "thread")
    _follow(a, -48, "interpreter_next", -48, "copied")
    a.load(Reg.R1, Reg.R10, -48)
    a.jump_if(Reg.R1, "==", 0, "all seen")
    _follow(a, -48, "threads", -16, "copied")
    a.jump("threads")
    a.label("thread")
    _follow(a, -16, "thread_id", -24, "copied")
    a.load(Reg.R8, Reg.R10, -16)
    _follow(a, -16, "thread_next", -16, "copied")
    a.load(Reg.R1, Reg.R10, -24)
    a.load(Reg.R2, Reg.R10, -40)
    a.jump_if(Reg.R1, "!=", Reg.R2, "threads")
    a.load(Reg.R1, Reg.R10, -32)
    a.jump_if(Reg.R1, "!=", 0, "two states")
    a.store(Reg.R10, -32, Reg.R8)
    a.jump("threads")
    a.label("too many")
    _end(a, TOO_MANY)
    a.jump("copied")
    a.label("two states")
    _end(a, TWO_STATES)
    a.jump("copied")
    a.label("all seen")
    _end(a, NO_THREAD)
    a.load(Reg.R1, Reg.R10, -32)
    a.jump_if(Reg.R1, "==", 0, "copied")
    _end(a, UNREADABLE)
    _follow(a, -32, "thread_frame", -16, "copied")
    _field(a, Reg.R1, "via")
    a.jump_if(Reg.R1, "==", ABSENT, "first frame", 32)
    _follow(a, -16, "via", -16, "copied")
    a.label("first frame")
    _end(a, FOUND)


def _begin_loop(a: MemberAssembler, label: str, most: int, end: str) -> None:
    """Jump to the label to go round once more; R8 = how often it was gone round before, which lies at -88."""
    a.store(Reg.R10, -88, 0)
    a.label(label)
    a.load(Reg.R8, Reg.R10, -88)
    a.jump_if(Reg.R8, ">=", most, end)
    a.move(Reg.R1, Reg.R8)
    a.add(Reg.R1, 1)
    a.store(Reg.R10, -88, Reg.R1)


def _copy_frames(a: MemberAssembler) -> None:
    """The frame whose address lies at -16, to R7; then that of its caller."""
    following = "frames"
    _begin_loop(a, following, FRAMES, "copied")
    a.load(Reg.R1, Reg.R10, -16)
    a.jump_if(Reg.R1, "==", 0, "copied")
    a.compute("mul", Reg.R8, FRAME.size)
    a.move(Reg.R7, Reg.R9)
    a.add(Reg.R7, Reg.R8)
    a.add(Reg.R7, HEADER.size + BODY.size + STACK_BYTES)
    for at in (_OWNER, _KIND, _KIND + 4):
        a.store(Reg.R7, at, 0, 4)
    _follow(a, -16, "frame_code", -24, "copied")
    _follow(a, -16, "frame_instruction", -48, "copied")
    a.load(Reg.R1, Reg.R10, -48)
    a.store(Reg.R7, _INSTRUCTION, Reg.R1)
    _field(a, Reg.R3, "frame_owner")
    owned = a.fresh("owned")
    a.jump_if(Reg.R3, "==", ABSENT, owned, 32)
    a.load(Reg.R1, Reg.R10, -16)
    a.add(Reg.R3, Reg.R1)
    _read(a, _OWNER, 1)
    a.label(owned)
    _follow(a, -16, "frame_back", -16, "copied")
    a.load(Reg.R1, Reg.R10, -88)
    a.store(Reg.R9, HEADER.size + 84, Reg.R1, 4)
    a.load(Reg.R8, Reg.R10, -24)
    a.compute("and", Reg.R8, -8)  # CPython 3.14 keeps marks in the lowest bits
    a.store(Reg.R10, -24, Reg.R8)
    a.store(Reg.R7, _CODE, Reg.R8)
    _follow(a, -24, "type", -48, following)
    a.load(Reg.R1, Reg.R10, -48)
    a.load(Reg.R2, Reg.R6, 8)
    a.jump_if(Reg.R1, "!=", Reg.R2, following)
    _field(a, Reg.R3, "first_line")
    a.add(Reg.R3, Reg.R8)
    _read(a, _FIRST, 4)
    _copy_text(a, "file", _FILE, FILE_BYTES, following)
    _copy_text(a, "name", _NAME, NAME_BYTES, following)
    _copy_table(a, following)
    a.store(Reg.R7, _KIND, 1, 4)
    a.jump(following)


def _read(a: MemberAssembler, at: int, size: int) -> None:
    """Read what R3 points to into the frame."""
    a.move(Reg.R1, Reg.R7)
    a.add(Reg.R1, at)
    a.move(Reg.R2, size)
    a.call(Helper.PROBE_READ_USER)


def _copy_text(a: MemberAssembler, name: str, at: int, most: int, failed: str) -> None:
    """The last bytes of a string: of a path those that tell most."""
    plain, short = a.fresh("plain"), a.fresh("short")
    _follow(a, -24, name, -72, failed)
    for field, offset, size in (("text_length", 0, 8), ("text_state", 8, 4)):
        _field(a, Reg.R3, field)
        a.load(Reg.R1, Reg.R10, -72)
        a.add(Reg.R3, Reg.R1)
        _read(a, at + offset, size)
        a.jump_if(Reg.R0, "!=", 0, failed)
    a.load(Reg.R1, Reg.R7, at + 8, 4)
    _field(a, Reg.R3, "text_ascii")
    a.jump_if(Reg.R1, "&", _ASCII, plain)
    _field(a, Reg.R3, "text_compact")
    a.label(plain)
    a.load(Reg.R2, Reg.R10, -72)
    a.add(Reg.R3, Reg.R2)
    a.compute("rsh", Reg.R1, _WIDTH_SHIFT)
    a.compute("and", Reg.R1, _WIDTH)
    a.load(Reg.R2, Reg.R7, at)
    a.compute("mul", Reg.R2, Reg.R1)
    a.jump_if(Reg.R2, "<=", most, short)
    a.add(Reg.R3, Reg.R2)
    a.add(Reg.R3, -most)
    a.move(Reg.R2, most)
    a.label(short)
    a.move(Reg.R1, Reg.R7)
    a.add(Reg.R1, at + 16)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, failed)


def _copy_table(a: MemberAssembler, failed: str) -> None:
    short = a.fresh("short")
    _follow(a, -24, "line_table", -72, failed)
    _field(a, Reg.R3, "bytes_size")
    a.load(Reg.R1, Reg.R10, -72)
    a.add(Reg.R3, Reg.R1)
    _read(a, _TABLE, 8)
    a.jump_if(Reg.R0, "!=", 0, failed)
    _field(a, Reg.R3, "bytes_data")
    a.load(Reg.R1, Reg.R10, -72)
    a.add(Reg.R3, Reg.R1)
    a.load(Reg.R2, Reg.R7, _TABLE)
    a.jump_if(Reg.R2, "<=", TABLE_BYTES, short)
    a.move(Reg.R2, TABLE_BYTES)
    a.label(short)
    a.move(Reg.R1, Reg.R7)
    a.add(Reg.R1, _TABLE + 8)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, failed)
