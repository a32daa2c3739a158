"""The reactor from the collector's side: how it is started, what it is asked, what it tells."""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence

from ..access.opening import open_regular
from ..kernel import bpf
from ..kernel.bpf import ProgramKind
from ..kernel.counter_block import CounterBlock
from ..kernel.early_programs import EXEC_TRACEPOINT, EarlyMaps, exec_program
from ..kernel.kernel_maps import KernelMaps
from ..kernel.parent import end_with_parent
from ..kernel.perf import online_cpus
from .arming import Interests
from .cpu_threads import CpuThreads
from .file_claims import FileClaims
from .helper import run
from .messages import Arm, Armed, Begun, Observe, Order, Sync, Synced, Unable, Wait, pair, receive_answer, send

FUNCTIONS = 2048
"""So many can be counted in files that the reactor meets: 16 MiB of counters."""
GROUPS = 2048
_RING_BYTES = 1 << 16

Heard = Callable[[Armed | Unable, list[int]], None]


class Reactor:
    """A helper process, and its child that has threads for each processor."""

    YOUNG_SECONDS = CpuThreads.YOUNG_SECONDS

    def __init__(self, interests: Interests) -> None:
        """To be called while this process has one thread. OSError when the kernel refuses maps or programs."""
        with contextlib.ExitStack() as made:
            self.maps = KernelMaps()
            made.callback(self.maps.close)
            self.block = CounterBlock(self.maps.members, self.maps.calls, 0, FUNCTIONS)
            made.callback(self.block.close)
            self._early = EarlyMaps(max(online_cpus()) + 1, _RING_BYTES)
            made.callback(self._early.close)
            code = exec_program(self.maps.members, self._early)
            program = bpf.load_program(ProgramKind.RAW_TRACEPOINT, code, "program_begins")
            made.callback(os.close, program)
            made.callback(os.close, bpf.attach_raw_tracepoint(program, EXEC_TRACEPOINT))
            self._stack = made.pop_all()
        self._end, theirs = pair()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._end.close()
            self._become(parent, theirs, interests)
        theirs.close()
        self.maps.calls.take_groups(GROUPS)
        self._end.setblocking(False)
        self._heard: list[Heard] = []
        self.met: list[Armed] = []
        """The files that are counted."""
        self._met: set[tuple[int, int]] = set()
        """Their devices and inodes: to ask for one again would only be in the way of who sets probes."""
        self.first_reads = False
        """Whether each library is met before anything of it runs, whatever leads to it; known after `settle`."""
        self._number, self._synced, self.alive = 0, 0, True

    @property
    def fd(self) -> int:
        """Readable when `drain` has something to tell."""
        return self._end.fileno()

    def listen(self, heard: Heard) -> None:
        """Hear of files that are counted; the descriptors are the listener's then."""
        self._heard.append(heard)

    def arm(self, path: bytes, seen_as: bytes) -> None:
        """Have a file counted, if it offers something and can be read; `seen_as`: its path for its processes."""
        try:
            fd = open_regular(path)
        except (OSError, ValueError):
            return
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) not in self._met:
                self._ask(Arm(seen_as), [fd])
        finally:
            os.close(fd)

    def wait_for(self, names: list[str], program: str = "") -> None:
        """React to processes of these names wherever they begin a program, if it is the one that is waited for.

        `program`: how it may be called, so that what lies beside it is counted before it begins.
        """
        self._ask(Wait(names or ["*"], os.fsencode(program)))

    def observe(self, seconds: float) -> None:
        """React for so long to what processes of the tree open."""
        self._ask(Observe(seconds))

    def release(self, device: int, inode: int) -> None:
        """What it set on this file is gone; have it counted anew when it is met. In any thread."""
        self._met.discard((device, inode))
        FileClaims(self._early).release(device, inode)

    def ask_for_mark(self) -> int:
        """A number for `has_passed`."""
        self._number += 1
        self._ask(Sync(self._number))
        return self._number

    def has_passed(self, mark: int) -> bool:
        """Whether all that was asked before this mark is done and told; nothing more is to come of one that ended."""
        return self._synced >= mark or not self.alive

    def settle(self, seconds: float = 2.0) -> None:
        """Return when all that was asked is done and told, or when it takes too long."""
        mark = self.ask_for_mark()
        self._end.settimeout(seconds)
        try:
            while not self.has_passed(mark):
                self._take()
        except OSError:
            pass
        finally:
            self._end.setblocking(False)

    def drain(self) -> None:
        """Hand out what was told since the last call."""
        with contextlib.suppress(BlockingIOError):
            while self.alive:
                self._take()

    def close(self) -> None:
        """End the helper; what it has set stays with who holds the descriptors. Again at will."""
        self._end.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._stack.close()

    def _ask(self, order: Order, descriptors: Sequence[int] = ()) -> None:
        if self.alive:
            with contextlib.suppress(OSError):
                send(self._end, order, descriptors)

    def _take(self) -> None:
        told = receive_answer(self._end)
        if told is None:
            self.alive = False
            self._hand_out(Unable("first calls", "the helper process that sets probes early has ended"), [])
            return
        answer, descriptors = told
        if isinstance(answer, Synced):
            self._synced = answer.number
        elif isinstance(answer, Begun):
            self.first_reads = answer.first_reads
        else:
            self._hand_out(answer, descriptors)

    def _hand_out(self, answer: Armed | Unable, descriptors: list[int]) -> None:
        if isinstance(answer, Armed):
            self.met.append(answer)
            self._met.add((answer.device, answer.inode))
        for heard in self._heard:
            heard(answer, descriptors)

    def _become(self, parent: int, end: socket.socket, interests: Interests) -> None:
        try:
            end_with_parent(parent)
            run(end, self.maps, self._early, self.block, GROUPS, interests)
        finally:
            os._exit(0)
