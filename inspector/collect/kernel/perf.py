"""perf_event_open(2): events, their rings, and the records of processes and mappings.

Layouts: linux/perf_event.h (struct perf_event_attr, PERF_RECORD_*).
"""

import ctypes
import fcntl
import mmap
import os
import struct
from pathlib import Path

from msgspec import Struct

from inspector.stream.session import LOST_MAPPINGS
from inspector.stream.syscall_numbers import number

from .records import Forked, Lost, Mapped
from .shared_words import SharedWords

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYS_PERF_EVENT_OPEN = number("perf_event_open")
_ATTR = struct.Struct("<IIQQQQQIIQQQQIiQIHHIIQQ")
_CLOEXEC = 8
_ENABLE, _DISABLE, _SET_BPF = 0x2400, 0x2401, 0x40042408
SOFTWARE, TRACEPOINT, BREAKPOINT = 1, 2, 5
DUMMY = 9
TID, TIME, STREAM_ID, CPU = 1 << 1, 1 << 2, 1 << 9, 1 << 7
INHERIT, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6
MMAP, COMM, TASK, WATERMARK, SAMPLE_ID_ALL = 1 << 8, 1 << 9, 1 << 13, 1 << 14, 1 << 18
MMAP2, COMM_EXEC, USE_CLOCKID = 1 << 23, 1 << 24, 1 << 25
CLOCK_MONOTONIC = 1
_KPROBES = Path("/sys/bus/event_source/devices/kprobe/type")
_RETURN_PROBE = 1
"""Bit 0 of the configuration (format/retprobe)."""
_HEAD, _TAIL = 1024 // 8, 1032 // 8
_RECORD = struct.Struct("<IHH")
_LOST, _COMM, _EXIT, _FORK, _MMAP2 = 2, 3, 4, 7, 10
_MISC_EXEC = 1 << 13
_TASK_BODY = struct.Struct("<IIIIQ")
_MMAP2_BODY = struct.Struct("<IIQQQIIQQII")
_SAMPLE_ID = struct.Struct("<IIQ")
"""What follows each record under SAMPLE_ID_ALL with TID and TIME: pid, tid, time."""
_NAMED_BODY = struct.Struct("<II")


class Event(Struct, frozen=True):
    """What to open; see struct perf_event_attr for each field."""

    kind: int
    config: int
    flags: int = 0
    sample: int = 0
    wakeup: int = 0
    breakpoint: int = 0
    config1: int = 0
    config2: int = 0
    period: int = 0
    registers: int = 0
    """Bits of the user registers that a sample holds."""
    stack: int = 0
    """Bytes of the user stack that it holds."""

    def pack(self) -> bytes:
        """The attribute structure."""
        return _ATTR.pack(
            self.kind, _ATTR.size, self.config, self.period, self.sample, 0, self.flags | USE_CLOCKID, self.wakeup,
            self.breakpoint, self.config1, self.config2, 0, self.registers, self.stack, CLOCK_MONOTONIC,
            0, 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip


class Named(Struct, frozen=True):
    """A thread took a name; `executed` when it did so by execve."""

    at: int
    pid: int
    tid: int
    name: bytes
    executed: bool


class ThreadEnded(Struct, frozen=True):
    """A thread is gone; the process with its last one."""

    at: int
    pid: int
    tid: int


PerfRecord = Mapped | Forked | Named | ThreadEnded | Lost


def open_event(event: Event, pid: int, cpu: int) -> int:
    """A descriptor of the event; OSError as the kernel refuses it."""
    raw = event.pack()
    buffer = ctypes.create_string_buffer(raw, len(raw))
    fd: int = _LIBC.syscall(_SYS_PERF_EVENT_OPEN, buffer, pid, cpu, -1, _CLOEXEC)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"perf event: {os.strerror(code)}")
    return fd


def attach_tracepoint(program: int, number: int) -> int:
    """A descriptor that keeps a BPF program on a tracepoint, on all CPUs, until it is closed."""
    return _attach(open_event(Event(kind=TRACEPOINT, config=number), -1, 0), program)


def has_kernel_probes() -> bool:
    """Whether this kernel has kprobes at all."""
    return _KPROBES.exists()


def attach_kernel_return(program: int, function: str) -> int:
    """A descriptor that keeps a BPF program on the return of one of the kernel's functions, until it is closed.

    OSError where the kernel has no kprobes or refuses them (Documentation/trace/kprobes.rst).
    """
    name = ctypes.create_string_buffer(function.encode())
    kind = int(_KPROBES.read_text())
    return _attach(open_event(Event(kind=kind, config=_RETURN_PROBE, config1=ctypes.addressof(name)), -1, 0), program)


def _attach(fd: int, program: int) -> int:
    try:
        run_program(fd, program)
    except OSError:
        os.close(fd)
        raise
    return fd


def run_program(event: int, program: int) -> None:
    """Run a BPF program, which the event holds from now on, each time the event happens."""
    fcntl.ioctl(event, _SET_BPF, program)
    fcntl.ioctl(event, _ENABLE, 0)


def enable(event: int, wanted: bool) -> None:
    """Turn an event on or off."""
    fcntl.ioctl(event, _ENABLE if wanted else _DISABLE, 0)


def side_band(flags: int, wakeup: int = 1) -> Event:
    """An event that counts nothing and only carries records of processes and mappings; readable at `wakeup` bytes."""
    flags |= WATERMARK | SAMPLE_ID_ALL
    return Event(kind=SOFTWARE, config=DUMMY, flags=flags, sample=TID | TIME, wakeup=wakeup)


def online_cpus() -> list[int]:
    """Numbers of the CPUs that run."""
    cpus: list[int] = []
    with open("/sys/devices/system/cpu/online") as file:
        for part in file.read().strip().split(","):
            first, _, last = part.partition("-")
            cpus += range(int(first), int(last or first) + 1)
    return cpus


_ROOMY_PAGES, _MOST_ROOMY = 256, 32


class PerfRing:
    """The ring of one event of kind `side_band`."""

    def __init__(self, fd: int, pages: int = 32) -> None:
        self.fd = fd
        self._size = pages * mmap.PAGESIZE
        self._memory = mmap.mmap(fd, self._size + mmap.PAGESIZE, mmap.MAP_SHARED)
        self._words = SharedWords(self._memory)

    def drain(self) -> list[PerfRecord]:
        """Every record that waits, removed from the ring."""
        return parse(self.take())

    def take(self) -> bytes:
        """The same as they lie there."""
        head, tail = self._words[_HEAD], self._words[_TAIL]
        if head == tail:
            return b""
        raw = self._bytes(tail, head)
        self._words[_TAIL] = head
        return raw

    def _bytes(self, start: int, end: int) -> bytes:
        at, length = start % self._size, end - start
        base = mmap.PAGESIZE
        first = self._memory[base + at : base + min(at + length, self._size)]
        return first + self._memory[base : base + length - len(first)]

    def close(self) -> None:
        """Close the event and its mapping, which would keep it alive."""
        self._words.close()
        os.close(self.fd)


def roomy_ring(fd: int) -> PerfRing:
    """A MiB for a processor, of at most 32: a busy machine fills 128 KiB in a second, and lets us read later than that.

    Less where so much may not be locked (perf_event_mlock_kb of proc_sys_kernel(5)).
    """
    if (os.cpu_count() or 1) <= _MOST_ROOMY:
        try:
            return PerfRing(fd, _ROOMY_PAGES)
        except PermissionError:
            pass
    return PerfRing(fd)


def parse(raw: bytes) -> list[PerfRecord]:
    """Records of a ring as they lie there; unknown kinds are passed over."""
    records: list[PerfRecord] = []
    at, end, head = 0, len(raw), _RECORD.size
    unpack = _RECORD.unpack_from
    while at + head <= end:
        kind, misc, size = unpack(raw, at)
        if size < head:
            break
        record = _parse_one(kind, misc, raw[at + head : at + size])
        if record is not None:
            records.append(record)
        at += size
    return records


def _parse_one(kind: int, misc: int, body: bytes) -> PerfRecord | None:
    tail = len(body) - _SAMPLE_ID.size
    if tail < 0:
        return None
    _, _, at = _SAMPLE_ID.unpack_from(body, tail)
    try:
        if kind == _MMAP2:  # most are: each program maps dozens of files, and all of the machine are told
            pid, tid, start, length, offset, major, minor, inode, _, _, _ = _MMAP2_BODY.unpack_from(body)
            path = body[_MMAP2_BODY.size : tail].split(b"\0", 1)[0]
            return Mapped(at, pid, tid, start, length, offset, major, minor, inode, path)
        if kind == _FORK:
            pid, ppid, tid, _, _ = _TASK_BODY.unpack_from(body)
            return Forked(at=at, ppid=ppid, pid=pid) if pid == tid else None
        if kind == _EXIT:
            pid, _, tid, _, _ = _TASK_BODY.unpack_from(body)
            return ThreadEnded(at=at, pid=pid, tid=tid)
        if kind == _COMM:
            pid, tid = _NAMED_BODY.unpack_from(body)
            return Named(at, pid, tid, body[_NAMED_BODY.size : tail].split(b"\0", 1)[0], bool(misc & _MISC_EXEC))
        if kind == _LOST:
            return Lost(source=LOST_MAPPINGS, count=struct.unpack_from("<Q", body, 8)[0])
    except struct.error:
        return None
    return None
