"""By which means system calls are watched, found out by trying, and at which cost for everybody.

Best are programs on the exit of the kernel's own functions for the wanted calls (fexit, or return probes of the kernel
where there is no fexit): no other call is touched. Where the kernel refuses both there is a tracepoint that sees every
system call of every program on the machine (an enabled one sends all tasks through a slower path, SYSCALL_WORK_
SYSCALL_TRACEPOINT): it is to be on only while it can matter, and to set it or take it away takes less than 1 ms.
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import Literal

from . import bpf, perf
from .assembler import Assembler
from .attach import close_all
from .bpf import BpfError, ProgramKind
from .btf import BtfError, kernel_functions, kernel_tracepoint
from .membership import Membership
from .syscall_context import FUNCTION_EXIT, FUNCTION_RETURN, SyscallMaps
from .syscall_programs import any_call_program, call_program
from .system_calls import CALLS, Call

MeansName = Literal["fexit", "kretprobe", "tracepoint", "none"]
_Attach = Callable[[Call], int]
_NEEDED = ("openat", "newfstatat", "ioctl")
"""Without these the functions are no better than the tracepoint."""
_NO_FUNCTION = 1
"""The first type of a kernel is a number."""


class SyscallWatch:
    """Programs on system calls. The tracepoint is on from the beginning; better means replace it when they are ready.

    `means` may change until then; `on` says whether calls are told right now.
    """

    def __init__(self, members: Membership, maps: SyscallMaps) -> None:
        self._members = members
        self._maps = maps
        self._held: list[int] = []
        self._program = -1
        self._link = -1
        self._lock = threading.Lock()
        self._closing = False
        self.means: MeansName = "none"
        self.refusals: list[str] = []
        """Why better means were refused, in the kernel's words."""
        try:
            code = any_call_program(members, maps)
            target = kernel_tracepoint("sys_exit")
            kind, attach = ProgramKind.TRACING, bpf.TYPED_TRACEPOINT
            self._program = bpf.load_program(kind, code, "sys_exit", attach=attach, function=target)
            self.resume()
            self.means = "tracepoint"
        except (BpfError, BtfError) as error:
            self.refusals.append(f"tracepoint: {error}")

    @property
    def on(self) -> bool:
        """Whether system calls are told."""
        return self._link >= 0 or self.means in ("fexit", "kretprobe")

    def resume(self) -> None:
        """Set the tracepoint again if that is what there is; OSError when the kernel refuses it now."""
        with self._lock:
            if self._link < 0 <= self._program and self.means in ("none", "tracepoint") and not self._closing:
                self._link = bpf.attach_typed(self._program, "sys_exit")

    def suspend(self) -> None:
        """Take the tracepoint away: system calls of the machine are as quick as without us."""
        with self._lock:
            if self._link >= 0:
                os.close(self._link)
                self._link = -1

    def improve(self) -> None:
        """Try to do without the tracepoint. Takes 0.1 to some seconds, mostly of the kernel's time: in a thread."""
        better: tuple[tuple[MeansName, Callable[[], _Attach]], ...] = (
            ("fexit", self._function_exits),
            ("kretprobe", self._function_returns),
        )
        for means, prepare in better:
            try:
                held = self._attach_all(prepare())
            except (OSError, BtfError, ValueError) as error:
                self.refusals.append(f"{means}: {str(error).splitlines()[0]}")
                continue
            self._switch(means, held)
            return

    def close(self) -> None:
        """Take all of it away."""
        with self._lock:
            self._closing = True
            held, self._held = self._held, []
        self.suspend()
        close_all(held)
        if self._program >= 0:
            os.close(self._program)
            self._program = -1

    def _function_exits(self) -> _Attach:
        _ask_for_function_exits()
        numbers = kernel_functions(call.function for call in CALLS)

        def attach(call: Call) -> int:
            if call.function not in numbers:
                raise BtfError(f"this kernel does not report {call.function}")
            code = call_program(self._members, self._maps, call, FUNCTION_EXIT)
            target = numbers[call.function]
            program = bpf.load_program(ProgramKind.TRACING, code, call.name, attach=bpf.FUNCTION_EXIT, function=target)
            return _used(program, lambda: bpf.attach_typed(program, call.function))

        return attach

    def _function_returns(self) -> _Attach:
        def attach(call: Call) -> int:
            code = call_program(self._members, self._maps, call, FUNCTION_RETURN)
            program = bpf.load_program(ProgramKind.UPROBE, code, call.name)
            return _used(program, lambda: perf.attach_kernel_return(program, call.function))

        return attach

    def _attach_all(self, attach: _Attach) -> list[int]:
        """Those that the answer needs first: a kernel that refuses one of them refuses the means."""
        held: list[int] = []
        try:
            for call in CALLS:
                if call.name in _NEEDED:
                    held.append(attach(call))
            self._attach_others(attach, held)
        except (OSError, BtfError):
            close_all(held)
            raise
        return held

    def _attach_others(self, attach: _Attach, held: list[int]) -> None:
        """What can be had: an old kernel lacks new system calls. Its verifier's refusal is another matter (Linux 5.10
        has some): then the tracepoint tells of more."""
        for call in CALLS:
            if self._closing:
                return
            if call.name in _NEEDED:
                continue
            try:
                held.append(attach(call))
            except BtfError:
                continue
            except OSError as refused:
                if refused.errno == errno.EACCES:
                    raise

    def _switch(self, means: MeansName, held: list[int]) -> None:
        self._members.let_functions_tell()
        self.means = means
        self._hold(held)
        self.suspend()

    def _hold(self, fds: list[int]) -> None:
        with self._lock:
            if not self._closing:
                self._held += fds
                return
        close_all(fds)


def _ask_for_function_exits() -> None:
    """BpfError when they are refused whatever the function: asked with a type that is none, before types are read."""
    code = Assembler()
    code.leave()
    kind, attach = ProgramKind.TRACING, bpf.FUNCTION_EXIT
    try:
        os.close(bpf.load_program(kind, code.build(), "asks", attach=attach, function=_NO_FUNCTION))
    except BpfError as error:
        if error.errno != errno.EINVAL:
            raise


def _used(program: int, attach: Callable[[], int]) -> int:
    """The link alone keeps the program."""
    try:
        return attach()
    finally:
        os.close(program)
