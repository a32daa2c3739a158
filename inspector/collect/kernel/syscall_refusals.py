"""Kernel code on system calls that were refused: which of them are told, and which only summed up."""

import errno
import struct

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .frames import jump_if_inside
from .membership import HEADER, MemberAssembler
from .registers import HERE
from .syscall_context import KEY, TID, Means, SyscallMaps, keep_thread, read_string, read_user, user_registers_of
from .system_calls import Call, Shape
from .tree_programs import REFUSED_CALL

DATA_SIZE = 256
REFUSED_CALL_BODY = struct.Struct(f"<QQ6Q{DATA_SIZE}s")
"""Number of the call, bytes of an address, arguments, path or address or limits. The own number is the result."""
SUM_KEY = struct.Struct("<III")
"""pid, number of the call, errno."""
SUM = struct.Struct("<QQQ")
"""Count, first, last."""
_SUMS = 16384
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
_PID, _SUM_PLACE, _TAIL_PLACE, _PATH_PLACE = -4, -48, -64, -320
_ON_STACK = _TAIL_PLACE - _PATH_PLACE


def sums_map() -> Map:
    """(pid, call, errno) -> how often, first and last."""
    return Map(MapKind.HASH, SUM_KEY.size, SUM.size, _SUMS, NO_PREALLOC)


def report_refusal(a: MemberAssembler, maps: SyscallMaps, call: Call, means: Means) -> None:
    """Most calls succeed: they cost two instructions. The number of the call lies in the key of the sums."""
    a.load(Reg.R9, Reg.R6, means.result)
    a.jump_if(Reg.R9, "s>=", 0, "out")
    a.jump_if(Reg.R9, "s<", -_LARGEST_ERROR, "out")
    a.find_member("out", _PID)
    user_registers_of(a, means)
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
    a.store(Reg.R10, KEY, Reg.R1, 4)
    a.store(Reg.R10, KEY + 8, Reg.R8, 4)


def _look_where(a: MemberAssembler, maps: SyscallMaps, call: Call, total: str, tell: str) -> None:
    """Programs look for files in many places that are not there: which of it is told?

    Devices, libraries (`.so` among the last characters), and what is asked inside of a watched call; not the folders
    that the loader itself looks for.
    """
    missing, longer, loading = a.fresh("missing"), a.fresh("longer"), a.fresh("loading")
    a.jump_if(Reg.R8, "==", errno.ENOENT, missing)
    a.jump_if(Reg.R8, "!=", errno.ENOTDIR, tell)
    a.label(missing)
    keep_thread(a)
    jump_if_inside(a, maps.lookups, TID, loading)
    jump_if_inside(a, maps.calls, TID, tell)
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
    a.look_up(sums, KEY)
    a.jump_if(Reg.R0, "!=", 0, known)
    a.store(Reg.R10, _SUM_PLACE, 1)
    a.store(Reg.R10, _SUM_PLACE + 8, Reg.R9)
    a.store(Reg.R10, _SUM_PLACE + 16, Reg.R9)
    a.update(sums, KEY, _SUM_PLACE)
    a.jump(done)
    a.label(known)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R0, 0, Reg.R1)
    a.store(Reg.R0, 16, Reg.R9)
    a.label(done)


def _tell(a: MemberAssembler, call: Call, means: Means) -> None:
    a.reserve(a.members.deferred_ring, HEADER.size + REFUSED_CALL_BODY.size, "out")
    a.head(REFUSED_CALL)
    a.load(Reg.R1, Reg.R6, means.result)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R10, KEY + 4, 4)
    a.store(Reg.R9, _NUMBER, Reg.R1)
    a.store(Reg.R9, _SIZE, 0)
    for place, register in enumerate(HERE.call_arguments):
        a.load(Reg.R1, Reg.R7, register)
        a.store(Reg.R9, _ARGUMENTS + 8 * place, Reg.R1)
    a.store(Reg.R9, _DATA, 0)
    if call.path >= 0:
        read_string(a, _DATA, DATA_SIZE, call.path)
    elif call.shape is Shape.ADDRESS:
        _read_address(a)
    elif call.limits >= 0:
        read_user(a, _DATA, _RLIMIT_SIZE, call.limits)
        failed = a.fresh("unread")
        a.jump_if(Reg.R0, "!=", 0, failed)
        a.store(Reg.R9, _SIZE, _RLIMIT_SIZE)
        a.label(failed)
    a.submit_deferred()


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
