"""Which processes are observed, in maps that kernel programs read and extend by themselves at each fork.

`tree`: tgid -> (slot, flags). A slot is a small number under which counters of that process are kept; free slots wait
in a queue from which the kernel takes one at each birth. Slot 0 is for processes that came when the queue was empty.
"""

import contextlib
import struct
from collections.abc import Collection, Iterator

from . import bpf
from .assembler import Assembler, Helper, Reg
from .bpf import MMAPABLE, Map, MapKind, ProgramKind
from .btf import kernel_offsets
from .registers import HERE
from .ring import RingBuffer
from .shared_words import SharedWords

SLOTS = 256
SHARED_SLOT = 0
STRANGERS_SLOT = 1
"""Where calls of processes that are no members are counted."""
ONLY_CHILDREN = 1
"""Flag of a process that is not observed itself: its children are, from their birth."""
ONE_EXEC = 0x100
"""Added to the flags at each exec that is told of a member."""
_PROCESSES = 16384
_MEMBER = struct.Struct("<II")
_PID = struct.Struct("<I")
RING_BYTES = 8 << 20
DEFERRED_RING_BYTES = 8 << 20
_DEFERRED = 1 << 20
"""Bytes of records that wait before they wake whoever reads them."""
_AVAILABLE_DATA = 0
_NO_WAKEUP, _FORCE_WAKEUP = 1, 2
"""BPF_RB_AVAIL_DATA, BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP of linux/bpf.h."""

BLANK_SIZE = 2048
"""Zeros that programs insert as new values which are larger than their stack."""

# Words of the control map.
CONTROL_WAIT = 0
"""1: processes that execute a program of a name that is waited for become members at once; 2: all that execute one."""
CONTROL_LOST = 8
"""Records of births, execs, ends and signals that found their ring full, or ends that could not be noted."""
CONTROL_CROWDED = 16
"""Processes that found no slot, or no room in the tree."""
CONTROL_LOST_OUTCOMES = 24
"""Returns that were not summed up because there were too many different results."""
CONTROL_RESTING = 32
"""Not 0: nobody looks at the counters of calls, so the next counted call is reported."""
CONTROL_FUNCTIONS_TELL = 40
"""Not 0: programs on the kernel's own functions tell of system calls, and the one on all of them is silent."""
CONTROL_OPENS_WAKE = 48
"""Not 0: an opened file is told at once, because nothing else meets a library before its first call."""
CONTROL_LOST_OPENS, CONTROL_LOST_CALLS, CONTROL_LOST_LOOKUPS, CONTROL_LOST_STACKS = 56, 64, 72, 80
"""Records of other rings that found theirs full: opened files and refused calls, single calls, look-ups, stacks."""
_CONTROL_SIZE = 88

NAME = struct.Struct("<16s")
"""Name of a process (TASK_COMM_LEN): of the file that it executed, as it was called."""
_MOST_NAMES = 64
HEADER = struct.Struct("<IIIiQ")
"""Head of every record: kind, pid, tid, a number of its own, time."""


_KERNEL_STACK = 16384
"""THREAD_SIZE of x86-64, and of arm64 with pages of 4 KiB."""
_REGISTERS_COPY = -480
"""Where on their stack programs keep a copy of the user registers; what else they keep ends above it."""


def _stack_field() -> int | None:
    asks = Assembler()
    asks.call(Helper.CURRENT_TASK_BTF)
    asks.move(Reg.R1, Reg.R0)
    asks.call(Helper.TASK_PT_REGS)
    asks.leave()
    if bpf.is_accepted(ProgramKind.RAW_TRACEPOINT, asks.build()):
        return None
    return kernel_offsets(["task_struct.stack"])["task_struct.stack"]


class Membership:
    """The maps, from user space."""

    def __init__(self) -> None:
        self.tree = Map(MapKind.HASH, 4, 8, _PROCESSES)
        self.slots = Map(MapKind.QUEUE, 0, 4, SLOTS)
        self.waited = Map(MapKind.HASH, NAME.size, 4, _MOST_NAMES)
        self.control = Map(MapKind.ARRAY, 4, _CONTROL_SIZE, 1, MMAPABLE)
        self.blank = Map(MapKind.ARRAY, 4, BLANK_SIZE, 1)
        self.ring = RingBuffer(RING_BYTES, CONTROL_LOST)
        self.deferred_ring = RingBuffer(DEFERRED_RING_BYTES, CONTROL_LOST_OPENS)
        """Of what comes in crowds and may be read a moment later: opened files, refused calls."""
        self._words = SharedWords(self.control.memory())
        self._without_slot = 0
        """Processes that `add` found no slot for."""
        self.tell_opens_at_once(True)
        self.stack_field = _stack_field()
        """Where a thread's kernel stack is found in its task_struct; None where a helper tells its registers."""
        for slot in range(STRANGERS_SLOT + 1, SLOTS):
            self.release(slot)

    def add(self, pid: int, flags: int = 0) -> int:
        """Put a living process in and tell its slot; it keeps the one it has. When none is free that is counted."""
        known = self.tree.get(_PID.pack(pid))
        if known is not None:
            slot, _ = _MEMBER.unpack(known)
        else:
            taken = None if flags & ONLY_CHILDREN else self.slots.pop()
            slot = _PID.unpack(taken)[0] if taken is not None else SHARED_SLOT
            self._without_slot += taken is None and not flags & ONLY_CHILDREN
        self.tree.put(_PID.pack(pid), _MEMBER.pack(slot, flags))
        return int(slot)

    def executions(self, pid: int) -> int:
        """How often a member has executed a program since it became one, told or still to be told."""
        known = self.tree.get(_PID.pack(pid))
        return int(_MEMBER.unpack(known)[1]) // ONE_EXEC if known is not None else 0

    def remove(self, pid: int, slot: int | None = None) -> int | None:
        """Take a process out and tell the slot that it had; None when it was not in, or not with this `slot`: another
        process has its number by now."""
        had = self.slot_of(pid)
        if had is None or (slot is not None and had != slot) or not self.tree.delete(_PID.pack(pid)):
            return None
        return had

    def slot_of(self, pid: int) -> int | None:
        """The slot of a member; None when it is none."""
        known = self.tree.get(_PID.pack(pid))
        return int(_MEMBER.unpack(known)[0]) if known is not None else None

    @property
    def crowded(self) -> int:
        """How many processes found no slot, and so have no counters of their own."""
        return self.control_word(CONTROL_CROWDED) + self._without_slot

    def release(self, slot: int) -> None:
        """Give a slot back for the next birth; its counters must be clean."""
        if slot != SHARED_SLOT:
            self.slots.put(b"", _PID.pack(slot))

    @contextlib.contextmanager
    def only_children_of(self, pid: int) -> Iterator[None]:
        """Observe what this process starts meanwhile, but not itself."""
        self.add(pid, ONLY_CHILDREN)
        try:
            yield
        finally:
            self.remove(pid)

    def wait_for(self, names: Collection[bytes] | None) -> None:
        """Whether processes that execute a program become members: of these names (15 bytes count), or all for none.

        None: they do not.
        """
        for name in list(names or ())[:_MOST_NAMES]:
            self.waited.put(NAME.pack(name[:15]), bytes(4))
        self._words[CONTROL_WAIT // 8] = 0 if names is None else 1 if names else 2

    def report_next_call(self) -> None:
        """Have the next counted call, in whatever process, reported by a record."""
        self._words[CONTROL_RESTING // 8] = 1

    def let_functions_tell(self) -> None:
        """From now on programs on the kernel's functions tell of system calls, not the one on all system calls."""
        self._words[CONTROL_FUNCTIONS_TELL // 8] = 1

    def tell_opens_at_once(self, at_once: bool) -> None:
        """Whether an opened file wakes whoever reads the records; at first it does."""
        self._words[CONTROL_OPENS_WAKE // 8] = int(at_once)

    def control_word(self, offset: int) -> int:
        """A counter of the control map."""
        return self._words[offset // 8]

    def close(self) -> None:
        """Close the maps."""
        self._words.close()
        for each in (self.tree, self.slots, self.waited, self.control, self.blank, self.ring, self.deferred_ring):
            each.close()


class MemberAssembler(Assembler):
    """An assembler that knows the membership maps. Convention: R6 context, R8 member, R9 record."""

    def __init__(self, members: Membership) -> None:
        super().__init__()
        self.members = members

    def find_member(self, absent: str, key: int = -4) -> None:
        """R8 = member of the current process, whose tgid goes to the stack at `key`; to `absent` if it is none."""
        self.call(Helper.PID_TGID)
        self.compute("rsh", Reg.R0, 32)
        self.store(Reg.R10, key, Reg.R0, 4)
        self.look_up(self.members.tree, key)
        self.jump_if(Reg.R0, "==", 0, absent)
        self.move(Reg.R8, Reg.R0)

    def look_up(self, table: Map, key: int) -> None:
        """R0 = address of the value whose key lies on the stack, or 0."""
        self.map(Reg.R1, table.fd)
        self.stack_address(Reg.R2, key)
        self.call(Helper.MAP_LOOKUP)

    def own_name(self, place: int) -> None:
        """The name of the current process, on the stack, with zeros behind it: Linux 5.18 to 6.3 write none."""
        for offset in range(0, NAME.size, 8):
            self.store(Reg.R10, place + offset, 0)
        self.stack_address(Reg.R1, place)
        self.move(Reg.R2, NAME.size)
        self.call(Helper.CURRENT_COMM)

    def update(self, table: Map, key: int, value: int, flags: int = 0) -> None:
        """Set a value from the stack; R0 = 0 or an error."""
        self.map(Reg.R1, table.fd)
        self.stack_address(Reg.R2, key)
        self.stack_address(Reg.R3, value)
        self.move(Reg.R4, flags)
        self.call(Helper.MAP_UPDATE)

    def take_slot(self, member: int) -> None:
        """Write a new member (slot, no flags) to the stack at `member`."""
        found = self.fresh("slot")
        self.store(Reg.R10, member, SHARED_SLOT)
        self.map(Reg.R1, self.members.slots.fd)
        self.stack_address(Reg.R2, member)
        self.call(Helper.MAP_POP)
        self.jump_if(Reg.R0, "==", 0, found)
        self.store(Reg.R10, member, SHARED_SLOT)
        self.count(CONTROL_CROWDED)
        self.label(found)
        self.store(Reg.R10, member + 4, 0, 4)

    def read_kernel(self, stack: int, size: int, base: Reg, offset: int) -> None:
        """Copy kernel memory at base + offset to the stack."""
        self.move(Reg.R3, base)
        self.add(Reg.R3, offset)
        self.stack_address(Reg.R1, stack)
        self.move(Reg.R2, size)
        self.call(Helper.PROBE_READ_KERNEL)

    def count(self, word: int) -> None:
        """Add one to a word of the control map."""
        self.map_value(Reg.R1, self.members.control.fd, word)
        self.move(Reg.R2, 1)
        self.atomic_add(Reg.R1, 0, Reg.R2)

    def user_registers(self, dst: Reg) -> None:
        """dst = the current thread's user registers (struct pt_regs), before Linux 5.15 a copy on the stack."""
        if self.members.stack_field is not None:
            self._copy_user_registers(dst, self.members.stack_field)
            return
        self.call(Helper.CURRENT_TASK_BTF)
        self.move(Reg.R1, Reg.R0)
        self.call(Helper.TASK_PT_REGS)
        self.move(dst, Reg.R0)

    def _copy_user_registers(self, dst: Reg, stack_field: int) -> None:
        """They lie at the top of the kernel stack (task_pt_regs in arch/x86/include/asm/processor.h)."""
        self.call(Helper.CURRENT_TASK)
        self.read_kernel(_REGISTERS_COPY, 8, Reg.R0, stack_field)
        self.load(Reg.R0, Reg.R10, _REGISTERS_COPY)
        self.read_kernel(_REGISTERS_COPY, HERE.size, Reg.R0, _KERNEL_STACK - HERE.size)
        self.stack_address(dst, _REGISTERS_COPY)

    def reserve(self, ring: RingBuffer, size: int, full: str) -> None:
        """R9 = room for a record; when there is none it is counted for this ring and the program goes to `full`."""
        room = self.fresh("room")
        self.map(Reg.R1, ring.fd)
        self.move(Reg.R2, size)
        self.move(Reg.R3, 0)
        self.call(Helper.RINGBUF_RESERVE)
        self.jump_if(Reg.R0, "!=", 0, room)
        self.count(ring.lost_at)
        self.jump(full)
        self.label(room)
        self.move(Reg.R9, Reg.R0)

    def head(self, kind: int) -> None:
        """Fill kind, pid, tid and time of the record in R9 from the current thread; its own number becomes 0."""
        self.store(Reg.R9, 0, kind, 4)
        self.call(Helper.PID_TGID)
        self.store(Reg.R9, 8, Reg.R0, 4)
        self.compute("rsh", Reg.R0, 32)
        self.store(Reg.R9, 4, Reg.R0, 4)
        self.store(Reg.R9, 12, 0, 4)
        self.call(Helper.KTIME_NS)
        self.store(Reg.R9, 16, Reg.R0)

    def submit(self) -> None:
        """Hand the record in R9 over."""
        self.move(Reg.R1, Reg.R9)
        self.move(Reg.R2, 0)
        self.call(Helper.RINGBUF_SUBMIT)

    def submit_deferred(self, wake_word: int | None = None) -> None:
        """Hand over the record in R9, of the ring of deferred ones: it wakes nobody until many wait.

        `wake_word`: place of a control word that is not 0 while each is to be told at once.
        """
        wake, no_wake, submit = self.fresh("wake"), self.fresh("no_wake"), self.fresh("submit")
        if wake_word is not None:
            self.map_value(Reg.R1, self.members.control.fd, wake_word)
            self.load(Reg.R1, Reg.R1, 0)
            self.jump_if(Reg.R1, "!=", 0, wake)
        self.map(Reg.R1, self.members.deferred_ring.fd)
        self.move(Reg.R2, _AVAILABLE_DATA)
        self.call(Helper.RINGBUF_QUERY)
        self.jump_if(Reg.R0, "<=", _DEFERRED, no_wake)
        if wake_word is not None:
            self.label(wake)
        self.move(Reg.R2, _FORCE_WAKEUP)
        self.jump(submit)
        self.label(no_wake)
        self.move(Reg.R2, _NO_WAKEUP)
        self.label(submit)
        self.move(Reg.R1, Reg.R9)
        self.call(Helper.RINGBUF_SUBMIT)
