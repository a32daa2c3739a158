"""Threads that sleep, wake and sleep again inside an API, and do not leave it: the same call of the same caller in each
look. Drivers poll so: for a device, a lock, the far side of a socket.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from inspector.stream.processes import ThreadWaits
from inspector.stream.stacks import CodeFrame, StackTaken

from ...kernel.memory import Memory
from ...kernel.syscalls import name_of
from ..libraries.addresses import CodeRange
from .native import NativeFrames
from .spinning import call_of

_LOOKS: Final = 40
_PAUSE: Final = 0.017
"""Seconds between two looks: no divisor of usual naps."""
_LEAST: Final = 4
"""Looks at different naps: fewer prove nothing."""
_MOST_NAPS: Final = 64
_MOST_THREADS: Final = 4
Taken = tuple[list[CodeFrame], str]
"""Frames, the innermost first, and why there are no more."""


class Nap(Protocol):
    """Where a thread sleeps."""

    @property
    def syscall(self) -> int:
        """Its number."""

    @property
    def sp(self) -> int:
        """The stack pointer."""

    @property
    def pc(self) -> int:
        """The instruction behind the call."""

    @property
    def switches(self) -> tuple[bytes, ...]:
        """How often it was switched so far: another number, another nap."""


def polling(
    pid: int,
    naps: Mapping[int, Nap],
    look: Callable[[int], Nap | None],
    stack_of: Callable[[Memory, int], bytes],
    places: Sequence[CodeRange],
    provided: Collection[str],
    now: int,
) -> Iterator[tuple[ThreadWaits, StackTaken]]:
    """Of threads that sleep now and then at one place: those that did so inside one call of a library of an API."""
    native = NativeFrames()
    try:
        with Memory(pid) as memory:
            watch = _Watch(memory, native, look, stack_of, places)
            inside = (tid for tid in list(naps)[:_MOST_NAPS] if call_of(watch.taken(tid, naps[tid])[0], provided))
            for tid in islice(inside, _MOST_THREADS):
                seen = watch.naps(tid, naps[tid])
                calls = {call_of(frames, provided) for frames, _ in seen}
                if len(seen) < _LEAST or len(calls) != 1 or None in calls:
                    continue
                frames, end = seen[-1]
                yield (
                    ThreadWaits(at=now, pid=pid, tid=tid, syscall=name_of(naps[tid].syscall), again=True),
                    StackTaken(at=now, pid=pid, tid=tid, occasion="waiting", moment=now, native=frames, native_end=end),
                )
    except OSError:
        return  # gone, or not ours to read
    finally:
        native.close()


@dataclass(frozen=True, slots=True)
class _Watch:
    """Looks at the threads of one process while they sleep."""

    memory: Memory
    native: NativeFrames
    look: Callable[[int], Nap | None]
    stack_of: Callable[[Memory, int], bytes]
    places: Sequence[CodeRange]

    def taken(self, tid: int, nap: Nap) -> Taken:
        """Its stack during this nap; nothing where it woke meanwhile."""
        stack = self.stack_of(self.memory, nap.sp)
        return self.native.waiting(nap.pc, nap.sp, stack, self.places) if self.look(tid) == nap else ([], "")

    def naps(self, tid: int, first: Nap) -> list[Taken]:
        """Stacks of different naps at the same place."""
        seen: dict[tuple[bytes, ...], Taken] = {}
        for _ in range(_LOOKS):
            nap = self.look(tid)
            if nap is not None and _position(nap) == _position(first) and nap.switches not in seen:
                taken = self.taken(tid, nap)
                if taken[0]:
                    seen[nap.switches] = taken
            if len(seen) > _LEAST:
                break
            time.sleep(_PAUSE)
        return list(seen.values())


def _position(nap: Nap) -> tuple[int, int, int]:
    return nap.syscall, nap.sp, nap.pc
