"""Calls that a thread has entered and not left yet, kept in the kernel: a few places for each thread.

A frame is found again at a `ret` of its function, when stack pointer and return address there are those of its entry.
So a frame that was left by an exception, longjmp or a stack switch never gets the result of another call. It lies
below the stack pointer of what comes later on the same stack and is dropped then; one on another stack stays. A thread
that ends takes all of its frames along.
"""

import struct

from msgspec import Struct

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .membership import HEADER, MemberAssembler
from .registers import ADDRESS_MASK, HERE

DEPTH = 8
_THREADS = 16384
FRAME = struct.Struct("<QQQII6Q")
"""Stack pointer at entry (0: the place is free), time of entry, return address, function, slot, first six integer
arguments."""
FRAME_SP, FRAME_ENTERED, FRAME_CALLER, FRAME_FUNCTION, FRAME_SLOT, FRAME_ARGUMENTS = 0, 8, 16, 24, 28, 32
_HEAD = struct.Struct("<II")
"""Frames noted so far, pid."""
STACK_SIZE = _HEAD.size + DEPTH * FRAME.size
LEFT_BODY = struct.Struct(f"<Q{STACK_SIZE}s{DEPTH}Q")
"""Of a thread that ends: its stack pointer, its frames, the words that lie where their return addresses were."""
SAME_STACK = 256 << 10
"""Bytes. What lies less far below the stack pointer is taken for the same stack, what lies farther for another one."""
SP, ARGUMENT_REGISTERS = HERE.sp, HERE.arguments


class Frame(Struct, frozen=True):
    """One open call."""

    pid: int
    tid: int
    function: int
    entered: int
    stack_pointer: int
    """Where its return address lies."""
    caller: int
    """Return address."""
    arguments: tuple[int, ...]


def frames_map() -> Map:
    """tid -> its open calls."""
    return Map(MapKind.HASH, 4, STACK_SIZE, _THREADS, NO_PREALLOC)


def read_frames(frames: Map) -> list[Frame]:
    """The open calls of all threads, the oldest of each first."""
    found: list[Frame] = []
    for key, value in frames.items():
        (tid,) = struct.unpack("<I", key)
        found += frames_of(tid, value)
    return found


def frames_of(tid: int, value: bytes) -> list[Frame]:
    """The open calls of one thread, the oldest first."""
    _, pid = _HEAD.unpack_from(value)
    found: list[Frame] = []
    for place in range(DEPTH):
        sp, entered, caller, function, _, *arguments = FRAME.unpack_from(value, _HEAD.size + place * FRAME.size)
        if sp:
            found.append(Frame(pid, tid, function, entered, sp, caller, tuple(arguments)))
    return sorted(found, key=lambda frame: frame.entered)


class Places(Struct, frozen=True):
    """Stack offsets of what a frame is made of; pid and tid lie at -8 as the helper gives them."""

    slot: int
    function: int
    caller: int
    """64 bits, see `read_caller`."""
    brief: int | None = None
    """A 64-bit word that is not 0 when arguments need not be kept."""


def read_caller(a: MemberAssembler, place: int) -> None:
    """Copy the return address to the own stack, at the entry or the return of a function; R6 is the context."""
    if HERE.link is not None:
        a.load(Reg.R1, Reg.R6, HERE.link)
        a.constant(Reg.R2, ADDRESS_MASK)
        a.compute("and", Reg.R1, Reg.R2)
        a.store(Reg.R10, place, Reg.R1)
        return
    a.store(Reg.R10, place, 0)
    a.stack_address(Reg.R1, place)
    a.move(Reg.R2, 8)
    a.load(Reg.R3, Reg.R6, SP)
    a.call(Helper.PROBE_READ_USER)


def push_frame(a: MemberAssembler, frames: Map, places: Places, full: str) -> None:
    """Note the call that begins; when all places are taken, in the one whose turn it is. R6 is the context; R7 to R9
    are used. To `full` when there is no room for the thread."""
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
    _choose_place(a, places)
    a.jump_if(Reg.R9, ">", (DEPTH - 1) * FRAME.size, full)
    a.add(Reg.R9, Reg.R8)
    a.add(Reg.R9, _HEAD.size)
    _fill(a, places)


def jump_if_inside(a: MemberAssembler, frames: Map, tid: int, inside: str) -> None:
    """To `inside` when the thread is in the middle of what these frames tell of: one lies above its stack pointer.

    R7 holds the user registers, `tid` is a place on the stack; R0 to R5 are used.
    """
    outside = a.fresh("outside")
    a.look_up(frames, tid)
    a.jump_if(Reg.R0, "==", 0, outside)
    a.load(Reg.R2, Reg.R7, SP)
    for number in range(DEPTH):
        a.load(Reg.R1, Reg.R0, _HEAD.size + number * FRAME.size + FRAME_SP)
        a.jump_if(Reg.R1, ">", Reg.R2, inside)
    a.label(outside)


def _choose_place(a: MemberAssembler, places: Places) -> None:
    """R9 = distance of a free place; what the call that begins at R7, the stack pointer, shows to be left is freed."""
    a.load(Reg.R9, Reg.R8, 0, 4)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, 1)
    a.store(Reg.R8, 0, Reg.R1, 4)
    a.compute("and", Reg.R9, DEPTH - 1)
    a.compute("mul", Reg.R9, FRAME.size)
    a.load(Reg.R7, Reg.R6, SP)
    a.load(Reg.R4, Reg.R10, places.function, 4)
    a.load(Reg.R5, Reg.R10, places.caller)
    for number in range(DEPTH):
        place = _HEAD.size + number * FRAME.size
        left, free, taken = (a.fresh(name) for name in ("left", "free", "taken"))
        a.load(Reg.R1, Reg.R8, place + FRAME_SP)
        a.jump_if(Reg.R1, "==", 0, free)
        _keep_unless_below(a, taken)
        a.jump_if(Reg.R1, "!=", 0, left)
        a.load(Reg.R1, Reg.R8, place + FRAME_FUNCTION, 4)
        a.jump_if(Reg.R1, "==", Reg.R4, left)
        a.load(Reg.R1, Reg.R8, place + FRAME_CALLER)
        a.jump_if(Reg.R1, "==", Reg.R5, taken)  # it goes on in the function that is called now
        a.label(left)
        a.store(Reg.R8, place + FRAME_SP, 0)
        a.label(free)
        a.move(Reg.R9, number * FRAME.size)
        a.label(taken)


def _keep_unless_below(a: MemberAssembler, keep: str) -> None:
    """R1 becomes the distance from the frame's stack pointer, in R1, up to that in R7; to `keep` on another stack."""
    a.jump_if(Reg.R1, ">", Reg.R7, keep)
    a.move(Reg.R2, Reg.R7)
    a.compute("sub", Reg.R2, Reg.R1)
    a.move(Reg.R1, Reg.R2)
    a.jump_if(Reg.R1, ">", SAME_STACK, keep)


def find_frame(a: MemberAssembler, frames: Map, places: Places, absent: str) -> None:
    """R9 = frame of the call that is at its `ret`, which is open no more; `absent` when there is none.

    What `places` name lies on the stack but for the slot. R6 is the context; R7 and R8 are used.
    """
    a.look_up(frames, -8)
    a.jump_if(Reg.R0, "==", 0, absent)
    a.move(Reg.R8, Reg.R0)
    a.move(Reg.R9, FRAME.size * DEPTH)
    a.load(Reg.R7, Reg.R6, SP)
    a.load(Reg.R4, Reg.R10, places.function, 4)
    a.load(Reg.R5, Reg.R10, places.caller)
    for number in range(DEPTH):
        place = _HEAD.size + number * FRAME.size
        left, other = a.fresh("left"), a.fresh("other")
        a.load(Reg.R1, Reg.R8, place + FRAME_SP)
        a.jump_if(Reg.R1, "==", 0, other)
        _keep_unless_below(a, other)
        a.jump_if(Reg.R1, "!=", 0, left)
        a.load(Reg.R1, Reg.R8, place + FRAME_FUNCTION, 4)
        a.jump_if(Reg.R1, "!=", Reg.R4, other)
        a.load(Reg.R1, Reg.R8, place + FRAME_CALLER)
        a.jump_if(Reg.R1, "!=", Reg.R5, other)
        a.move(Reg.R9, number * FRAME.size)
        a.label(left)
        a.store(Reg.R8, place + FRAME_SP, 0)
        a.label(other)
    a.jump_if(Reg.R9, ">", (DEPTH - 1) * FRAME.size, absent)
    a.add(Reg.R9, Reg.R8)
    a.add(Reg.R9, _HEAD.size)


def tell_frames(a: MemberAssembler, frames: Map, kind: int) -> None:
    """Send the frames of the thread whose number lies at -8, if it is in the middle of some call, as `LEFT_BODY`.

    R7 and R9 are used.
    """
    open_, none = a.fresh("open"), a.fresh("none")
    a.look_up(frames, -8)
    a.jump_if(Reg.R0, "==", 0, none)
    for number in range(DEPTH):
        a.load(Reg.R1, Reg.R0, _HEAD.size + number * FRAME.size + FRAME_SP)
        a.jump_if(Reg.R1, "!=", 0, open_)
    a.jump(none)
    a.label(open_)
    a.move(Reg.R7, Reg.R0)
    a.reserve(a.members.ring, HEADER.size + LEFT_BODY.size, none)
    a.head(kind)
    a.user_registers(Reg.R1)
    a.load(Reg.R1, Reg.R1, SP)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, HEADER.size + 8)
    a.move(Reg.R2, STACK_SIZE)
    a.move(Reg.R3, Reg.R7)
    a.call(Helper.PROBE_READ_KERNEL)
    for number in range(DEPTH):
        place = HEADER.size + 8 + STACK_SIZE + 8 * number
        a.store(Reg.R9, place, 0)
        a.move(Reg.R1, Reg.R9)
        a.add(Reg.R1, place)
        a.move(Reg.R2, 8)
        a.load(Reg.R3, Reg.R7, _HEAD.size + number * FRAME.size + FRAME_SP)
        a.call(Helper.PROBE_READ_USER)
    a.submit()
    a.label(none)


def left_open(tid: int, body: bytes) -> list[Frame]:
    """Of a `LEFT_BODY`: the calls that the thread ended in, the oldest first."""
    stack_pointer, value, *words = LEFT_BODY.unpack_from(body)
    at_return = dict(zip(_stack_pointers(value), words, strict=True))
    return [frame for frame in frames_of(tid, value) if is_open(frame, stack_pointer, at_return[frame.stack_pointer])]


def is_open(frame: Frame, stack_pointer: int, at_return: int) -> bool:
    """Whether a call was not left: the thread is deeper on its stack, or on another one, and the return address is
    still in its place, where it has one; it is 0 when it could not be read."""
    if frame.stack_pointer <= stack_pointer <= frame.stack_pointer + SAME_STACK:
        return False
    deeper = frame.stack_pointer - SAME_STACK <= stack_pointer < frame.stack_pointer
    return deeper if HERE.link is not None else at_return == frame.caller or (deeper and not at_return)


def _stack_pointers(value: bytes) -> list[int]:
    return [FRAME.unpack_from(value, _HEAD.size + place * FRAME.size)[0] for place in range(DEPTH)]


def _fill(a: MemberAssembler, places: Places) -> None:
    """The frame in R9; what is kept of a brief one is enough to find it again."""
    end = a.fresh("filled")
    a.store(Reg.R9, FRAME_SP, Reg.R7)
    a.call(Helper.KTIME_NS)
    a.store(Reg.R9, FRAME_ENTERED, Reg.R0)
    for field, place in ((FRAME_FUNCTION, places.function), (FRAME_SLOT, places.slot)):
        a.load(Reg.R1, Reg.R10, place, 4)
        a.store(Reg.R9, field, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, places.caller)
    a.store(Reg.R9, FRAME_CALLER, Reg.R1)
    if places.brief is not None:
        a.load(Reg.R1, Reg.R10, places.brief)
        a.jump_if(Reg.R1, "!=", 0, end)
    for number, register in enumerate(ARGUMENT_REGISTERS):
        a.load(Reg.R1, Reg.R6, register)
        a.store(Reg.R9, FRAME_ARGUMENTS + 8 * number, Reg.R1)
    a.label(end)
