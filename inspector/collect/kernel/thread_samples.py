"""Where a thread is that does not wait: its registers and stack, taken a few times by the kernel while it runs.

Software clock of perf_event_open(2) with the user registers and stack; nobody is stopped. Order of fields in a sample,
numbers of registers: linux/perf_event.h, arch/x86/include/uapi/asm/perf_regs.h and that of arch/arm64.
"""

import os
import struct
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from .perf import EXCLUDE_HYPERVISOR, EXCLUDE_KERNEL, SOFTWARE, TID, TIME, Event, PerfRing, enable, open_event
from .registers import HERE, X86_64

_TASK_CLOCK: Final = 1
_REGISTERS, _STACK = 1 << 12, 1 << 13
_DISABLED: Final = 1
_SAMPLE: Final = 9
_RECORD: Final = struct.Struct("<IHH")
_HEAD: Final = struct.Struct("<IIQQ")
"""pid, tid, time, ABI of the registers (2: 64 bits)."""
_X86_64: Final = (8, 7, 6, 1, 20, 21, 22, 23)
_ARM64: Final = (32, 31, 29, 30, 19, 20, 21, 22)
_WANTED: Final = _X86_64 if HERE is X86_64 else _ARM64
"""The same registers as `Registers.unwinding`, by perf's numbers."""
_TAKEN: Final = sorted(_WANTED)
"""The order in which a sample has them."""
_VALUES: Final = struct.Struct(f"<{len(_TAKEN)}Q")
_SIZE: Final = struct.Struct("<Q")
_PERIOD: Final = 10_000_000
"""ns on a processor between two samples."""
_BYTES: Final = 8 << 10
_PAGES: Final = 128
_64_BITS: Final = 2


class ThreadSample(msgspec.Struct, frozen=True):
    """One moment of a thread."""

    at: int
    registers: tuple[int, ...]
    """In the order of `Registers.unwinding`."""
    stack: bytes


def samples(tid: int, seconds: float) -> list[ThreadSample]:
    """Of a thread, for so long; OSError where the kernel refuses it."""
    event = Event(
        kind=SOFTWARE, config=_TASK_CLOCK, flags=_DISABLED | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR, period=_PERIOD,
        sample=TID | TIME | _REGISTERS | _STACK, wakeup=1, registers=sum(1 << one for one in _TAKEN), stack=_BYTES,
    )  # fmt: skip
    fd = open_event(event, tid, -1)
    try:
        ring = PerfRing(fd, _PAGES)
    except OSError:
        os.close(fd)
        raise
    try:
        enable(fd, True)
        time.sleep(seconds)
        enable(fd, False)
        return list(_parse(ring.take()))
    finally:
        ring.close()


def _parse(raw: bytes) -> Iterator[ThreadSample]:
    at = 0
    while at + _RECORD.size <= len(raw):
        kind, _, size = _RECORD.unpack_from(raw, at)
        if size < _RECORD.size:
            return
        if kind == _SAMPLE and (sample := _of(raw[at + _RECORD.size : at + size])) is not None:
            yield sample
        at += size


def _of(body: bytes) -> ThreadSample | None:
    try:
        _, _, when, abi = _HEAD.unpack_from(body)
        if abi != _64_BITS:
            return None
        taken = dict(zip(_TAKEN, _VALUES.unpack_from(body, _HEAD.size), strict=True))
        start = _HEAD.size + _VALUES.size
        size = _SIZE.unpack_from(body, start)[0]
        copied = min(size, _SIZE.unpack_from(body, start + _SIZE.size + size)[0]) if size else 0
    except struct.error:
        return None
    start += _SIZE.size
    return ThreadSample(when, tuple(taken[one] for one in _WANTED), body[start : start + copied])
