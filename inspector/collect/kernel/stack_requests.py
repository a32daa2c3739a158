"""Who wants a call stack leaves a request, within a budget for each process; `stack_programs` copies it.

Whoever wants a stack leaves a request under its thread and goes on in the copying program by a tail call; where that
program could not be loaded the call does nothing. Of thousands of refusals only the first ones ask.
"""

import struct

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .interpreter_fields import PYTHON
from .membership import CONTROL_LOST_STACKS, MemberAssembler
from .ring import RingBuffer

ENTERED, RETURNED, LOADED, SIGNALLED, LOOKED_UP, DECIDING_LOOKED_UP = range(6)
"""Occasions: a deciding function is called first, one refuses, a library could not be loaded, a signal is deadly, a
name was looked up in vain, one of a deciding function was."""
_WANTED = struct.Struct("<QIi")
"""Moment, occasion, function."""
_KEY = struct.Struct("<IIiI")
"""pid, occasion, function, whether it is the sum of all functions."""
_OF_FUNCTION, _OF_OTHERS, _OF_LOOKUPS, _IN_ALL = 2, 16, 16, 64
"""So many stacks of one function, or name looked up, and occasion are copied in a process, of loads and signals, of
look-ups of names that decide nothing, and so many in all."""
_ALL = 0xFFFFFFFF
_RING_BYTES = 2 << 20
_LRU_HASH, _PROGRAM_ARRAY = MapKind.LRU_HASH, MapKind.PROGRAM_ARRAY


class StackMaps:
    """What asks for stacks, and what copies them."""

    def __init__(self) -> None:
        self.probes = Map(_PROGRAM_ARRAY, 4, 4, 1)
        self.tracepoints = Map(_PROGRAM_ARRAY, 4, 4, 1)
        self.wanted = Map(MapKind.HASH, 8, _WANTED.size, 4096, NO_PREALLOC)
        self.taken = Map(_LRU_HASH, _KEY.size, 8, 4096)
        self.pythons = Map(MapKind.HASH, 4, PYTHON.size, 4096, NO_PREALLOC)
        self.ring = RingBuffer(_RING_BYTES, CONTROL_LOST_STACKS)

    def close(self) -> None:
        """Close the maps."""
        for each in (self.probes, self.tracepoints, self.wanted, self.taken, self.pythons, self.ring):
            each.close()


def ask_stack(a: MemberAssembler, maps: StackMaps, occasion: int, *, context: Reg, tracepoint: bool = False) -> None:
    """Have the stack copied and leave; goes on behind it where nobody copies stacks.

    Stack: -128 the moment and -116 the function, which the caller wrote; down to -136.
    """
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -136, Reg.R0)
    a.store(Reg.R10, -120, occasion, 4)
    a.update(maps.wanted, -136, -128)
    a.move(Reg.R1, context)
    a.map(Reg.R2, (maps.tracepoints if tracepoint else maps.probes).fd)
    a.move(Reg.R3, 0)
    a.call(Helper.TAIL_CALL)


def within_budget(a: MemberAssembler, maps: StackMaps, key: int, spent: str) -> None:
    """To `spent` when this process has its stacks of look-ups, or of the name at -116: so no request is left then.

    Stack: pid and tid at -8, the 16 bytes from `key` on.
    """
    a.load(Reg.R1, Reg.R10, -4, 4)
    a.store(Reg.R10, key, Reg.R1, 4)
    a.store(Reg.R10, key + 4, LOOKED_UP, 4)
    for of_all, most in ((True, _OF_LOOKUPS), (False, _OF_FUNCTION)):
        unknown = a.fresh("none yet")
        _name_function(a, key, of_all=of_all, function=-116)
        a.look_up(maps.taken, key)
        a.jump_if(Reg.R0, "==", 0, unknown)
        a.load(Reg.R1, Reg.R0, 0)
        a.jump_if(Reg.R1, ">=", most, spent)
        a.label(unknown)


def _name_function(a: MemberAssembler, key: int, *, of_all: bool, function: int) -> None:
    a.move(Reg.R1, 0)
    if not of_all:
        a.load(Reg.R1, Reg.R10, function, 4)
    a.store(Reg.R10, key + 8, Reg.R1, 4)
    a.store(Reg.R10, key + 12, int(of_all), 4)


def take_request(a: MemberAssembler, maps: StackMaps) -> None:
    """The request of the current thread to -104, its pid to -80; to `out` when there is none.

    Stack: -8 pid and tid, -104 the moment, -96 the occasion, -92 the function.
    """
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0)
    a.compute("rsh", Reg.R0, 32)
    a.store(Reg.R10, -80, Reg.R0, 4)
    a.look_up(maps.wanted, -8)
    a.jump_if(Reg.R0, "==", 0, "out")
    for place in (0, 8):
        a.load(Reg.R1, Reg.R0, place)
        a.store(Reg.R10, -104 + place, Reg.R1)
    a.map(Reg.R1, maps.wanted.fd)
    a.stack_address(Reg.R2, -8)
    a.call(Helper.MAP_DELETE)


def keep_to_budget(a: MemberAssembler, maps: StackMaps) -> None:
    """One more of the function, of all look-ups, of all; to `out` where there were as many as there may be.

    Stack: as `take_request` left it; -64 key, -112 one.
    """
    a.load(Reg.R1, Reg.R10, -80, 4)
    a.store(Reg.R10, -64, Reg.R1, 4)
    a.store(Reg.R10, -112, 1)
    a.load(Reg.R1, Reg.R10, -96, 4)
    a.store(Reg.R10, -60, Reg.R1, 4)
    a.move(Reg.R7, _OF_OTHERS)
    for occasion in (LOADED, SIGNALLED):
        a.jump_if(Reg.R1, "==", occasion, "others")
    a.move(Reg.R7, _OF_FUNCTION)
    a.label("others")
    _name_function(a, -64, of_all=False, function=-92)
    _take_one(a, maps)
    a.load(Reg.R1, Reg.R10, -96, 4)
    a.jump_if(Reg.R1, "!=", LOOKED_UP, "no look-up")
    a.move(Reg.R7, _OF_LOOKUPS)
    _name_function(a, -64, of_all=True, function=-92)
    _take_one(a, maps)
    a.label("no look-up")
    a.move(Reg.R7, _IN_ALL)
    a.move(Reg.R1, _ALL)
    a.store(Reg.R10, -60, Reg.R1, 4)
    _name_function(a, -64, of_all=True, function=-92)
    _take_one(a, maps)


def _take_one(a: MemberAssembler, maps: StackMaps) -> None:
    """Count one under the key at -64, of R7 at most."""
    new, counted = a.fresh("new"), a.fresh("counted")
    a.look_up(maps.taken, -64)
    a.jump_if(Reg.R0, "==", 0, new)
    a.load(Reg.R1, Reg.R0, 0)
    a.jump_if(Reg.R1, ">=", Reg.R7, "out")
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R0, 0, Reg.R1)
    a.jump(counted)
    a.label(new)
    a.update(maps.taken, -64, -112)
    a.label(counted)
