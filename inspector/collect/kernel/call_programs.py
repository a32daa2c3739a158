"""Kernel programs on watched functions: one that counts entries by caller, one that sums up results at the exits.

The attach cookie of a probe says which function it is and how the program has to treat it, so one program serves all
functions of a file. What they count in is in `call_maps`.
"""

import struct

from .assembler import Helper, Reg
from .bpf import Map
from .call_maps import (
    EXITS_ENOUGH,
    EXITS_ON,
    EXITS_PASSED,
    GENERATION_AT,
    GROUP_AT,
    GROUPS,
    MOST_READS,
    READ_ROOM,
    RESULTS_ENOUGH,
    RESULTS_READ,
    CallMaps,
    FileMaps,
)
from .frames import FRAME_ARGUMENTS, FRAME_ENTERED, FRAME_SLOT, Places, find_frame, push_frame, read_caller
from .membership import (
    CONTROL_LOST_OUTCOMES,
    CONTROL_RESTING,
    HEADER,
    STRANGERS_SLOT,
    MemberAssembler,
    Membership,
)
from .registers import HERE
from .stack_requests import ENTERED, ask_stack
from .stack_requests import RETURNED as REFUSED

_COUNT, _FIRST, _LAST, _TOLD = 0, 8, 16, 24
RETURNED = 16
BEGAN = 17
"""A record of its head alone: the first call since nobody looked at the counters any more."""
ENOUGH = 18
"""A record of its head alone, whose own number is a function: its exits were passed, or results read, often enough."""
RETURNED_BODY = struct.Struct("<QQQ6QQ")
"""Time of entry, return address, result, arguments, a bit for each read that succeeded; then the reads."""
_TOLD_BITS = 6
TOLD_CALLS = 1 << _TOLD_BITS
"""So many returns of each function in each process are told in full; all of them are counted."""
TIMED_CALLS = 64
"""So many calls of each function in each process tell their time: reading the clock costs 35 ns."""


def entry_program(members: Membership, maps: CallMaps, file: FileMaps) -> bytes:
    """Count an entry, by caller too where it can be known; note the open call while its exits are watched.

    Stack: -8 pid and tid, -12 pid, -16 slot, -20 function, -24 index of the counter, -28 index of the function,
    -40 not 0: a brief frame will do, -56 caller, -80 key and -104 value of the sum by caller.
    """
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.call(Helper.ATTACH_COOKIE)
    a.move(Reg.R7, Reg.R0)
    a.store(Reg.R10, -20, Reg.R7, 4)
    _find_slot(a)
    _check_generation(a, maps)
    a.label("count")
    _find_counter(a, file)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R9, _COUNT, Reg.R1)
    a.load(Reg.R1, Reg.R9, _COUNT)
    a.jump_if(Reg.R1, ">", TIMED_CALLS, "timed")
    a.call(Helper.KTIME_NS)
    a.store(Reg.R9, _LAST, Reg.R0)
    a.load(Reg.R1, Reg.R9, _FIRST)
    a.jump_if(Reg.R1, "!=", 0, "timed")
    a.store(Reg.R9, _FIRST, Reg.R0)
    a.label("timed")
    _report_first(a, maps)
    a.jump_if(Reg.R7, "s>=", 0, "out")
    a.load(Reg.R1, Reg.R10, -16, 4)
    a.jump_if(Reg.R1, "==", STRANGERS_SLOT, "out")
    a.load(Reg.R1, Reg.R9, _TOLD)
    a.compute("rsh", Reg.R1, _TOLD_BITS)
    a.store(Reg.R10, -40, Reg.R1)
    read_caller(a, -56)
    a.store(Reg.R10, -64, 0)
    _sum_up(a, maps.callers, key=-80, value=-104)
    _find_exit_state(a, file)
    a.load(Reg.R1, Reg.R0, 8 * EXITS_ON)
    a.jump_if(Reg.R1, "==", 0, "out")
    push_frame(a, maps.frames, Places(slot=-16, function=-20, caller=-56, brief=-40), full="out")
    _ask_at_first(a, maps, file)
    a.label("out")
    a.leave()
    _in_overlap(a, maps)
    return a.build()


def _ask_at_first(a: MemberAssembler, maps: CallMaps, file: FileMaps) -> None:
    """Who makes the first call of a function that decides, whose frame is in R9: it may never return."""
    a.load(Reg.R1, Reg.R9, FRAME_ENTERED)
    a.store(Reg.R10, -128, Reg.R1)
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.store(Reg.R10, -116, Reg.R1, 4)
    _find_counter(a, file)
    a.load(Reg.R1, Reg.R9, _COUNT)
    a.jump_if(Reg.R1, "!=", 1, "out")
    _find_exit_state(a, file)
    for enough in (EXITS_ENOUGH, RESULTS_ENOUGH):
        a.load(Reg.R1, Reg.R0, 8 * enough)
        a.jump_if(Reg.R1, "!=", 0, "out")
    ask_stack(a, maps.stacks, ENTERED, context=Reg.R6)


def _find_slot(a: MemberAssembler) -> None:
    """Processes that are no members share a slot: their calls cost as much, so the budget must see them."""
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0)
    a.compute("rsh", Reg.R0, 32)
    a.store(Reg.R10, -12, Reg.R0, 4)
    a.look_up(a.members.tree, -12)
    a.move(Reg.R1, STRANGERS_SLOT)
    a.jump_if(Reg.R0, "==", 0, "stranger")
    a.load(Reg.R1, Reg.R0, 0, 4)
    a.label("stranger")
    a.store(Reg.R10, -16, Reg.R1, 4)


def _check_generation(a: MemberAssembler, maps: CallMaps) -> None:
    """R4 = generation of this link, R3 = word of its group; equal in all but the moments of a change."""
    a.move(Reg.R1, Reg.R7)
    a.compute("rsh", Reg.R1, GROUP_AT)
    a.compute("and", Reg.R1, GROUPS - 1)
    a.compute("lsh", Reg.R1, 3)
    a.map_value(Reg.R2, maps.generations.fd)
    a.add(Reg.R2, Reg.R1)
    a.load(Reg.R3, Reg.R2, 0)
    a.move(Reg.R4, Reg.R7)
    a.compute("rsh", Reg.R4, GENERATION_AT)
    a.compute("and", Reg.R4, 0xFFFF)
    a.jump_if(Reg.R3, "!=", Reg.R4, "another generation")


def _find_counter(a: MemberAssembler, file: FileMaps) -> None:
    """R9 = counter of this function in this process."""
    a.load(Reg.R1, Reg.R10, -16, 4)
    a.compute("mul", Reg.R1, file.count)
    a.load(Reg.R2, Reg.R10, -20, 4)
    a.add(Reg.R1, Reg.R2)
    a.add(Reg.R1, -file.first)
    a.store(Reg.R10, -24, Reg.R1, 4)
    a.look_up(file.counters, -24)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R9, Reg.R0)


def _report_first(a: MemberAssembler, maps: CallMaps) -> None:
    """Wake the collector if it is suspended. The counter in R9 was moved on before: all of them are read then."""
    a.map_value(Reg.R1, a.members.control.fd, CONTROL_RESTING)
    a.load(Reg.R2, Reg.R1, 0)
    a.jump_if(Reg.R2, "==", 0, "awake")
    a.store(Reg.R1, 0, 0)
    a.move(Reg.R8, Reg.R9)
    a.reserve(maps.ring, HEADER.size, "reported")
    a.head(BEGAN)
    a.submit()
    a.label("reported")
    a.move(Reg.R9, Reg.R8)
    a.label("awake")


def _in_overlap(a: MemberAssembler, maps: CallMaps) -> None:
    """Exact counts while a link is replaced: both links are on, and each call passes both programs, the newer first.

    While the word says OVERLAP the newer one counts and leaves a mark under the thread's number; the older one counts
    only when there is no mark: then the newer one ran before the word changed. Outside of it one of them counts.
    (Consumers of a uprobe are called newest first: consumer_add in kernel/events/uprobes.c.)
    """
    a.label("another generation")
    a.jump_if(Reg.R3, "s>=", 0, "out")
    a.compute("and", Reg.R3, 0xFFFF)
    a.jump_if(Reg.R3, "==", Reg.R4, "older")
    a.add(Reg.R3, 1)
    a.compute("and", Reg.R3, 0xFFFF)
    a.jump_if(Reg.R3, "!=", Reg.R4, "out")
    a.store(Reg.R10, -32, 1)
    a.update(maps.marks, -8, -32)
    a.jump("count")
    a.label("older")
    a.map(Reg.R1, maps.marks.fd)
    a.stack_address(Reg.R2, -8)
    a.call(Helper.MAP_DELETE)
    a.jump_if(Reg.R0, "!=", 0, "count")
    a.jump("out")


def exit_program(members: Membership, maps: CallMaps, file: FileMaps) -> bytes:
    """At a `ret`: sum up the result by caller; tell the first ones in full; say when enough are known.

    Stack: -8 pid and tid, -16 slot, -20 function, -24 index of the counter, -28 index of the function, -56 caller,
    -64 result, -80 key and -104 value of the sum, -112 context; below that what asks for the stack of a refusal.
    """
    a = MemberAssembler(members)
    a.move(Reg.R6, Reg.R1)
    a.store(Reg.R10, -112, Reg.R6)
    a.call(Helper.ATTACH_COOKIE)
    a.store(Reg.R10, -20, Reg.R0, 4)
    _find_exit_state(a, file)
    _one_more(a, maps, EXITS_PASSED, EXITS_ENOUGH)
    a.call(Helper.PID_TGID)
    a.store(Reg.R10, -8, Reg.R0)
    read_caller(a, -56)
    find_frame(a, maps.frames, Places(slot=-16, function=-20, caller=-56), absent="out")
    a.move(Reg.R8, Reg.R9)
    _find_exit_state(a, file)
    _one_more(a, maps, RESULTS_READ, RESULTS_ENOUGH)
    a.load(Reg.R1, Reg.R8, FRAME_SLOT, 4)
    a.store(Reg.R10, -16, Reg.R1, 4)
    a.load(Reg.R1, Reg.R6, HERE.result, 4)
    a.store(Reg.R10, -64, Reg.R1)
    _sum_up(a, maps.outcomes, key=-80, value=-104)
    _find_counter(a, file)
    a.load(Reg.R1, Reg.R9, _TOLD)
    a.jump_if(Reg.R1, ">=", TOLD_CALLS, "out")
    a.add(Reg.R1, 1)
    a.store(Reg.R9, _TOLD, Reg.R1)
    _tell(a, maps, file)
    a.label("told")
    a.load(Reg.R1, Reg.R10, -64)
    a.jump_if(Reg.R1, "==", 0, "out")
    a.load(Reg.R1, Reg.R8, FRAME_ENTERED)
    a.store(Reg.R10, -128, Reg.R1)
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.store(Reg.R10, -116, Reg.R1, 4)
    a.load(Reg.R6, Reg.R10, -112)
    ask_stack(a, maps.stacks, REFUSED, context=Reg.R6)
    a.label("out")
    a.leave()
    return a.build()


def _find_exit_state(a: MemberAssembler, file: FileMaps) -> None:
    """R0 = what is known of the exits of the function whose number lies at -20; its index goes to -28."""
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.add(Reg.R1, -file.first)
    a.store(Reg.R10, -28, Reg.R1, 4)
    a.look_up(file.exits, -28)
    a.jump_if(Reg.R0, "==", 0, "out")


def _one_more(a: MemberAssembler, maps: CallMaps, counted: int, enough: int) -> None:
    """Count in the state in R0; tell when that makes as many as are enough. R9 is used."""
    not_yet = a.fresh("not yet")
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R0, 8 * counted, Reg.R1)
    a.load(Reg.R1, Reg.R0, 8 * counted)
    a.load(Reg.R2, Reg.R0, 8 * enough)
    a.jump_if(Reg.R1, "!=", Reg.R2, not_yet)
    a.reserve(maps.ring, HEADER.size, not_yet)
    a.head(ENOUGH)
    _own_number(a)
    a.submit()
    a.label(not_yet)


def _own_number(a: MemberAssembler) -> None:
    a.load(Reg.R1, Reg.R10, -20, 4)
    a.store(Reg.R9, 12, Reg.R1, 4)


def _sum_up(a: MemberAssembler, sums: Map, key: int, value: int) -> None:
    """One more of slot (at -16), function (-20), caller (-56) and result (-64): a C `int`, so 32 bits count.

    R7 is used.
    """
    new, counted = a.fresh("new"), a.fresh("counted")
    for number, (source, size) in enumerate(((-16, 4), (-20, 4), (-56, 8), (-64, 8))):
        a.load(Reg.R1, Reg.R10, source, size)
        a.store(Reg.R10, key + (0, 4, 8, 16)[number], Reg.R1, size)
    a.look_up(sums, key)
    a.jump_if(Reg.R0, "==", 0, new)
    a.move(Reg.R7, Reg.R0)
    a.move(Reg.R1, 1)
    a.atomic_add(Reg.R7, 0, Reg.R1)
    a.load(Reg.R1, Reg.R7, 0)
    a.jump_if(Reg.R1, ">", TIMED_CALLS, counted)
    a.call(Helper.KTIME_NS)
    a.store(Reg.R7, 16, Reg.R0)
    a.jump(counted)
    a.label(new)
    a.call(Helper.KTIME_NS)
    a.store(Reg.R10, value, 1)
    a.store(Reg.R10, value + 8, Reg.R0)
    a.store(Reg.R10, value + 16, Reg.R0)
    a.update(sums, key, value)
    a.jump_if(Reg.R0, "==", 0, counted)
    a.count(CONTROL_LOST_OUTCOMES)
    a.label(counted)


def _tell(a: MemberAssembler, maps: CallMaps, file: FileMaps) -> None:
    """Send the call in R8, with what its function's reads ask for."""
    small = HEADER.size + RETURNED_BODY.size
    a.look_up(file.reads, -28)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R6, Reg.R0)
    a.load(Reg.R1, Reg.R6, 2, 2)
    a.jump_if(Reg.R1, "!=", 0, "with memory")
    a.reserve(maps.ring, small, "out")
    _fill(a)
    a.submit()
    a.jump("told")
    a.label("with memory")
    a.reserve(maps.ring, small + MOST_READS * READ_ROOM, "out")
    _fill(a)
    for number in range(MOST_READS):
        _read(a, number, small + number * READ_ROOM)
    a.label("submit")
    a.submit()


def _fill(a: MemberAssembler) -> None:
    a.head(RETURNED)
    _own_number(a)
    a.load(Reg.R1, Reg.R8, FRAME_ENTERED)
    a.store(Reg.R9, HEADER.size, Reg.R1)
    a.load(Reg.R1, Reg.R10, -56)
    a.store(Reg.R9, HEADER.size + 8, Reg.R1)
    a.load(Reg.R1, Reg.R10, -64)
    a.store(Reg.R9, HEADER.size + 16, Reg.R1)
    for number in range(6):
        a.load(Reg.R1, Reg.R8, FRAME_ARGUMENTS + 8 * number)
        a.store(Reg.R9, HEADER.size + 24 + 8 * number, Reg.R1)
    a.store(Reg.R9, HEADER.size + 72, 0)


def _read(a: MemberAssembler, number: int, place: int) -> None:
    """One read as R6 asks for it: what the function has just used or written lies in memory, so no fault is needed."""
    text, done, whole, end = (a.fresh(name) for name in ("text", "done", "whole", "end"))
    spec = 8 * number
    a.load(Reg.R2, Reg.R6, spec + 2, 2)
    a.jump_if(Reg.R2, "==", 0, "submit")
    a.jump_if(Reg.R2, "<=", READ_ROOM, whole)
    a.move(Reg.R2, READ_ROOM)
    a.label(whole)
    a.load(Reg.R1, Reg.R6, spec, 1)
    a.compute("and", Reg.R1, 7)
    a.jump_if(Reg.R1, ">", 5, "submit")
    a.compute("lsh", Reg.R1, 3)
    a.move(Reg.R3, Reg.R8)
    a.add(Reg.R3, Reg.R1)
    a.load(Reg.R3, Reg.R3, FRAME_ARGUMENTS)
    a.load(Reg.R1, Reg.R6, spec + 4, 4)
    a.add(Reg.R3, Reg.R1)
    a.load(Reg.R4, Reg.R6, spec + 1, 1)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, place)
    a.jump_if(Reg.R4, "!=", 0, text)
    a.call(Helper.PROBE_READ_USER)
    a.jump_if(Reg.R0, "==", 0, done)
    a.jump(end)
    a.label(text)
    a.call(Helper.PROBE_READ_USER_STR)
    a.jump_if(Reg.R0, "s<", 0, end)
    a.label(done)
    a.load(Reg.R1, Reg.R9, HEADER.size + 72)
    a.compute("or", Reg.R1, 1 << number)
    a.store(Reg.R9, HEADER.size + 72, Reg.R1)
    a.label(end)
