"""Kernel programs on look-ups by name: dlopen, dlsym, cuGetProcAddress and their kin, and on the loader's errors.

Names are read at the `ret` of a look-up: it has just read them itself, so they are in memory even if their page was
cold before; and a caller's temporary buffer is still its own. dlopen is told at its entry as well, because a
constructor may never come back from it.
"""

import struct
from collections.abc import Iterable

import msgspec

from .assembler import Helper, Reg
from .bpf import Map, MapKind
from .frames import (
    ARGUMENT_REGISTERS,
    FRAME_ARGUMENTS,
    FRAME_CALLER,
    FRAME_ENTERED,
    Places,
    find_frame,
    push_frame,
    read_caller,
)
from .membership import CONTROL_LOST_LOOKUPS, HEADER, MemberAssembler, Membership
from .registers import HERE
from .ring import RingBuffer
from .stack_requests import DECIDING_LOOKED_UP, LOADED, LOOKED_UP, StackMaps, ask_stack, within_budget

ASKED, LOOKED, REFUSED = 32, 33, 34
NAME_SIZE, VERSION_SIZE, TEXT_SIZE = 256, 64, 512
ASKED_BODY = struct.Struct(f"<Q6Q{NAME_SIZE}s")
"""Return address, arguments, name. The record's own number is the cookie."""
IDENTITY_SIZE = 16
"""Of an id in the place of a name; behind it stands the beginning of what it was answered with."""
_PIECE = 48
LOOKED_BODY = struct.Struct(f"<QQQQQQ6Q{NAME_SIZE}s{VERSION_SIZE}s")
"""Entered, return address, result, answer, second status, load bias, arguments, name, version."""
REFUSED_BODY = struct.Struct(f"<q{NAME_SIZE}s{TEXT_SIZE}s{VERSION_SIZE}s")
"""errno, object, text, occasion."""
_RING_BYTES = 8 << 20
"""Some 6,000 names that are looked up in vain, each with the loader's words: the one that decides comes last."""
_NONE = 7
_NAME_PLACE = HEADER.size + LOOKED_BODY.size - VERSION_SIZE - NAME_SIZE
_NAME_WORDS = 4
"""Of 8 bytes, by which a name is told from others to keep to a budget."""
_FACTOR = 0x01000193
_ALL_BITS = (1 << 64) - 1
_MOST_DECIDING = 1024


class Kind(msgspec.Struct, frozen=True):
    """How one look-up function takes its arguments; indices from 0, 7 for what it lacks."""

    name: int
    """A string; of cuGetExportTable an id of 16 bytes."""
    identity: bool = False
    version: int = _NONE
    out: int = _NONE
    """Pointer to the answer; without it the result is the answer."""
    status: int = _NONE
    """Pointer to a second status (CUdriverProcAddressQueryResult)."""
    opens: bool = False
    """It opens a library: tell its entry as well, and where the library lies."""
    handle: int = _NONE
    flags: int = _NONE


KINDS = {
    "dlopen": Kind(name=0, opens=True, flags=1),
    "dlmopen": Kind(name=1, opens=True, handle=0, flags=2),
    "dlsym": Kind(name=1, handle=0),
    "dlvsym": Kind(name=1, handle=0, version=2),
    "cuGetProcAddress": Kind(name=0, out=1, flags=3),
    "cuGetProcAddress_v2": Kind(name=0, out=1, flags=3, status=4),
    "cuGetExportTable": Kind(name=1, identity=True, out=0),
    "dlclose": Kind(name=_NONE, handle=0),
}
_NUMBERS = {name: number for number, name in enumerate(KINDS)}
_SPEC = struct.Struct("<BBBBBBBB")
_SPEC_NAME, _SPEC_IDENTITY, _SPEC_VERSION, _SPEC_OUT, _SPEC_STATUS, _SPEC_OPENS = range(6)
_KIND_BITS = 8


class LookupMaps:
    """Maps of all watched look-up functions."""

    def __init__(self, frames: Map, stacks: StackMaps) -> None:
        self.frames, self.stacks = frames, stacks
        self.ring = RingBuffer(_RING_BYTES, CONTROL_LOST_LOOKUPS)
        self.kinds = Map(MapKind.ARRAY, 4, _SPEC.size, 1 << _KIND_BITS)
        self.deciding = Map(MapKind.HASH, 4, 1, _MOST_DECIDING)
        """Numbers of the names without which programs give up: their stacks are not in the budget of all others."""
        for name, kind in KINDS.items():
            spec = (kind.name, kind.identity, kind.version, kind.out, kind.status, kind.opens, 0, 0)
            self.kinds.put(struct.pack("<I", _NUMBERS[name]), _SPEC.pack(*spec))

    def decide(self, names: Iterable[str]) -> None:
        """The names of functions by which programs go."""
        for name in list(dict.fromkeys(names))[:_MOST_DECIDING]:
            self.deciding.put(struct.pack("=I", name_number(name.encode())), b"\1")

    def close(self) -> None:
        """Close the maps."""
        for each in (self.ring, self.kinds, self.deciding):
            each.close()


def name_number(name: bytes) -> int:
    """By which a name is told from others in budgets, as `_keep_name` computes it: names may get the same."""
    number, size = 0, 8 * _NAME_WORDS
    for word in struct.unpack(f"={_NAME_WORDS}Q", name[:size].ljust(size, b"\0")):
        number = (number ^ word) * _FACTOR & _ALL_BITS
    return (number ^ number >> 32) & 0xFFFFFFFF


def cookie(kind: str, number: int) -> int:
    """The attach cookie of a look-up function: its kind and a number of its own."""
    return _NUMBERS[kind] | number << _KIND_BITS


def number_of(cookie: int) -> int:
    """The number inside an attach cookie."""
    return cookie >> _KIND_BITS


def entry_program(members: Membership, maps: LookupMaps) -> bytes:
    """Note the open call; tell that dlopen was asked.

    Stack: -8 pid and tid, -16 slot, -20 cookie, -24 kind, -40 caller."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("out", -12)
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0)
    a.store(Reg.R10, -16, 0, 4)
    a.move(Reg.R1, Reg.R6)
    a.call(Helper.ATTACH_COOKIE)
    a.store(Reg.R10, -20, Reg.R0, 4)
    read_caller(a, -40)
    push_frame(a, maps.frames, Places(slot=-16, function=-20, caller=-40), full="out")
    _find_kind(a, maps)
    a.load(Reg.R1, Reg.R7, _SPEC_OPENS, 1)
    a.jump_if(Reg.R1, "==", 0, "out")
    a.move(Reg.R8, Reg.R9)
    a.reserve(maps.ring, HEADER.size + ASKED_BODY.size, "out")
    a.head(ASKED)
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R8, FRAME_CALLER)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    _copy_arguments(a, HEADER.size + 8)
    _read_string(a, _SPEC_NAME, HEADER.size + 56, NAME_SIZE)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def exit_program(members: Membership, maps: LookupMaps) -> bytes:
    """Tell the look-up with its answer, at its `ret`.

    Stack: -8 pid and tid, -16 slot, -20 cookie, -24 kind, -32 result, -40 return address, -64 key of the budget; below
    that what asks for the stack of a refusal.
    """
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0)
    a.move(Reg.R1, Reg.R6)
    a.call(Helper.ATTACH_COOKIE)
    a.store(Reg.R10, -20, Reg.R0, 4)
    a.load(Reg.R1, Reg.R6, HERE.result)
    a.store(Reg.R10, -32, Reg.R1)
    read_caller(a, -40)
    find_frame(a, maps.frames, Places(slot=-16, function=-20, caller=-40), absent="out")
    a.move(Reg.R8, Reg.R9)
    _find_kind(a, maps)
    a.reserve(maps.ring, HEADER.size + LOOKED_BODY.size, "out")
    _fill_looked(a)
    _copy_arguments(a, HEADER.size + 48)
    _read_words(a)
    _read_base(a)
    _read_name(a)
    _read_string(a, _SPEC_VERSION, _NAME_PLACE + NAME_SIZE, VERSION_SIZE)
    _keep_name(a)
    a.submit()
    _ask_if_refused(a, maps)
    a.label("out")
    a.leave()
    return a.build()


def _ask_if_refused(a: MemberAssembler, maps: LookupMaps) -> None:
    """Who wanted to load what could not be loaded, or asked for a name that is not there: one answers NULL, another a
    status that is not 0."""
    a.load(Reg.R1, Reg.R8, FRAME_ENTERED)
    a.store(Reg.R10, -128, Reg.R1)
    a.load(Reg.R1, Reg.R7, _SPEC_NAME, 1)
    a.jump_if(Reg.R1, "==", _NONE, "out")
    a.load(Reg.R2, Reg.R10, -32)
    a.load(Reg.R1, Reg.R7, _SPEC_OUT, 1)
    a.jump_if(Reg.R1, "!=", _NONE, "by status")
    a.jump_if(Reg.R2, "!=", 0, "out")
    a.jump("refused")
    a.label("by status")
    a.jump_if(Reg.R2, "==", 0, "out", 32)
    a.label("refused")
    a.load(Reg.R1, Reg.R7, _SPEC_OPENS, 1)
    a.jump_if(Reg.R1, "==", 0, "name")
    a.store(Reg.R10, -116, 0, 4)
    ask_stack(a, maps.stacks, LOADED, context=Reg.R6)
    a.jump("out")
    a.label("name")
    a.look_up(maps.deciding, -116)
    a.jump_if(Reg.R0, "==", 0, "any name")
    ask_stack(a, maps.stacks, DECIDING_LOOKED_UP, context=Reg.R6)
    a.jump("out")
    a.label("any name")
    within_budget(a, maps.stacks, -64, spent="out")
    ask_stack(a, maps.stacks, LOOKED_UP, context=Reg.R6)


def _keep_name(a: MemberAssembler) -> None:
    """`name_number` of the name in the record at R9 to -116."""
    a.move(Reg.R2, 0)
    for word in range(_NAME_WORDS):
        a.load(Reg.R1, Reg.R9, _NAME_PLACE + 8 * word)
        a.compute("xor", Reg.R2, Reg.R1)
        a.compute("mul", Reg.R2, _FACTOR)
    a.move(Reg.R1, Reg.R2)
    a.compute("rsh", Reg.R1, 32)
    a.compute("xor", Reg.R2, Reg.R1)
    a.store(Reg.R10, -116, Reg.R2, 4)


def _fill_looked(a: MemberAssembler) -> None:
    """Head of the record in R9 from the frame in R8 and the stack of `exit_program`."""
    a.head(LOOKED)
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)
    a.load(Reg.R1, Reg.R8, FRAME_ENTERED)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.load(Reg.R1, Reg.R8, FRAME_CALLER)
    a.store(Reg.R9, HEADER.size + 8, Reg.R1)
    a.load(Reg.R1, Reg.R10, -32)
    a.store(Reg.R9, HEADER.size + 16, Reg.R1)
    a.store(Reg.R9, HEADER.size + 24, Reg.R1)
    a.store(Reg.R9, HEADER.size + 32, 0)
    a.store(Reg.R9, HEADER.size + 40, 0)


def refusal_program(members: Membership, maps: LookupMaps, *, exception: bool) -> bytes:
    """Tell the loader's own words: _dl_signal_exception (errno, exception, occasion) or _dl_signal_error
    (errno, object, occasion, text); glibc elf/dl-error-skeleton.c, struct dl_exception of include/dlfcn.h."""
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.find_member("out")
    a.reserve(maps.ring, HEADER.size + REFUSED_BODY.size, "out")
    a.head(REFUSED)
    errno, first, occasion, fourth = ARGUMENT_REGISTERS[:4]
    a.load(Reg.R1, Reg.R6, errno, 4)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.load(Reg.R7, Reg.R6, first)
    a.load(Reg.R8, Reg.R6, fourth)
    if exception:
        a.store(Reg.R10, -16, 0)
        a.store(Reg.R10, -24, 0)
        _copy(a, Helper.PROBE_READ_USER, Reg.R10, -16, 8, Reg.R7)
        a.add(Reg.R7, 8)
        _copy(a, Helper.PROBE_READ_USER, Reg.R10, -24, 8, Reg.R7)
        a.load(Reg.R7, Reg.R10, -16)
        a.load(Reg.R8, Reg.R10, -24)
    places = (HEADER.size + 8, HEADER.size + 8 + NAME_SIZE, HEADER.size + 8 + NAME_SIZE + TEXT_SIZE)
    for place in places:
        a.store(Reg.R9, place, 0, 1)
    _copy(a, Helper.PROBE_READ_USER_STR, Reg.R9, places[0], NAME_SIZE, Reg.R7)
    _copy(a, Helper.PROBE_READ_USER_STR, Reg.R9, places[1], TEXT_SIZE, Reg.R8)
    a.load(Reg.R7, Reg.R6, occasion)
    _copy(a, Helper.PROBE_READ_USER_STR, Reg.R9, places[2], VERSION_SIZE, Reg.R7)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _find_kind(a: MemberAssembler, maps: LookupMaps) -> None:
    """R7 = the spec of the function whose cookie lies at -20."""
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.compute("and", Reg.R1, (1 << _KIND_BITS) - 1)
    a.store(Reg.R10, -24, Reg.R1, 4)
    a.look_up(maps.kinds, -24)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R7, Reg.R0)


def _copy_arguments(a: MemberAssembler, place: int) -> None:
    for number in range(6):
        a.load(Reg.R1, Reg.R8, FRAME_ARGUMENTS + 8 * number)
        a.store(Reg.R9, place + 8 * number, Reg.R1)


def _argument(a: MemberAssembler, spec: int, absent: str) -> None:
    """R3 = the argument that byte `spec` of the kind in R7 names, from the frame in R8."""
    a.load(Reg.R1, Reg.R7, spec, 1)
    a.compute("and", Reg.R1, _NONE)
    a.jump_if(Reg.R1, ">", 5, absent)
    a.compute("lsh", Reg.R1, 3)
    a.move(Reg.R3, Reg.R8)
    a.add(Reg.R3, Reg.R1)
    a.load(Reg.R3, Reg.R3, FRAME_ARGUMENTS)


def _read_words(a: MemberAssembler) -> None:
    """The answer and the second status, where they lie behind pointers."""
    for spec, place, size in ((_SPEC_OUT, HEADER.size + 24, 8), (_SPEC_STATUS, HEADER.size + 32, 4)):
        absent = a.fresh("no pointer")
        _argument(a, spec, absent)
        a.store(Reg.R9, place, 0)
        a.jump_if(Reg.R3, "==", 0, absent)
        _copy(a, Helper.PROBE_READ_USER, Reg.R9, place, size, Reg.R3)
        a.label(absent)


def _read_base(a: MemberAssembler) -> None:
    """A handle points to a struct link_map, whose first word is the load bias (link.h; the same in musl)."""
    closed = a.fresh("no library")
    a.load(Reg.R1, Reg.R7, _SPEC_OPENS, 1)
    a.jump_if(Reg.R1, "==", 0, closed)
    a.load(Reg.R3, Reg.R9, HEADER.size + 16)
    a.jump_if(Reg.R3, "==", 0, closed)
    _copy(a, Helper.PROBE_READ_USER, Reg.R9, HEADER.size + 40, 8, Reg.R3)
    a.label(closed)


def _read_name(a: MemberAssembler) -> None:
    done, identity = a.fresh("named"), a.fresh("identity")
    for word in range(_NAME_WORDS):
        a.store(Reg.R9, _NAME_PLACE + 8 * word, 0)
    a.load(Reg.R1, Reg.R7, _SPEC_IDENTITY, 1)
    a.jump_if(Reg.R1, "!=", 0, identity)
    _read_string(a, _SPEC_NAME, _NAME_PLACE, NAME_SIZE)
    a.jump(done)
    a.label(identity)
    _argument(a, _SPEC_NAME, done)
    _copy(a, Helper.PROBE_READ_USER, Reg.R9, _NAME_PLACE, IDENTITY_SIZE, Reg.R3)
    for place in range(0, NAME_SIZE - IDENTITY_SIZE, _PIECE):  # in pieces: memory may end behind a small table
        a.load(Reg.R3, Reg.R9, HEADER.size + 24)
        a.add(Reg.R3, place)
        _copy(a, Helper.PROBE_READ_USER, Reg.R9, _NAME_PLACE + IDENTITY_SIZE + place, _PIECE, Reg.R3)
    a.label(done)


def _read_string(a: MemberAssembler, spec: int, place: int, size: int) -> None:
    absent = a.fresh("no string")
    a.store(Reg.R9, place, 0, 1)
    _argument(a, spec, absent)
    _copy(a, Helper.PROBE_READ_USER_STR, Reg.R9, place, size, Reg.R3)
    a.label(absent)


def _copy(a: MemberAssembler, helper: Helper, to: Reg, place: int, size: int, source: Reg) -> None:
    a.move(Reg.R3, source)
    a.move(Reg.R1, to)
    a.add(Reg.R1, place)
    a.move(Reg.R2, size)
    a.call(helper)
