"""What programs on the end of system calls share: where they sit, what they write to, and how they read arguments.

At its end the arguments of a call still lie in the thread's saved user registers, and the kernel has just read the path
or address, so its page is in memory.
"""

import msgspec

from .assembler import Helper, Reg
from .bpf import Map
from .membership import MemberAssembler
from .registers import HERE

KEY, TID = -24, -12
"""On the stack: the key of sums, with the number of the call; the thread, where it was asked for."""


class SyscallMaps(msgspec.Struct, frozen=True):
    """What the programs write to and look at."""

    written: Map
    sums: Map
    calls: Map
    """tid -> watched calls that are open, see `frames`."""
    lookups: Map
    """tid -> look-ups that are open."""


class Means(msgspec.Struct, frozen=True):
    """Where a program sits: where it finds the result, and whether it tells while the kernel's functions are probed."""

    result: int
    """Offset in its context."""
    given_registers: bool
    """Its context begins with the user registers."""
    on_functions: bool


TRACEPOINT = Means(8, given_registers=True, on_functions=False)
"""Tracepoint `sys_exit`, with types: registers, result."""
FUNCTION_EXIT = Means(8, given_registers=True, on_functions=True)
"""fexit of a function of one argument: registers, result."""
FUNCTION_RETURN = Means(HERE.result, given_registers=False, on_functions=True)
"""kretprobe: the kernel's registers."""


def user_registers_of(a: MemberAssembler, means: Means) -> None:
    """R7 = the user registers."""
    if means.given_registers:
        a.load(Reg.R7, Reg.R6, 0)
    else:
        a.user_registers(Reg.R7)


def keep_thread(a: MemberAssembler) -> None:
    """The thread's number to its place on the stack."""
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, TID, Reg.R0, 4)


def read_string(a: MemberAssembler, place: int, size: int, argument: int) -> None:
    """Copy the string behind an argument to the record; R7 holds the user registers."""
    a.store(Reg.R9, place, 0, 1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[argument])
    a.call(Helper.PROBE_READ_USER_STR)


def read_user(a: MemberAssembler, place: int, size: int, argument: int) -> None:
    """Copy so many bytes behind an argument to the record; R7 holds the user registers, R0 tells whether it worked."""
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[argument])
    a.call(Helper.PROBE_READ_USER)
