"""Bytes of the members' ring buffer as records; a record that is cut short or unknown is left out."""

import re
import struct
from errno import ENOENT, ENOTDIR

import msgspec

from .frames import left_open
from .membership import HEADER
from .records import (
    EndedInside,
    Executed,
    Exited,
    Forked,
    Listed,
    Opened,
    RefusedCall,
    Signalled,
    SignalSent,
)
from .syscall_programs import INSIDE, OPENED_BODY
from .syscall_refusals import REFUSED_CALL_BODY
from .system_calls import BY_NUMBER
from .tree_programs import (
    ENDED_INSIDE,
    EXECUTED,
    EXECUTED_BODY,
    EXIT_BODY,
    EXITED,
    FORK_BODY,
    FORKED,
    LISTED,
    OPENED,
    REFUSED_CALL,
    SENT,
    SENT_BODY,
    SIGNAL_BODY,
    SIGNALLED,
)


class Birth(msgspec.Struct, frozen=True):
    """A member was born, with the slot that the kernel gave it."""

    record: Forked
    slot: int

    @property
    def at(self) -> int:
        """When it was forked, CLOCK_MONOTONIC ns."""
        return self.record.at


class Death(msgspec.Struct, frozen=True):
    """A member is gone, and the slot that it had."""

    record: Exited
    slot: int

    @property
    def at(self) -> int:
        """When it ended, CLOCK_MONOTONIC ns."""
        return self.record.at


_NOT_THERE = (-ENOENT, -ENOTDIR)
_VARIANT = re.compile(rb"/(?:glibc-hwcaps|tls|haswell|xeon_phi|avx512_1)/.*\.so")
"""Where ld.so looks for builds for this processor before it looks into the folder itself: up to 18 places for each."""

Decoded = Birth | Death | Executed | Signalled | SignalSent | EndedInside | Opened | RefusedCall | Listed


def decode(raw: bytes) -> Decoded | None:
    """One record of the ring; None when it is none."""
    try:
        kind, pid, tid, own, at = HEADER.unpack_from(raw)
        if kind == OPENED:
            return _opened(raw, pid, tid, own, at)
        if kind == REFUSED_CALL:
            return _refused(raw, pid, tid, own, at)
        if kind == LISTED:
            return Listed(at, pid, tid, own)
        if kind == FORKED:
            return Birth(Forked(at=at, ppid=own, pid=pid), FORK_BODY.unpack_from(raw, HEADER.size)[0])
        if kind == EXECUTED:
            return _executed(raw, pid, own, at)
        if kind == ENDED_INSIDE:
            return EndedInside(at, pid, tid, tuple(left_open(tid, raw[HEADER.size :])))
        if kind == EXITED:
            slot, cpu = EXIT_BODY.unpack_from(raw, HEADER.size)
            return Death(Exited(at=at, pid=pid, status=own, cpu=cpu), slot)
        if kind == SIGNALLED:
            code, handled, ip = SIGNAL_BODY.unpack_from(raw, HEADER.size)
            return Signalled(at, pid, tid, own, code, bool(handled), ip)
        if kind == SENT:
            receiver, _, name = SENT_BODY.unpack_from(raw, HEADER.size)
            return SignalSent(at, receiver, own, pid, name.split(b"\0", 1)[0])
    except struct.error:
        return None
    return None


def _opened(raw: bytes, pid: int, tid: int, result: int, at: int) -> Opened | None:
    """None for a build of a library that is not there: the folder that it would be in is told."""
    flags, padded = OPENED_BODY.unpack_from(raw, HEADER.size)
    path = padded.split(b"\0", 1)[0]
    if result in _NOT_THERE and _VARIANT.search(path):
        return None
    return Opened(
        at,
        pid,
        tid,
        path,
        max(0, -result),
        flags & 0xFFFFFFFF,
        max(-1, result),
        bool(flags & INSIDE),
    )


def _refused(raw: bytes, pid: int, tid: int, result: int, at: int) -> RefusedCall | None:
    number, size, *arguments, data = REFUSED_CALL_BODY.unpack_from(raw, HEADER.size)
    call = BY_NUMBER.get(number)
    if call is None:
        return None
    told = data.split(b"\0", 1)[0] if call.path >= 0 else data[:size]
    return RefusedCall(at, pid, tid, call.name, max(0, -result), tuple(arguments), told)


def _executed(raw: bytes, pid: int, read: int, at: int) -> Executed:
    arguments, total, filename = EXECUTED_BODY.unpack_from(raw, HEADER.size)
    start = HEADER.size + EXECUTED_BODY.size
    memory = raw[start : start + max(0, read)]
    return Executed(
        at=at,
        pid=pid,
        filename=filename.split(b"\0", 1)[0],
        argv=memory[:arguments],
        environment=memory[arguments:],
        truncated=len(memory) < total,
    )
