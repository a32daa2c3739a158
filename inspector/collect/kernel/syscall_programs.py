"""Kernel programs on system calls of members at their end: files opened, bytes written, and what was refused.

At its end the arguments of a call still lie in the thread's saved user registers, and the kernel has just read the path
or address, so its page is in memory.
"""

import errno
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .frames import jump_if_inside
from .membership import CONTROL_FUNCTIONS_TELL, HEADER, MemberAssembler, Membership
from .registers import HERE
from .system_calls import CALLS, Call, Shape
from .tree_programs import LISTED, OPENED, REFUSED_CALL

PATH_SIZE = 480
OPENED_BODY = struct.Struct(f"<Q{PATH_SIZE}s")
"""Flags, path. The record's own number is the result."""
INSIDE = 1 << 62
"""Among the flags of an open that failed: it was made inside of a watched call or look-up."""
DATA_SIZE = 256
REFUSED_CALL_BODY = struct.Struct(f"<QQ6Q{DATA_SIZE}s")
"""Number of the call, bytes of an address, arguments, path or address or limits. The own number is the result."""
SAMPLE_SIZE = 1024
WRITTEN_KEY = struct.Struct("<II")
"""File descriptor, pid."""
WRITTEN = struct.Struct(f"<QQQQ{SAMPLE_SIZE}s")
"""Calls, bytes, failed calls, bytes in the sample, first bytes."""
SUM_KEY = struct.Struct("<III")
"""pid, number of the call, errno."""
SUM = struct.Struct("<QQQ")
"""Count, first, last."""
_CALLS, _BYTES, _FAILED, _USED, _SAMPLE = 0, 8, 16, 24, 32
_SAMPLE_CHUNK = 256
_DESCRIPTORS, _SUMS = 8192, 16384
_NUMBER, _SIZE, _ARGUMENTS, _DATA = HEADER.size, HEADER.size + 8, HEADER.size + 16, HEADER.size + 64
_LARGEST_ERROR, _RESTARTS = 4095, 512
"""From 512 on the kernel's own numbers: the call is to be started again, or fails with EINTR (linux/errno.h)."""
_LARGEST_ADDRESS = 110
"""struct sockaddr_un."""
_RLIMIT_SIZE = 16
_TERMINAL_REQUESTS = 0x54
"""Type of the requests of terminals (asm-generic/ioctls.h)."""
_DEVICES = (b"/dev/", b"/sys/", b"/proc")
_LIBRARY = b".so"
_TAIL = 16
# Places on the stack of a program about refusals.
_PID, _TID, _KEY, _SUM_PLACE, _TAIL_PLACE, _PATH_PLACE = -4, -12, -24, -48, -64, -320
_ON_STACK = _TAIL_PLACE - _PATH_PLACE


@dataclass(frozen=True, slots=True)
class SyscallMaps:
    """What the programs write to and look at."""

    written: Map
    sums: Map
    calls: Map
    """tid -> watched calls that are open, see `frames`."""
    lookups: Map
    """tid -> look-ups that are open."""


@dataclass(frozen=True, slots=True)
class Means:
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


def written_map() -> Map:
    """(fd, pid) -> what was written there."""
    return Map(MapKind.HASH, WRITTEN_KEY.size, WRITTEN.size, _DESCRIPTORS, NO_PREALLOC)


def sums_map() -> Map:
    """(pid, call, errno) -> how often, first and last."""
    return Map(MapKind.HASH, SUM_KEY.size, SUM.size, _SUMS, NO_PREALLOC)


def call_program(members: Membership, maps: SyscallMaps, call: Call, means: Means) -> bytes:
    """Code for the kernel's function of one system call."""
    a = _begin(members, means)
    a.store(Reg.R10, _KEY + 4, call.number, 4)
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
        a.store(Reg.R10, _KEY + 4, Reg.R7, 4)
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


def _user_registers(a: MemberAssembler, means: Means) -> None:
    """R7 = the user registers."""
    if means.given_registers:
        a.load(Reg.R7, Reg.R6, 0)
    else:
        a.user_registers(Reg.R7)


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
        _count_write(a, maps.written, call, means)
    elif call.shape is Shape.LISTING:
        _report_listing(a, means)
    else:
        _report_refusal(a, maps, call, means)


def _report_open(a: MemberAssembler, maps: SyscallMaps, call: Call, means: Means) -> None:
    succeeded, inside = a.fresh("succeeded"), a.fresh("inside")
    a.find_member("out")
    _user_registers(a, means)
    a.reserve(a.members.ring, HEADER.size + OPENED_BODY.size, "out")
    a.head(OPENED)
    a.load(Reg.R1, Reg.R6, means.result)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[call.flags])
    a.store(Reg.R9, HEADER.size, Reg.R1)
    if call.flags_behind_pointer:
        _read_user(a, HEADER.size, 8, call.flags)
    a.load(Reg.R1, Reg.R9, 12, 4)
    a.jump_if(Reg.R1, "s>=", 0, succeeded, 32)
    _thread(a)
    for frames in (maps.calls, maps.lookups):
        jump_if_inside(a, frames, _TID, inside)
    a.jump(succeeded)
    a.label(inside)
    a.load(Reg.R1, Reg.R9, HEADER.size)
    a.constant(Reg.R2, INSIDE)
    a.compute("or", Reg.R1, Reg.R2)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.label(succeeded)
    _read_string(a, HEADER.size + 8, PATH_SIZE, call.path)
    a.submit()


def _thread(a: MemberAssembler) -> None:
    """The thread's number to its place on the stack."""
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, _TID, Reg.R0, 4)


def _read_string(a: MemberAssembler, place: int, size: int, argument: int) -> None:
    """Copy the string behind an argument to the record; R7 holds the user registers."""
    a.store(Reg.R9, place, 0, 1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[argument])
    a.call(Helper.PROBE_READ_USER_STR)


def _read_user(a: MemberAssembler, place: int, size: int, argument: int) -> None:
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[argument])
    a.call(Helper.PROBE_READ_USER)


def _report_listing(a: MemberAssembler, means: Means) -> None:
    """The call that finds nothing more ends the listing of a folder."""
    a.load(Reg.R1, Reg.R6, means.result)
    a.jump_if(Reg.R1, "!=", 0, "out")
    a.find_member("out")
    _user_registers(a, means)
    a.reserve(a.members.ring, HEADER.size, "out")
    a.head(LISTED)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[0])
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.submit()


def _report_refusal(a: MemberAssembler, maps: SyscallMaps, call: Call, means: Means) -> None:
    """Most calls succeed: they cost two instructions. The number of the call lies in the key of the sums."""
    a.load(Reg.R9, Reg.R6, means.result)
    a.jump_if(Reg.R9, "s>=", 0, "out")
    a.jump_if(Reg.R9, "s<", -_LARGEST_ERROR, "out")
    a.find_member("out", _PID)
    _user_registers(a, means)
    _fill_key(a)
    total, tell = a.fresh("sum"), a.fresh("tell")
    a.jump_if(Reg.R8, "==", errno.EINTR, total)
    if call.shape is Shape.SEARCH:
        _look_where(a, maps, call, total, tell)
    elif call.shape is Shape.TERMINAL:
        _look_at_request(a, call, total)
    elif call.shape is Shape.ADDRESS:
        for number in (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN):
            a.jump_if(Reg.R8, "==", number, total)
    a.label(tell)
    _tell(a, call, means)
    a.jump("out")
    a.label(total)
    _add_up(a, maps.sums)


def _fill_key(a: MemberAssembler) -> None:
    """R8 = errno of the result in R9; the key of the sums is complete after it."""
    known = a.fresh("known")
    a.move(Reg.R8, 0)
    a.compute("sub", Reg.R8, Reg.R9)
    a.jump_if(Reg.R8, "<", _RESTARTS, known)
    a.move(Reg.R8, errno.EINTR)
    a.label(known)
    a.load(Reg.R1, Reg.R10, _PID, 4)
    a.store(Reg.R10, _KEY, Reg.R1, 4)
    a.store(Reg.R10, _KEY + 8, Reg.R8, 4)


def _look_where(a: MemberAssembler, maps: SyscallMaps, call: Call, total: str, tell: str) -> None:
    """Programs look for files in many places that are not there: which of it is told?

    Devices, libraries (`.so` among the last characters), and what is asked inside of a watched call; not the folders
    that the loader itself looks for.
    """
    missing, longer, loading = a.fresh("missing"), a.fresh("longer"), a.fresh("loading")
    a.jump_if(Reg.R8, "==", errno.ENOENT, missing)
    a.jump_if(Reg.R8, "!=", errno.ENOTDIR, tell)
    a.label(missing)
    _thread(a)
    jump_if_inside(a, maps.lookups, _TID, loading)
    jump_if_inside(a, maps.calls, _TID, tell)
    a.label(loading)
    a.stack_address(Reg.R1, _PATH_PLACE)
    a.move(Reg.R2, _ON_STACK)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[call.path])
    a.call(Helper.PROBE_READ_USER_STR)
    a.jump_if(Reg.R0, "s<", len(_DEVICES[0]), total)
    a.load(Reg.R1, Reg.R10, _PATH_PLACE)
    a.constant(Reg.R2, (1 << 8 * len(_DEVICES[0])) - 1)
    a.compute("and", Reg.R1, Reg.R2)
    for start in _DEVICES:
        a.constant(Reg.R2, int.from_bytes(start, "little"))
        a.jump_if(Reg.R1, "==", Reg.R2, tell)
    a.load(Reg.R4, Reg.R10, _PATH_PLACE)
    a.load(Reg.R5, Reg.R10, _PATH_PLACE + 8)
    a.jump_if(Reg.R0, ">", _TAIL, longer)
    _find_library(a, tell)
    a.jump(total)
    a.label(longer)
    a.stack_address(Reg.R1, _TAIL_PLACE)
    a.move(Reg.R2, _TAIL)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[call.path])
    a.add(Reg.R3, Reg.R0)
    a.add(Reg.R3, -_TAIL - 1)
    a.call(Helper.PROBE_READ_USER)
    a.load(Reg.R4, Reg.R10, _TAIL_PLACE)
    a.load(Reg.R5, Reg.R10, _TAIL_PLACE + 8)
    _find_library(a, tell)
    a.jump(total)


def _find_library(a: MemberAssembler, found: str) -> None:
    """To `found` when `.so` stands among the 16 bytes of R4 and R5; R1 to R3 are used."""
    width = 8 * len(_LIBRARY)
    a.move(Reg.R3, Reg.R4)
    a.compute("rsh", Reg.R3, 32)
    a.move(Reg.R2, Reg.R5)
    a.compute("lsh", Reg.R2, 32)
    a.compute("or", Reg.R3, Reg.R2)
    straddling = (2, 3)
    for word, places in ((Reg.R4, range(6)), (Reg.R3, straddling), (Reg.R5, range(6))):
        for place in places:
            a.move(Reg.R1, word)
            if place:
                a.compute("rsh", Reg.R1, 8 * place)
            a.compute("and", Reg.R1, (1 << width) - 1)
            a.jump_if(Reg.R1, "==", int.from_bytes(_LIBRARY, "little"), found)


def _look_at_request(a: MemberAssembler, call: Call, total: str) -> None:
    """C libraries ask of each file whether it is a terminal."""
    other = a.fresh("other")
    a.jump_if(Reg.R8, "!=", errno.ENOTTY, other)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[call.arguments.index("request")])
    a.compute("rsh", Reg.R1, 8, 32)
    a.jump_if(Reg.R1, "==", _TERMINAL_REQUESTS, total)
    a.label(other)


def _add_up(a: MemberAssembler, sums: Map) -> None:
    known, done = a.fresh("known"), a.fresh("done")
    a.call(Helper.KTIME_NS)
    a.move(Reg.R9, Reg.R0)
    a.look_up(sums, _KEY)
    a.jump_if(Reg.R0, "!=", 0, known)
    a.store(Reg.R10, _SUM_PLACE, 1)
    a.store(Reg.R10, _SUM_PLACE + 8, Reg.R9)
    a.store(Reg.R10, _SUM_PLACE + 16, Reg.R9)
    a.update(sums, _KEY, _SUM_PLACE)
    a.jump(done)
    a.label(known)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R0, 0, Reg.R1)
    a.store(Reg.R0, 16, Reg.R9)
    a.label(done)


def _tell(a: MemberAssembler, call: Call, means: Means) -> None:
    a.reserve(a.members.ring, HEADER.size + REFUSED_CALL_BODY.size, "out")
    a.head(REFUSED_CALL)
    a.load(Reg.R1, Reg.R6, means.result)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, _KEY + 4, 4)
    a.store(Reg.R9, _NUMBER, Reg.R1)
    a.store(Reg.R9, _SIZE, 0)
    for place, register in enumerate(HERE.call_arguments):
        a.load(Reg.R1, Reg.R7, register)
        a.store(Reg.R9, _ARGUMENTS + 8 * place, Reg.R1)
    a.store(Reg.R9, _DATA, 0)
    if call.path >= 0:
        _read_string(a, _DATA, DATA_SIZE, call.path)
    elif call.shape is Shape.ADDRESS:
        _read_address(a)
    elif call.limits >= 0:
        _read_user(a, _DATA, _RLIMIT_SIZE, call.limits)
        failed = a.fresh("unread")
        a.jump_if(Reg.R0, "!=", 0, failed)
        a.store(Reg.R9, _SIZE, _RLIMIT_SIZE)
        a.label(failed)
    a.submit()


def _read_address(a: MemberAssembler) -> None:
    """As many bytes as the caller says that its address has."""
    fits, failed = a.fresh("fits"), a.fresh("unread")
    a.load(Reg.R8, Reg.R7, HERE.call_arguments[2])
    a.compute("and", Reg.R8, 0xFF)
    a.jump_if(Reg.R8, "<=", _LARGEST_ADDRESS, fits)
    a.move(Reg.R8, _LARGEST_ADDRESS)
    a.label(fits)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, _DATA)
    a.move(Reg.R2, Reg.R8)
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[1])
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, failed)
    a.store(Reg.R9, _SIZE, Reg.R8)
    a.label(failed)


def _count_write(a: MemberAssembler, written: Map, call: Call, means: Means) -> None:
    """Descriptors 1 and 2 only; the key (fd, pid) lies at -8 and -4 of the stack."""
    known, failed, end = a.fresh("known"), a.fresh("failed"), a.fresh("end")
    _user_registers(a, means)
    a.load(Reg.R1, Reg.R7, HERE.call_arguments[0])
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
    a.load(Reg.R8, Reg.R6, means.result)
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
    a.load(Reg.R3, Reg.R7, HERE.call_arguments[1])
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "!=", 0, end)
    a.add(Reg.R6, Reg.R8)
    a.store(Reg.R9, _USED, Reg.R6)
