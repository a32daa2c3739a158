"""Where a thread is that does not wait: its registers and stack, taken a few times by the kernel while it runs.

Software clock of perf_event_open(2) with the user registers and stack; nobody is stopped. Order of fields in a sample,
numbers of registers: linux/perf_event.h, arch/x86/include/uapi/asm/perf_regs.h.
"""

import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .perf import EXCLUDE_HYPERVISOR, EXCLUDE_KERNEL, SOFTWARE, TID, TIME, Event, PerfRing, enable, open_event

_TASK_CLOCK: Final = 1
_REGISTERS, _STACK = 1 << 12, 1 << 13
_DISABLED: Final = 1
_SAMPLE: Final = 9
_RECORD: Final = struct.Struct("<IHH")
_HEAD: Final = struct.Struct("<IIQQ")
"""pid, tid, time, ABI of the registers (2: 64 bits)."""
_BX, _BP, _SP, _IP, _R12 = 1, 6, 7, 8, 20
_TAKEN: Final = (_BX, _BP, _SP, _IP, _R12, _R12 + 1, _R12 + 2, _R12 + 3)
_VALUES: Final = struct.Struct(f"<{len(_TAKEN)}Q")
_SIZE: Final = struct.Struct("<Q")
_PERIOD: Final = 10_000_000
"""ns on a processor between two samples."""
_BYTES: Final = 8 << 10
_PAGES: Final = 128
_64_BITS: Final = 2


@dataclass(frozen=True, slots=True)
class ThreadSample:
    """One moment of a thread."""

    at: int
    registers: tuple[int, ...]
    """Instruction pointer, stack pointer, rbp, rbx, r12 to r15."""
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
        bx, bp, sp, ip, *rest = _VALUES.unpack_from(body, _HEAD.size)
        start = _HEAD.size + _VALUES.size
        size = _SIZE.unpack_from(body, start)[0]
        copied = min(size, _SIZE.unpack_from(body, start + _SIZE.size + size)[0]) if size else 0
    except struct.error:
        return None
    start += _SIZE.size
    return ThreadSample(when, (ip, sp, bp, bx, *rest), body[start : start + copied])
