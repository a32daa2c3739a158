"""Calls that a thread has entered and not left yet, kept in the kernel as a small stack for each thread.

A frame is found again at return by its stack pointer. Frames that were left without a return (longjmp, an exception)
lie below the stack pointer of what comes later and are dropped then; a thread that ends takes all of its frames along.
"""

import struct
from dataclasses import dataclass

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .membership import MemberAssembler

DEPTH = 6
_THREADS = 16384
FRAME = struct.Struct("<QQQII6Q")
"""Stack pointer at entry, time of entry, return address, function, slot, first six integer arguments."""
FRAME_SP, FRAME_ENTERED, FRAME_CALLER, FRAME_FUNCTION, FRAME_SLOT, FRAME_ARGUMENTS = 0, 8, 16, 24, 28, 32
_HEAD = struct.Struct("<II")
"""Frames in use, pid."""
STACK_SIZE = _HEAD.size + DEPTH * FRAME.size
# struct pt_regs of x86-64: stack pointer, and the registers of the first six integer arguments in order.
SP = 152
ARGUMENT_REGISTERS = (112, 104, 96, 88, 72, 64)


@dataclass(frozen=True, slots=True)
class Frame:
    """One open call."""

    pid: int
    tid: int
    function: int
    entered: int
    caller: int
    """Return address; 0 when it was not kept."""
    arguments: tuple[int, ...]


def frames_map() -> Map:
    """tid -> its open calls."""
    return Map(MapKind.HASH, 4, STACK_SIZE, _THREADS, NO_PREALLOC)


def read_frames(frames: Map) -> list[Frame]:
    """The open calls of all threads."""
    found: list[Frame] = []
    for key, value in frames.items():
        (tid,) = struct.unpack("<I", key)
        depth, pid = _HEAD.unpack_from(value)
        for place in range(min(depth, DEPTH)):
            _, entered, caller, function, _, *arguments = FRAME.unpack_from(value, _HEAD.size + place * FRAME.size)
            found.append(Frame(pid, tid, function, entered, caller, tuple(arguments)))
    return found


@dataclass(frozen=True, slots=True)
class Places:
    """Stack offsets of what a frame is made of; pid and tid lie at -8 as the helper gives them."""

    slot: int
    function: int
    brief: int | None = None
    """A 64-bit word that is not 0 when caller and arguments need not be kept."""


def push_frame(a: MemberAssembler, frames: Map, places: Places, full: str) -> None:
    """Note the call that begins, or go to `full` when there is no room. R6 is the context; R7 to R9 are used."""
    known = a.fresh("known")
    a.look_up(frames, -8)
    a.jump_if(Reg.R0, "!=", 0, known)
    a.map(Reg.R1, frames.fd)
    a.stack_address(Reg.R2, -8)
    a.map_value(Reg.R3, a.members.blank.fd)
    a.move(Reg.R4, 0)
    a.call(Helper.MAP_UPDATE)
    a.look_up(frames, -8)
    a.jump_if(Reg.R0, "==", 0, full)
    a.load(Reg.R1, Reg.R10, -4, 4)
    a.store(Reg.R0, 4, Reg.R1, 4)
    a.label(known)
    a.move(Reg.R8, Reg.R0)
    _drop_stale(a, places.function)
    a.load(Reg.R1, Reg.R8, 0, 4)
    a.jump_if(Reg.R1, ">=", DEPTH, full)
    _point_at(a, Reg.R9, Reg.R1)
    a.add(Reg.R1, 1)
    a.store(Reg.R8, 0, Reg.R1, 4)
    _fill(a, places)


def find_frame(a: MemberAssembler, frames: Map, function: int, absent: str, *, at_ret: bool = False) -> None:
    """R9 = frame of the call that returns, taken off the stack with all above it; `absent` when there is none.

    Stack: -8 pid and tid, `function` 32 bits. R6 is the context; R7 and R8 are used. `at_ret`: the probe is on the
    `ret` instruction itself, where the return address still lies on the stack.
    """
    a.look_up(frames, -8)
    a.jump_if(Reg.R0, "==", 0, absent)
    a.move(Reg.R8, Reg.R0)
    a.load(Reg.R7, Reg.R6, SP)
    if not at_ret:
        a.add(Reg.R7, -8)
    a.load(Reg.R4, Reg.R10, function, 4)
    a.load(Reg.R1, Reg.R8, 0, 4)
    found = a.fresh("found")
    for _ in range(DEPTH):
        deeper = a.fresh("deeper")
        _below(a, absent)
        a.load(Reg.R2, Reg.R9, FRAME_SP)
        a.jump_if(Reg.R2, ">", Reg.R7, absent)
        a.jump_if(Reg.R2, "!=", Reg.R7, deeper)
        a.load(Reg.R2, Reg.R9, FRAME_FUNCTION, 4)
        a.jump_if(Reg.R2, "==", Reg.R4, found)
        a.label(deeper)
    a.jump(absent)
    a.label(found)
    a.store(Reg.R8, 0, Reg.R1, 4)


def _drop_stale(a: MemberAssembler, function: int) -> None:
    """Frames below the stack pointer are gone; one at the same place is a tail call unless it is this function."""
    fresh = a.fresh("fresh")
    a.load(Reg.R7, Reg.R6, SP)
    a.load(Reg.R4, Reg.R10, function, 4)
    a.load(Reg.R1, Reg.R8, 0, 4)
    for _ in range(DEPTH):
        stale = a.fresh("stale")
        _below(a, fresh)
        a.load(Reg.R2, Reg.R9, FRAME_SP)
        a.jump_if(Reg.R2, ">", Reg.R7, fresh)
        a.jump_if(Reg.R2, "<", Reg.R7, stale)
        a.load(Reg.R2, Reg.R9, FRAME_FUNCTION, 4)
        a.jump_if(Reg.R2, "!=", Reg.R4, fresh)
        a.label(stale)
        a.store(Reg.R8, 0, Reg.R1, 4)
    a.label(fresh)


def _below(a: MemberAssembler, empty: str) -> None:
    """R1 = depth - 1 and R9 = the frame there, of the stack in R8; R1 is the depth before."""
    a.jump_if(Reg.R1, "==", 0, empty)
    a.add(Reg.R1, -1)
    a.jump_if(Reg.R1, ">=", DEPTH, empty)
    _point_at(a, Reg.R9, Reg.R1)


def _point_at(a: MemberAssembler, dst: Reg, place: Reg) -> None:
    """dst = frame number `place` of the stack in R8."""
    a.move(Reg.R2, place)
    a.compute("mul", Reg.R2, FRAME.size)
    a.move(dst, Reg.R8)
    a.add(dst, Reg.R2)
    a.add(dst, _HEAD.size)


def _fill(a: MemberAssembler, places: Places) -> None:
    end = a.fresh("filled")
    a.store(Reg.R9, FRAME_SP, Reg.R7)
    a.call(Helper.KTIME_NS)
    a.store(Reg.R9, FRAME_ENTERED, Reg.R0)
    a.store(Reg.R9, FRAME_CALLER, 0)
    a.load(Reg.R1, Reg.R10, places.function, 4)
    a.store(Reg.R9, FRAME_FUNCTION, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, places.slot, 4)
    a.store(Reg.R9, FRAME_SLOT, Reg.R1, 4)
    if places.brief is not None:
        a.load(Reg.R1, Reg.R10, places.brief)
        a.jump_if(Reg.R1, "!=", 0, end)
    for number, register in enumerate(ARGUMENT_REGISTERS):
        a.load(Reg.R1, Reg.R6, register)
        a.store(Reg.R9, FRAME_ARGUMENTS + 8 * number, Reg.R1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, FRAME_CALLER)
    a.move(Reg.R2, 8)
    a.move(Reg.R3, Reg.R7)
    a.call(Helper.PROBE_READ_USER)
    a.label(end)
