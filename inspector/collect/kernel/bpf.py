"""The bpf(2) system call: maps, programs and links as descriptors that vanish with this process.

Layouts: union bpf_attr of linux/bpf.h. Nothing is ever pinned.
"""

import ctypes
import errno
import mmap
import os
import struct
from enum import IntEnum

from inspector.stream.syscall_numbers import number

from . import memlock, registers

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYS_BPF = number("bpf")
_ATTR_SIZE = 128
_LOG_SIZE = 1 << 20


class Command(IntEnum):
    """enum bpf_cmd."""

    MAP_CREATE = 0
    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    PROG_LOAD = 5
    RAW_TRACEPOINT_OPEN = 17
    MAP_POP = 21
    MAP_LOOKUP_BATCH = 24
    LINK_CREATE = 28
    ITER_CREATE = 33


_CHARGED = (Command.MAP_CREATE, Command.PROG_LOAD)
"""Commands that kernels before 5.11 charge to the limit on locked memory, and refuse with EPERM."""


class MapKind(IntEnum):
    """enum bpf_map_type."""

    HASH = 1
    ARRAY = 2
    PROGRAM_ARRAY = 3
    LRU_HASH = 9
    ARRAY_OF_MAPS = 12
    QUEUE = 22
    RINGBUF = 27


class ProgramKind(IntEnum):
    """enum bpf_prog_type."""

    UPROBE = 2
    RAW_TRACEPOINT = 17
    TRACING = 26


_NOEXIST = 1
"""BPF_NOEXIST of linux/bpf.h."""
NO_PREALLOC = 1 << 0
MMAPABLE = 1 << 10
SLEEPABLE = 1 << 4
TRACE_ITER = 28
UPROBE_MULTI = 48
_PERF_EVENT = 41
"""BPF_PERF_EVENT of enum bpf_attach_type."""
TYPED_TRACEPOINT, FUNCTION_EXIT = 23, 25
"""enum bpf_attach_type: BPF_TRACE_RAW_TP, BPF_TRACE_FEXIT."""


_ALLOCATES_IN_PROGRAMS = (6, 1)
"""Older kernels log a warning when tracing programs use maps that are not allocated whole (kernel/bpf/verifier.c), and
stop the machine where panic_on_warn is set: this cannot be found out by trying."""


class BpfError(OSError):
    """The kernel refused a bpf(2) command; `log` is the verifier's own text for a refused program."""

    def __init__(self, number: int, what: str, log: str = "") -> None:
        super().__init__(number, f"{what}: {os.strerror(number)}")
        self.log = log


def call(command: Command, attributes: bytes, what: str) -> int:
    """One bpf(2) call; BpfError says what was refused."""
    result = _bpf(command, attributes)
    if result < 0 and ctypes.get_errno() == errno.EPERM and command in _CHARGED and memlock.raise_limit():
        result = _bpf(command, attributes)
    if result < 0:
        raise BpfError(ctypes.get_errno(), what)
    return result


def _bpf(command: Command, attributes: bytes) -> int:
    """Negative when it is refused."""
    buffer = ctypes.create_string_buffer(attributes, _ATTR_SIZE)  # what is not given is zero
    result: int = _LIBC.syscall(_SYS_BPF, int(command), buffer, _ATTR_SIZE)
    return result


_ROWS_BYTES = 1 << 16
"""Of values that are read at once."""


class _Rows:
    """Room for rows of a hash, kept from reading to reading: making it costs more than filling it."""

    def __init__(self, key: int, value: int, room: int) -> None:
        self._key, self._value, self.room = key, value, room
        self.keys = ctypes.create_string_buffer(room * key)
        self.values = ctypes.create_string_buffer(room * value)
        self.count = 0
        """How many were read last."""

    def read(self) -> list[tuple[bytes, bytes]]:
        """The rows that were read last."""
        keys, values = _parts(self.keys, self.count, self._key), _parts(self.values, self.count, self._value)
        return list(zip(keys, values, strict=True))


class Map:
    """A BPF map: keys and values are bytes of fixed size."""

    def __init__(self, kind: MapKind, key: int, value: int, entries: int, flags: int = 0, inner: int = 0) -> None:
        """`inner`: for a map of maps, the descriptor of a map that is like those which it will hold."""
        self.key_size, self.value_size, self.entries = key, value, entries
        self._rows: _Rows | None = None
        if _kernel() < _ALLOCATES_IN_PROGRAMS:
            flags &= ~NO_PREALLOC
        attributes = struct.pack("<IIIIII", kind, key, value, entries, flags, inner)
        self.fd = call(Command.MAP_CREATE, attributes, f"a {kind.name.lower()} map of {entries} entries")

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None when it is absent."""
        value = ctypes.create_string_buffer(self.value_size)
        return value.raw if self._try(Command.MAP_LOOKUP, key, value) else None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key; BpfError (E2BIG) when the map is full. A queue has the empty key."""
        self._element(Command.MAP_UPDATE, key, ctypes.create_string_buffer(value, self.value_size))

    def add(self, key: bytes, value: bytes) -> bool:
        """Set the value of a new key, False when there is one; BpfError (E2BIG) when the map is full."""
        new = ctypes.create_string_buffer(value, self.value_size)
        return self._element(Command.MAP_UPDATE, key, new, (0, errno.EEXIST), _NOEXIST) == 0

    def delete(self, key: bytes) -> bool:
        """Remove a key; False when it is absent."""
        return self._try(Command.MAP_DELETE, key, None)

    def pop(self) -> bytes | None:
        """Take the oldest value of a queue; None when it is empty."""
        value = ctypes.create_string_buffer(self.value_size)
        return value.raw if self._try(Command.MAP_POP, b"", value) else None

    def items(self) -> list[tuple[bytes, bytes]]:
        """All keys and values of a hash, in one or few system calls; changes meanwhile may or may not show.

        BpfError where it cannot be read.
        """
        if self._rows is None:
            self._rows = _Rows(self.key_size, self.value_size, min(self.entries, _ROWS_BYTES // self.value_size + 1))
        found: list[tuple[bytes, bytes]] = []
        token = ctypes.create_string_buffer(max(8, self.key_size))
        following: bytes | None = None
        while (refused := self._batch(self._rows, following, token)) in (0, errno.ENOSPC):
            if refused:  # those with one hash value come together, and there are more of them than were made room for
                self._rows = _Rows(self.key_size, self.value_size, 2 * self._rows.room)
                continue
            found += self._rows.read()
            following = token.raw
        if refused != errno.ENOENT:
            raise BpfError(refused, "reading a hash map")
        return found + self._rows.read()

    def _batch(self, rows: "_Rows", after: bytes | None, token: ctypes.Array[ctypes.c_char]) -> int:
        """The next rows; 0 when there are more, ENOENT when these are the last."""
        start = ctypes.create_string_buffer(after, len(after)) if after is not None else None
        places = (_address(start), _address(token), _address(rows.keys), _address(rows.values))
        packed = struct.pack("<QQQQIIQQ", *places, rows.room, self.fd, 0, 0)
        attributes = ctypes.create_string_buffer(packed.ljust(_ATTR_SIZE, b"\0"), _ATTR_SIZE)
        result = _LIBC.syscall(_SYS_BPF, int(Command.MAP_LOOKUP_BATCH), attributes, _ATTR_SIZE)
        (rows.count,) = struct.unpack_from("<I", attributes, 32)
        return ctypes.get_errno() if result < 0 else 0

    def memory(self) -> mmap.mmap:
        """The values of an MMAPABLE array, shared with the kernel; each value starts at a multiple of 8 bytes."""
        size = self.entries * ((self.value_size + 7) & ~7)
        return mmap.mmap(self.fd, (size + mmap.PAGESIZE - 1) & -mmap.PAGESIZE, mmap.MAP_SHARED)

    def close(self) -> None:
        """Close the map; programs that use it keep it alive."""
        os.close(self.fd)

    def _try(self, command: Command, key: bytes, value: ctypes.Array[ctypes.c_char] | None) -> bool:
        """Most of what is asked for is absent: that is no exception."""
        return self._element(command, key, value, (0, errno.ENOENT)) == 0

    def _element(
        self,
        command: Command,
        key: bytes,
        value: "ctypes.Array[ctypes.c_char] | None",
        usual: tuple[int, ...] = (0,),
        flags: int = 0,
    ) -> int:
        """The error that the kernel gives, of those that are usual."""
        keyed = ctypes.create_string_buffer(key, self.key_size) if self.key_size else None
        refused = _bpf(command, struct.pack("<IIQQQ", self.fd, 0, _address(keyed), _address(value), flags)) < 0
        error = ctypes.get_errno() if refused else 0
        if error not in usual:
            raise BpfError(error, f"{command.name.lower()} on a map")
        return error


def load_program(
    kind: ProgramKind, code: bytes, name: str, *, attach: int = 0, function: int = 0, sleepable: bool = False
) -> int:
    """A verified program as a descriptor; BpfError carries the verifier's log.

    `function` is the type number of the kernel function that a tracing program belongs to (`btf.TypeData.function`).
    """
    if not registers.KNOWN:
        raise BpfError(errno.EOPNOTSUPP, f"loading {name}")
    try:
        return _load(kind, code, name, attach, function, sleepable, None)
    except BpfError as refused:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return _load(kind, code, name, attach, function, sleepable, log)
        except BpfError:
            text = log.value.decode("ascii", "replace")
            raise BpfError(refused.errno or errno.EINVAL, f"loading {name}", text) from None


def is_accepted(kind: ProgramKind, code: bytes) -> bool:
    """Whether this kernel knows all that a program needs; BpfError when programs are not permitted at all."""
    try:
        os.close(load_program(kind, code, "inspector"))
    except BpfError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True


def _load(
    kind: ProgramKind,
    code: bytes,
    name: str,
    attach: int,
    function: int,
    sleepable: bool,
    log: ctypes.Array[ctypes.c_char] | None,
) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sII36xI", kind, len(code) // 8, _address(instructions), _address(licence),
        1 if log else 0, len(log) if log else 0, _address(log), 0,
        SLEEPABLE if sleepable else 0, name.encode()[:15], 0, attach, function,
    )  # fmt: skip
    return call(Command.PROG_LOAD, attributes, f"loading {name}")


def attach_raw_tracepoint(program: int, name: str) -> int:
    """A descriptor that keeps the program on a kernel tracepoint until it is closed."""
    text = ctypes.create_string_buffer(name.encode())
    return call(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QI", _address(text), program), f"tracepoint {name}")


def has_raw_tracepoint(name: str) -> bool:
    """Whether this kernel has a tracepoint and lets a program be attached to it: tried with one that does nothing."""
    code = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)  # r0 = 0; exit
    try:
        program = load_program(ProgramKind.RAW_TRACEPOINT, code, "tries")
    except OSError:
        return False
    try:
        os.close(attach_raw_tracepoint(program, name))
    except OSError:
        return False
    finally:
        os.close(program)
    return True


def task_iterator(program: int, pid: int) -> int:
    """A descriptor that runs an iterator program on one process when it is read (union bpf_iter_link_info)."""
    which = ctypes.create_string_buffer(struct.pack("<III", 0, pid, 0))
    attributes = struct.pack("<IIIIQI", program, 0, TRACE_ITER, 0, _address(which), len(which))
    link = call(Command.LINK_CREATE, attributes, f"an iterator over PID {pid}")
    try:
        return call(Command.ITER_CREATE, struct.pack("<II", link, 0), f"reading an iterator over PID {pid}")
    finally:
        os.close(link)


def attach_typed(program: int, target: str) -> int:
    """A descriptor that keeps a program of kind TRACING on the function or tracepoint that it was loaded for."""
    return call(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, program), f"a program on {target}")


def attach_uprobes(program: int, path: bytes, offsets: list[int], cookies: list[int], *, pid: int = 0) -> int:
    """One uprobe_multi link over many places of one file; all or nothing.

    `offsets` are file offsets of instruction starts; `pid` 0 means every process that maps the file, now and later.
    BpfError with errno 524 (ENOTSUPP) means that an instruction cannot be probed.
    """
    count = len(offsets)
    where = ctypes.create_string_buffer(path)
    places = (ctypes.c_uint64 * count)(*offsets)
    tags = (ctypes.c_uint64 * count)(*cookies)
    attributes = struct.pack(
        "<IIIIQQQQIII", program, 0, UPROBE_MULTI, 0, _address(where), ctypes.addressof(places), 0,
        ctypes.addressof(tags), count, 0, pid,
    )  # fmt: skip
    return call(Command.LINK_CREATE, attributes, f"{count} probes on {os.fsdecode(path)}")


def attach_perf_event(program: int, event: int, cookie: int) -> int:
    """A perf link (Linux 5.15): the program runs each time a perf event happens and is told the cookie."""
    return call(Command.LINK_CREATE, struct.pack("<IIIIQ", program, event, _PERF_EVENT, 0, cookie), "a perf link")


def _kernel() -> tuple[int, ...]:
    numbers = os.uname().release.split("-")[0].split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit())


def _parts(buffer: ctypes.Array[ctypes.c_char], count: int, size: int) -> list[bytes]:
    """The first elements of a buffer, which is copied once: `raw` copies all of it."""
    used = ctypes.string_at(buffer, count * size)
    return [used[at : at + size] for at in range(0, len(used), size)]


def _address(buffer: ctypes.Array[ctypes.c_char] | None) -> int:
    return ctypes.addressof(buffer) if buffer is not None else 0
