"""Kernel programs on system calls of members at their end, and what they tell of opens and listings.

What is done with writes and refusals is in `syscall_writes` and `syscall_refusals`.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from .assembler import Reg
from .frames import jump_if_inside
from .membership import CONTROL_FUNCTIONS_TELL, CONTROL_OPENS_WAKE, HEADER, MemberAssembler, Membership
from .registers import HERE
from .syscall_context import (
    KEY,
    TID,
    TRACEPOINT,
    Means,
    SyscallMaps,
    keep_thread,
    read_string,
    read_user,
    user_registers_of,
)
from .syscall_refusals import report_refusal
from .syscall_writes import count_write
from .system_calls import CALLS, Call, Shape
from .tree_programs import LISTED, OPENED

PATH_SIZE = 480
OPENED_BODY = struct.Struct(f"<Q{PATH_SIZE}s")
"""Flags, path. The record's own number is the result."""
INSIDE = 1 << 62
"""Among the flags of an open that failed: it was made inside of a watched call or look-up."""


def call_program(members: Membership, maps: SyscallMaps, call: Call, means: Means) -> bytes:
    """Code for the kernel's function of one system call."""
    a = _begin(members, means)
    a.store(Reg.R10, KEY + 4, call.number, 4)
    _handle(a, maps, call, means)
    a.label("out")
    a.leave()
    return a.build()


def any_call_program(members: Membership, maps: SyscallMaps) -> bytes:
    """Code for the tracepoint `sys_exit`, which sees all system calls, also those of 32-bit programs."""
    a = _begin(members, TRACEPOINT)
    a.load(Reg.R9, Reg.R6, 0)
    a.load(Reg.R7, Reg.R9, HERE.call, HERE.call_size)
    _branch(a, sorted(CALLS, key=_number))
    for shape, calls in _alike():
        for call in calls:
            a.label(call.name)
        a.store(Reg.R10, KEY + 4, Reg.R7, 4)
        a.load(Reg.R1, Reg.R9, HERE.mode)
        a.compute("and", Reg.R1, HERE.mode_mask)
        a.jump_if(Reg.R1, "!=", HERE.mode_64, "out")
        _handle(a, maps, shape, TRACEPOINT)
        a.jump("out")
    a.label("out")
    a.leave()
    return a.build()


def _begin(members: Membership, means: Means) -> MemberAssembler:
    """R6 = context; only one of the two kinds of programs tells, should both be there for a moment."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.map_value(Reg.R1, members.control.fd, CONTROL_FUNCTIONS_TELL)
    a.load(Reg.R1, Reg.R1, 0)
    a.jump_if(Reg.R1, "==" if means.on_functions else "!=", 0, "out")
    return a


def _number(call: Call) -> int:
    return call.number


def _branch(a: MemberAssembler, calls: Sequence[Call]) -> None:
    """Jump to the label of the call whose number is in R7, or out, in few steps."""
    if len(calls) <= 2:
        for call in calls:
            a.jump_if(Reg.R7, "==", call.number, call.name)
        a.jump("out")
        return
    middle, upper = len(calls) // 2, a.fresh("upper")
    a.jump_if(Reg.R7, ">=", calls[middle].number, upper)
    _branch(a, calls[:middle])
    a.label(upper)
    _branch(a, calls[middle:])


def _alike() -> Iterable[tuple[Call, list[Call]]]:
    """Calls whose code is the same, with one that stands for them."""

    def stripped(call: Call) -> Call:
        arguments = call.arguments if call.shape is Shape.TERMINAL else ()
        return replace(call, name="", kernel_name="", arguments=arguments)

    def order(call: Call) -> str:
        return repr(stripped(call))

    return [(stripped(calls[0]), calls) for _, group in groupby(sorted(CALLS, key=order), order) if (calls := [*group])]


def _handle(a: MemberAssembler, maps: SyscallMaps, call: Call, means: Means) -> None:
    if call.shape is Shape.OPEN:
        _report_open(a, maps, call, means)
    elif call.shape is Shape.WRITE:
        count_write(a, maps.written, call, means)
    elif call.shape is Shape.LISTING:
        _report_listing(a, means)
    else:
        report_refusal(a, maps, call, means)


def _report_open(a: MemberAssembler, maps: SyscallMaps, call: Call, means: Means) -> None:
    succeeded, inside = a.fresh("succeeded"), a.fresh("inside")
    a.find_member("out")
    user_registers_of(a, means)
    a.reserve(a.members.deferred_ring, HEADER.size + OPENED_BODY.size, "out")
    a.head(OPENED)
    a.load(Reg.R1, Reg.R6, means.result)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[call.flags])
    a.store(Reg.R9, HEADER.size, Reg.R1)
    if call.flags_behind_pointer:
        read_user(a, HEADER.size, 8, call.flags)
    a.load(Reg.R1, Reg.R9, 12, 4)
    a.jump_if(Reg.R1, "s>=", 0, succeeded, 32)
    keep_thread(a)
    for frames in (maps.calls, maps.lookups):
        jump_if_inside(a, frames, TID, inside)
    a.jump(succeeded)
    a.label(inside)
    a.load(Reg.R1, Reg.R9, HEADER.size)
    a.constant(Reg.R2, INSIDE)
    a.compute("or", Reg.R1, Reg.R2)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.label(succeeded)
    read_string(a, HEADER.size + 8, PATH_SIZE, call.path)
    a.submit_deferred(CONTROL_OPENS_WAKE)


def _report_listing(a: MemberAssembler, means: Means) -> None:
    """The call that finds nothing more ends the listing of a folder."""
    a.load(Reg.R1, Reg.R6, means.result)
    a.jump_if(Reg.R1, "!=", 0, "out")
    a.find_member("out")
    user_registers_of(a, means)
    a.reserve(a.members.deferred_ring, HEADER.size, "out")
    a.head(LISTED)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[0])
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.submit_deferred()
