"""Kernel programs on files opened and bytes written by members, at the end of the system call.

At its end the call's arguments still lie in the thread's saved registers, and the kernel has just read the path, so its
page is in memory. One tracepoint a system call costs the other system calls of the machine 30 ns; where tracefs
does not give the numbers of those, one program on all system calls takes their place and costs 120 ns.
"""

import struct
from dataclasses import dataclass

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .membership import HEADER, MemberAssembler, Membership
from .tree_programs import OPENED

PATH_SIZE = 480
OPENED_BODY = struct.Struct(f"<Q{PATH_SIZE}s")
"""Flags, path. The record's own number is the result."""
SAMPLE_SIZE = 1024
WRITTEN_KEY = struct.Struct("<II")
"""File descriptor, pid."""
WRITTEN = struct.Struct(f"<QQQQ{SAMPLE_SIZE}s")
"""Calls, bytes, failed calls, bytes in the sample, first bytes."""
_CALLS, _BYTES, _FAILED, _USED, _SAMPLE = 0, 8, 16, 24, 32
_SAMPLE_CHUNK = 256
_DESCRIPTORS = 8192
# struct pt_regs of x86-64.
_AX, _DX, _SI, _DI, _ORIG_AX, _CS = 80, 96, 104, 112, 120, 136
_CODE_SEGMENT_64 = 0x33


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: its number on x86-64 and the registers of its arguments."""

    name: str
    number: int
    path: int = 0
    flags: int = 0
    flags_behind_pointer: bool = False
    sampled: bool = False

    @property
    def tracepoint(self) -> str:
        return f"syscalls/sys_exit_{self.name}"


CALLS = (
    Call("openat", 257, path=_SI, flags=_DX),
    Call("open", 2, path=_DI, flags=_SI),
    Call("openat2", 437, path=_SI, flags=_DX, flags_behind_pointer=True),
    Call("write", 1, sampled=True),
    Call("writev", 20),
)


def written_map() -> Map:
    """(fd, pid) -> what was written there."""
    return Map(MapKind.HASH, WRITTEN_KEY.size, WRITTEN.size, _DESCRIPTORS, NO_PREALLOC)


def call_program(members: Membership, written: Map, call: Call) -> bytes:
    """Code for the tracepoint of one system call."""
    a = MemberAssembler(members)
    a.user_registers(Reg.R7)
    _handle(a, written, call)
    a.label("out")
    a.leave()
    return a.build()


def any_call_program(members: Membership, written: Map) -> bytes:
    """Code for the raw tracepoint `sys_exit`, which sees all system calls, also those of 32-bit programs."""
    a = MemberAssembler(members)
    a.user_registers(Reg.R7)
    a.load(Reg.R1, Reg.R7, _ORIG_AX)
    for call in CALLS:
        a.jump_if(Reg.R1, "==", call.number, call.name)
    a.jump("out")
    for call in CALLS:
        a.label(call.name)
        a.load(Reg.R1, Reg.R7, _CS)
        a.jump_if(Reg.R1, "!=", _CODE_SEGMENT_64, "out")
        _handle(a, written, call)
        a.jump("out")
    a.label("out")
    a.leave()
    return a.build()


def _handle(a: MemberAssembler, written: Map, call: Call) -> None:
    """R7 holds the thread's registers."""
    if call.path:
        _report_open(a, call)
    else:
        _count_write(a, written, call)


def _report_open(a: MemberAssembler, call: Call) -> None:
    a.find_member("out")
    a.reserve(a.members.ring, HEADER.size + OPENED_BODY.size, "out")
    a.head(OPENED)
    a.load(Reg.R1, Reg.R7, _AX)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R7, call.flags)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    if call.flags_behind_pointer:
        _read_user(a, HEADER.size, 8, call.flags)
    a.store(Reg.R9, HEADER.size + 8, 0, 1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, HEADER.size + 8)
    a.move(Reg.R2, PATH_SIZE)
    a.load(Reg.R3, Reg.R7, call.path)
    a.call(Helper.PROBE_READ_USER_STR)
    a.submit()


def _read_user(a: MemberAssembler, place: int, size: int, register: int) -> None:
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.load(Reg.R3, Reg.R7, register)
    a.call(Helper.PROBE_READ_USER)


def _count_write(a: MemberAssembler, written: Map, call: Call) -> None:
    """Descriptors 1 and 2 only; the key (fd, pid) lies at -8 and -4 of the stack."""
    known, failed, end = a.fresh("known"), a.fresh("failed"), a.fresh("end")
    a.load(Reg.R1, Reg.R7, _DI)
    a.store(Reg.R10, -8, Reg.R1, 4)
    a.compute("sub", Reg.R1, 1)
    a.jump_if(Reg.R1, ">", 1, "out")
    a.find_member("out")
    a.look_up(written, -8)
    a.jump_if(Reg.R0, "!=", 0, known)
    _add_written(a, written)
    a.label(known)
    a.move(Reg.R9, Reg.R0)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R9, _CALLS, Reg.R1)
    a.load(Reg.R8, Reg.R7, _AX)
    a.jump_if(Reg.R8, "s<", 0, failed)
    a.atomic_add(Reg.R9, _BYTES, Reg.R8)
    if call.sampled:
        _keep_sample(a, end)
    a.jump(end)
    a.label(failed)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R9, _FAILED, Reg.R1)
    a.label(end)


def _add_written(a: MemberAssembler, written: Map) -> None:
    """Insert a value of zeros and make R0 its address."""
    a.map(Reg.R1, written.fd)
    a.stack_address(Reg.R2, -8)
    a.map_value(Reg.R3, a.members.blank.fd)
    a.move(Reg.R4, 1)
    a.call(Helper.MAP_UPDATE)
    a.look_up(written, -8)
    a.jump_if(Reg.R0, "==", 0, "out")


def _keep_sample(a: MemberAssembler, end: str) -> None:
    """Append up to _SAMPLE_CHUNK of the R8 bytes just written to the sample in R9, while there is room."""
    short = a.fresh("short")
    a.load(Reg.R6, Reg.R9, _USED)
    a.jump_if(Reg.R6, ">", SAMPLE_SIZE - _SAMPLE_CHUNK, end)
    a.jump_if(Reg.R8, "<=", _SAMPLE_CHUNK, short)
    a.move(Reg.R8, _SAMPLE_CHUNK)
    a.label(short)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, _SAMPLE)
    a.add(Reg.R1, Reg.R6)
    a.move(Reg.R2, Reg.R8)
    a.load(Reg.R3, Reg.R7, _SI)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, end)
    a.add(Reg.R6, Reg.R8)
    a.store(Reg.R9, _USED, Reg.R6)
