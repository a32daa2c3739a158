"""Kernel programs that wake the reacting thread of the processor on which something happens: a program begins, a file
is read for the first time.

The thread then runs on that very processor before the program's next instruction, so what it does comes in time.
Arguments of the tracepoints: include/trace/events/sched.h and filemap.h (those named here came with kernel 6.10).
"""

import os
import struct

import msgspec

from inspector.stream.syscall_numbers import number

from .assembler import Helper, Reg
from .bpf import Map, MapKind
from .btf import BtfError, kernel_offsets
from .membership import HEADER, MemberAssembler, Membership
from .registers import HERE
from .ring import RingBuffer

BEGAN, READ = 1, 2
FILE_KEY = struct.Struct("<QII")
"""What a file is known by in the kernel: inode number, device (major << 20 | minor), its change time as `_stamp`."""
READ_BODY = struct.Struct("<16sQQ64s")
"""File key, first argument and number of the system call, file name."""
_NAME = struct.Struct("<16s")
"""Name of a process (TASK_COMM_LEN)."""
ANY = b"*"
_MOST_NAMES = 64
EXEC_TRACEPOINT, READ_TRACEPOINT = "sched_process_exec", "mm_filemap_get_pages"
FAULT_TRACEPOINTS = ("mm_filemap_map_pages", "mm_filemap_fault")
"""A page of a mapped file is touched, where reading the file does not pass the page cache (tmpfs, ZFS)."""
_MOST_FILES = 1 << 16
CLAIMED, UNRELATED, COUNTED = 1, 2, 3
"""Of a file: somebody looks at it now; it defines no function of interest; it does."""
_READS = (number("read"), number("pread64"))
"""System calls whose first argument is the descriptor that is read: read, pread64."""
_FIELDS = (
    "address_space.host", "inode.i_ino", "inode.i_sb", "super_block.s_dev", "inode.i_dentry", "dentry.d_name",
    "dentry.d_u",
)  # fmt: skip
_NSEC_MASK = 0x7FFFFFFF
"""The highest bit of i_ctime_nsec is a flag of the kernel's own (I_CTIME_QUERIED)."""


class Began(msgspec.Struct, frozen=True):
    """A process executes a program."""

    at: int
    pid: int
    member: bool
    """False: it may be the one that is waited for."""


class FirstRead(msgspec.Struct, frozen=True):
    """The first page of a library is read."""

    at: int
    pid: int
    key: bytes
    descriptor: int | None
    """From which it is read, where the system call tells."""
    name: bytes
    """Its last component."""

    @property
    def inode(self) -> int:
        """Its number in its own file system."""
        return int(FILE_KEY.unpack(self.key)[0])


class EarlyMaps:
    """A ring for each processor, what is known of files, and whom we wait for."""

    def __init__(self, processors: int, ring_bytes: int) -> None:
        self.rings = [RingBuffer(ring_bytes) for _ in range(processors)]
        self.by_processor = Map(MapKind.ARRAY_OF_MAPS, 4, 4, processors, inner=self.rings[0].fd)
        for processor, ring in enumerate(self.rings):
            self.by_processor.put(struct.pack("<I", processor), struct.pack("<I", ring.fd))
        self.files = Map(MapKind.HASH, FILE_KEY.size, 4, _MOST_FILES)
        """CLAIMED, UNRELATED or COUNTED; the first reads of the last two are not told."""
        self.waited = Map(MapKind.HASH, _NAME.size, 4, _MOST_NAMES)
        self.waiting = Map(MapKind.ARRAY, 4, 8, 1)
        """0: tell of members only; 1: also of processes with a name that is waited for; 2: of all."""

    def wait_for(self, names: list[bytes]) -> None:
        """Tell also of programs with one of these names (15 bytes count), or of all programs (ANY)."""
        for name in names[:_MOST_NAMES]:
            self.waited.put(_NAME.pack(name[:15]), b"\1\0\0\0")
        self.waiting.put(bytes(4), struct.pack("<Q", 2 if ANY in names else int(bool(names))))

    def close(self) -> None:
        """Close the maps."""
        for table in (self.by_processor, self.files, self.waited, self.waiting):
            table.close()
        for ring in self.rings:
            ring.close()


def exec_program(members: Membership, maps: EarlyMaps) -> bytes:
    """A member, or a program that is waited for, begins. To be attached before what makes it a member."""
    a = MemberAssembler(members)
    a.find_member("stranger")
    a.move(Reg.R7, 0)
    a.jump("report")
    a.label("stranger")
    _leave_unless_waited_for(a, maps)
    a.label("waited for")
    a.move(Reg.R7, 1)
    a.label("report")
    _reserve(a, maps, HEADER.size)
    a.head(BEGAN)
    a.store(Reg.R9, 12, Reg.R7, 4)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _leave_unless_waited_for(a: MemberAssembler, maps: EarlyMaps) -> None:
    """The name of a process is already that of its new program (begin_new_exec comes before the tracepoint)."""
    a.map_value(Reg.R7, maps.waiting.fd)
    a.load(Reg.R6, Reg.R7, 0)
    a.jump_if(Reg.R6, "==", 0, "out")
    a.jump_if(Reg.R6, "==", 2, "waited for")
    a.own_name(-32)
    a.look_up(maps.waited, -32)
    a.jump_if(Reg.R0, "==", 0, "out")


def read_program(members: Membership, maps: EarlyMaps, any_page: bool = False) -> bytes:
    """The first page of a library is read by a member: the loader looks at its ELF header, just after the open.

    `any_page`: a page is touched that may be any; the first one of a file comes before all code of it. Stack: -4 pid,
    -16 scratch, -40 file key. BtfError where this kernel has not the fields.
    """
    fields, changed = kernel_offsets(_FIELDS), _change_time_fields()
    a = MemberAssembler(members)
    a.load(Reg.R7, Reg.R1, 0)
    if not any_page:
        a.load(Reg.R8, Reg.R1, 8)
        a.jump_if(Reg.R8, "!=", 0, "out")
    a.find_member("out")
    a.read_kernel(-16, 8, Reg.R7, fields["address_space.host"])
    a.load(Reg.R6, Reg.R10, -16)
    _file_key(a, fields, changed)
    a.look_up(maps.files, -40)
    a.jump_if(Reg.R0, "==", 0, "not known")
    a.load(Reg.R1, Reg.R0, 0, 4)
    a.jump_if(Reg.R1, "!=", CLAIMED, "out")
    a.label("not known")
    _find_name(a, fields)
    a.user_registers(Reg.R6)
    a.load(Reg.R7, Reg.R6, HERE.call_arguments[0])
    a.load(Reg.R6, Reg.R6, HERE.call, HERE.call_size)
    a.store(Reg.R10, -48, Reg.R8)
    _reserve(a, maps, HEADER.size + READ_BODY.size)
    a.head(READ)
    for place in (0, 8):
        a.load(Reg.R1, Reg.R10, place - 40)
        a.store(Reg.R9, HEADER.size + place, Reg.R1)
    a.store(Reg.R9, HEADER.size + 16, Reg.R7)
    a.store(Reg.R9, HEADER.size + 24, Reg.R6)
    a.move(Reg.R1, Reg.R9)
    a.add(Reg.R1, HEADER.size + 32)
    a.move(Reg.R2, 64)
    a.load(Reg.R3, Reg.R10, -48)
    a.call(Helper.PROBE_READ_KERNEL_STR)
    a.submit()
    a.label("out")
    a.leave()
    return a.build()


def _change_time_fields() -> tuple[int, int]:
    """Offsets of seconds and nanoseconds of an inode's change time: two fields from 6.11 on, before a timespec64."""
    try:
        found = kernel_offsets(["inode.i_ctime_sec", "inode.i_ctime_nsec"])
        return found["inode.i_ctime_sec"], found["inode.i_ctime_nsec"]
    except BtfError:
        start = kernel_offsets(["inode.__i_ctime"])["inode.__i_ctime"]
        return start, start + 8


def _file_key(a: MemberAssembler, fields: dict[str, int], changed: tuple[int, int]) -> None:
    """The key of the inode in R6, on the stack at -40."""
    seconds, nanoseconds = changed
    a.read_kernel(-40, 8, Reg.R6, fields["inode.i_ino"])
    a.read_kernel(-28, 4, Reg.R6, nanoseconds)
    a.read_kernel(-16, 4, Reg.R6, seconds)
    a.load(Reg.R1, Reg.R10, -28, 4)
    a.compute("and", Reg.R1, _NSEC_MASK)
    a.load(Reg.R7, Reg.R10, -16, 4)
    a.compute("xor", Reg.R1, Reg.R7)
    a.store(Reg.R10, -28, Reg.R1, 4)
    a.read_kernel(-16, 8, Reg.R6, fields["inode.i_sb"])
    a.load(Reg.R7, Reg.R10, -16)
    a.read_kernel(-32, 4, Reg.R7, fields["super_block.s_dev"])


def _find_name(a: MemberAssembler, fields: dict[str, int]) -> None:
    """R8 = address of the file's name; out unless it begins with `lib` or ends with `.so`."""
    name = fields["dentry.d_name"]
    a.read_kernel(-16, 8, Reg.R6, fields["inode.i_dentry"])
    a.load(Reg.R7, Reg.R10, -16)
    a.jump_if(Reg.R7, "==", 0, "out")
    a.add(Reg.R7, name - fields["dentry.d_u"])
    a.read_kernel(-16, 8, Reg.R7, 8)
    a.load(Reg.R8, Reg.R10, -16)
    a.read_kernel(-16, 4, Reg.R8, 0)
    a.load(Reg.R1, Reg.R10, -16, 4)
    a.compute("and", Reg.R1, 0xFFFFFF)
    a.jump_if(Reg.R1, "==", int.from_bytes(b"lib", "little"), "library")
    a.read_kernel(-16, 4, Reg.R7, 4)
    a.load(Reg.R1, Reg.R10, -16, 4)
    a.move(Reg.R7, Reg.R8)
    a.add(Reg.R7, Reg.R1)
    a.read_kernel(-16, 4, Reg.R7, -3)
    a.load(Reg.R1, Reg.R10, -16, 4)
    a.jump_if(Reg.R1, "!=", int.from_bytes(b".so\0", "little"), "out")
    a.label("library")


def _reserve(a: MemberAssembler, maps: EarlyMaps, size: int) -> None:
    """R9 = room for a record in the ring of this processor; the key of the look-up lies at -8, behind the pid."""
    a.call(Helper.PROCESSOR_ID)
    a.store(Reg.R10, -8, Reg.R0, 4)
    a.look_up(maps.by_processor, -8)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R1, Reg.R0)
    a.move(Reg.R2, size)
    a.move(Reg.R3, 0)
    a.call(Helper.RINGBUF_RESERVE)
    a.jump_if(Reg.R0, "==", 0, "out")
    a.move(Reg.R9, Reg.R0)


def file_key(inode: int, device: int, change_ns: int) -> bytes:
    """The key of a file as the kernel has it; `device` and change time as stat(2) gives them."""
    return FILE_KEY.pack(inode, os.major(device) << 20 | os.minor(device), _stamp(change_ns))


def _stamp(change_ns: int) -> int:
    """Seconds and nanoseconds in one word: many file systems have no nanoseconds."""
    seconds, nanoseconds = divmod(change_ns, 1_000_000_000)
    return seconds & 0xFFFFFFFF ^ nanoseconds


def parse(raw: bytes) -> Began | FirstRead | None:
    """One record of a ring; None when it is none."""
    try:
        kind, pid, _, stranger, at = HEADER.unpack_from(raw)
        if kind == BEGAN:
            return Began(at, pid, member=not stranger)
        if kind != READ:
            return None
        key, argument, call, name = READ_BODY.unpack_from(raw, HEADER.size)
    except struct.error:
        return None
    descriptor = argument if call in _READS else None
    return FirstRead(at, pid, key, descriptor, name.split(b"\0", 1)[0])
