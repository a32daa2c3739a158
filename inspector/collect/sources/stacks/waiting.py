"""Threads that wait inside an API, perhaps since before we attached: what they called is on their stacks, and a stack
that does not move can be read without stopping anybody. It tells of calls whose beginning was missed.

A thread that sleeps in a system call tells its stack pointer and instruction pointer (proc_pid_syscall(5)); as long as
both, and how often it was switched, stay the same, nothing of its stack changes.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from inspector.stream.libraries import ImageRead
from inspector.stream.processes import ThreadWaits
from inspector.stream.stacks import StackTaken

from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.syscalls import name_of
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..libraries.addresses import CodeRange
from ..tolerant_reads import attempt
from .native import NativeFrames
from .polling import polling
from .spinning import running, stuck

_SETTLED: Final = 0.1
"""Seconds until the first look: libraries are known by then."""
_YOUNG: Final = 1.5
"""The same in a process that began under our eyes: its calls are counted, only the first may have been missed."""
_STILL: Final = 0.8
"""Seconds for which a thread must not have moved."""
_LAST: Final = 2.0
"""Seconds for what is being read when the observation ends."""
_MOST_THREADS: Final = 512
_MOST_PROCESSES: Final = 256
"""That are looked at: a busy tree has many that are alike."""
_STACK: Final = 64 << 10
_PAGE: Final = 4 << 10
_SWITCHES: Final = (b"voluntary_ctxt_switches", b"nonvoluntary_ctxt_switches")


class Rest(msgspec.Struct, frozen=True):
    """Where a thread waits; equal as long as it has not moved."""

    syscall: int
    sp: int
    pc: int
    switches: tuple[bytes, ...]


class WaitingThreads(TreeObserver):
    """Looks once at each process that has a provider of an API mapped."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = session.loop.now()
        self._sonames = {soname for api in session.plan.apis for soname in api.sonames}
        self._seen: set[int] = set()
        self._looked = 0
        self._provided: set[str] = set()
        """Files, by identity, that call themselves by a name of an API."""
        self._reading: list[threading.Thread] = []
        """Not the worker thread, where predictions, hashes and whole memories may wait before it."""

    def start(self) -> None:
        """Hear of the libraries that are mapped already."""
        self._session.tree.watch(self)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A library of an API: is somebody inside it?"""
        if image.soname in self._sonames:
            self._provided.add(image.file)
        if not process.readable or process.pid in self._seen or self._looked >= _MOST_PROCESSES:
            return
        if {image.soname or "", os.path.basename(mapping.path)} & self._sonames:
            self._seen.add(process.pid)
            self._looked += 1
            patience = _SETTLED if process.started < self._began else _YOUNG
            self._session.loop.after(patience, lambda: self._first(process))

    def ended(self, process: Tracked) -> None:
        """Its number may be given to another one."""
        self._seen.discard(process.pid)

    def _first(self, process: Tracked) -> None:
        before = resting(process.pid) if process.alive else {}
        busy = running(process.pid) if process.alive else {}
        if before or busy:
            self._session.loop.after(_STILL, lambda: self._second(process, before, busy))

    def _second(self, process: Tracked, before: dict[int, Rest], busy: dict[int, int]) -> None:
        places = [
            CodeRange(one.start, one.end, one.path, one.file, one.offset, one.open_path)
            for one in process.mappings.values()
        ]
        now = self._session.loop.now()
        provided = {one.path for one in process.mappings.values() if self._is_named(one)}

        def read() -> None:
            for waits, stack in _read(process.pid, before, places, now):
                if any(frame.path in provided and frame.symbol for frame in stack.native):
                    self._session.sink.send(waits)
                    self._session.sink.send(stack)
            now_again = resting(process.pid)
            naps = {tid: rest for tid, rest in now_again.items() if _naps(before.get(tid), rest)}
            for waits, stack in polling(process.pid, naps, _look(process.pid), _stack, places, provided, now):
                self._session.sink.send(waits)
                self._session.sink.send(stack)
            for waits, stack in stuck(process.pid, busy, places, provided, now):
                self._session.sink.send(waits)
                self._session.sink.send(stack)

        thread = threading.Thread(target=read, name="waiting-threads", daemon=True)
        self._reading.append(thread)
        thread.start()

    def _is_named(self, mapping: Mapping) -> bool:
        """Whether a file is one of an API, as far as its name or what was read of it tells."""
        return os.path.basename(mapping.path) in self._sonames or mapping.file in self._provided

    def close(self) -> None:
        """What is being read is told yet."""
        end = time.monotonic() + _LAST
        for thread in self._reading:
            thread.join(max(0.0, end - time.monotonic()))


def resting(pid: int) -> dict[int, Rest]:
    """By thread: those that sleep in a system call."""
    threads = attempt(lambda: os.listdir(f"/proc/{pid}/task"), list[str]())[:_MOST_THREADS]
    found = {int(tid): attempt(partial(_rest, pid, int(tid)), None) for tid in threads}
    return {tid: rest for tid, rest in found.items() if rest is not None}


def _naps(before: Rest | None, now: Rest) -> bool:
    """It slept there before, and has been awake since."""
    there = (now.syscall, now.sp, now.pc)
    return before is not None and before.switches != now.switches and (before.syscall, before.sp, before.pc) == there


def _look(pid: int) -> Callable[[int], Rest | None]:
    return lambda tid: attempt(partial(_rest, pid, tid), None)


def _rest(pid: int, tid: int) -> Rest | None:
    """ValueError where it runs, or sleeps in no system call."""
    fields = procfs.read(pid, f"task/{tid}/syscall").split()
    number, sp, pc = int(fields[0]), int(fields[-2], 16), int(fields[-1], 16)
    status = procfs.read(pid, f"task/{tid}/status").splitlines()
    switches = tuple(line.split()[-1] for line in status if line.startswith(_SWITCHES))
    return Rest(number, sp, pc, switches) if number >= 0 else None


def _read(
    pid: int, before: dict[int, Rest], places: list[CodeRange], now: int
) -> Iterator[tuple[ThreadWaits, StackTaken]]:
    native = NativeFrames()
    try:
        with Memory(pid) as memory:
            for tid, rest in before.items():
                stack = _stack(memory, rest.sp)
                if attempt(partial(_rest, pid, tid), None) != rest:
                    continue
                frames, end = native.waiting(rest.pc, rest.sp, stack, places)
                wchan = attempt(partial(procfs.read, pid, f"task/{tid}/wchan"), b"").decode("ascii", "replace")
                waits = ThreadWaits(
                    at=now, pid=pid, tid=tid, syscall=name_of(rest.syscall), wchan="" if wchan == "0" else wchan
                )
                yield (
                    waits,
                    StackTaken(at=now, pid=pid, tid=tid, occasion="waiting", moment=now, native=frames, native_end=end),
                )
    except OSError:
        return  # gone, or not ours to read: the doctor and the limits say so
    finally:
        native.close()


def _stack(memory: Memory, sp: int) -> bytes:
    """From the stack pointer on, to the end of the stack where that is near."""
    found = b""
    while len(found) < _STACK:
        here = sp + len(found)
        piece = attempt(partial(memory.read, here, _PAGE - here % _PAGE), b"")
        if not piece:
            break
        found += piece
    return found
