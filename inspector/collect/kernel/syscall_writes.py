"""Kernel code that counts what is written to standard output and error, and keeps the first bytes of it."""

import struct
from collections.abc import Iterator

from .assembler import Helper, Reg
from .bpf import NO_PREALLOC, Map, MapKind
from .membership import MemberAssembler
from .records import Written
from .registers import HERE
from .syscall_context import Means, user_registers_of
from .system_calls import Call

SAMPLE_SIZE = 1024
WRITTEN_KEY = struct.Struct("<II")
"""File descriptor, pid."""
WRITTEN = struct.Struct(f"<QQQQ{SAMPLE_SIZE}s")
"""Calls, bytes, failed calls, bytes in the sample, first bytes."""
_CALLS, _BYTES, _FAILED, _USED, _SAMPLE = 0, 8, 16, 24, 32
_SAMPLE_CHUNK = 256
_DESCRIPTORS = 8192
_MANY = 4


class Writes:
    """(fd, pid) -> what was written there."""

    def __init__(self) -> None:
        self.map = Map(MapKind.HASH, WRITTEN_KEY.size, WRITTEN.size, _DESCRIPTORS, NO_PREALLOC)
        self._keys: set[bytes] | None = None
        """What was written to, while many end."""

    def all(self) -> list[Written]:
        """Of everybody."""
        return [_written(key, value) for key, value in self.map.items()]

    def expect_ends(self, count: int) -> None:
        """So many processes are asked for next: of many the map is read once, for most wrote nothing."""
        self._keys = {key for key, _ in self.map.items()} if count > _MANY else None

    def take(self, pid: int) -> Iterator[Written]:
        """What a process wrote that ended; forgotten with it."""
        for fd in (1, 2):
            key = WRITTEN_KEY.pack(fd, pid)
            value = self.map.get(key) if self._keys is None or key in self._keys else None
            if value is not None:
                yield _written(key, value)
                self.map.delete(key)

    def close(self) -> None:
        """Close the map."""
        self.map.close()


def _written(key: bytes, value: bytes) -> Written:
    fd, pid = WRITTEN_KEY.unpack(key)
    calls, size, failed, used, sample = WRITTEN.unpack(value)
    return Written(pid, fd, calls, size, failed, sample[: min(used, len(sample))])


def count_write(a: MemberAssembler, written: Map, call: Call, means: Means) -> None:
    """Descriptors 1 and 2 only; the key (fd, pid) lies at -8 and -4 of the stack."""
    known, failed, end = a.fresh("known"), a.fresh("failed"), a.fresh("end")
    user_registers_of(a, means)
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
