"""Threads that are busy inside an API and do not leave it: the same call of the same caller in every sample."""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Final

from inspector.stream.processes import ThreadWaits
from inspector.stream.stacks import CodeFrame, StackTaken

from ...kernel import procfs
from ...kernel.thread_samples import ThreadSample, samples
from ..libraries.addresses import CodeRange
from ..tolerant_reads import attempt
from .native import NativeFrames

_SECONDS: Final = 0.6
_LEAST: Final = 3
"""Samples: fewer prove nothing."""
_MOST_READ: Final = 6
_MOST_THREADS: Final = 4
_TICKS: Final = 3
"""Of CPU time between two looks, from which on a thread is busy."""


def running(pid: int) -> dict[int, int]:
    """By thread: CPU time in clock ticks of those that are on a processor, or wait for one, and in no system call."""
    threads = attempt(lambda: os.listdir(f"/proc/{pid}/task"), list[str]())
    found = {int(tid): attempt(partial(_ticks, pid, int(tid)), None) for tid in threads}
    return {tid: ticks for tid, ticks in found.items() if ticks is not None}


def _ticks(pid: int, tid: int) -> int | None:
    if procfs.read(pid, f"task/{tid}/syscall").strip() != b"running":
        return None
    fields = procfs.read(pid, f"task/{tid}/stat").rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def stuck(
    pid: int, before: dict[int, int], places: Sequence[CodeRange], provided: Collection[str], now: int
) -> Iterator[tuple[ThreadWaits, StackTaken]]:
    """Of threads that were busy since a look: those that did not leave a call of a library of an API."""
    after = running(pid)
    spent = {tid: after[tid] - ticks for tid, ticks in before.items() if tid in after}
    busy = sorted((tid for tid, ticks in spent.items() if ticks >= _TICKS), key=lambda tid: -spent[tid])
    native = NativeFrames()
    try:
        for tid in busy[:_MOST_THREADS]:
            frames, end = _frames(native, tid, places, provided)
            if frames:
                waits = ThreadWaits(at=now, pid=pid, tid=tid, busy=True)
                stack = StackTaken(
                    at=now, pid=pid, tid=tid, occasion="waiting", moment=now, native=frames, native_end=end
                )
                yield waits, stack
    finally:
        native.close()


def _frames(
    native: NativeFrames, tid: int, places: Sequence[CodeRange], provided: Collection[str]
) -> tuple[list[CodeFrame], str]:
    """Of the newest sample, where all samples are in one call; else none.

    A sample whose stack could not be followed to such a call says nothing.
    """
    taken = attempt(partial(samples, tid, _SECONDS), list[ThreadSample]())
    if len(taken) < _LEAST:
        return [], ""
    step = max(1, len(taken) // _MOST_READ)
    stacks = [native.running(one.registers, one.stack, places) for one in taken[::step]]
    telling = [(frames, end) for frames, end in stacks if not end or call_of(frames, provided) is not None]
    calls = {call_of(frames, provided) for frames, _ in telling}
    return telling[-1] if len(telling) >= _LEAST and len(calls) == 1 and None not in calls else ([], "")


def call_of(frames: list[CodeFrame], provided: Collection[str]) -> tuple[str, str, CodeFrame | None] | None:
    """The outermost function of such a library, and the place that called it."""
    inside = [number for number, frame in enumerate(frames) if frame.path in provided and frame.symbol]
    if not inside:
        return None
    last = inside[-1]
    return frames[last].path, frames[last].symbol, frames[last + 1] if last + 1 < len(frames) else None
