"""Call stacks at the moment of an event: asked for by the programs on calls, look-ups and signals, told as records."""

import contextlib
import os
import struct

from . import bpf
from .bpf import ProgramKind
from .btf import BtfError
from .engine import Engine
from .membership import HEADER
from .records import InterpreterFrame, Record, StackCopied
from .stack_programs import BODY, FRAME, FRAMES, STACK, STACK_BYTES, stack_program
from .uprobes import UprobeProgram

_FIRST = struct.Struct("<I")


class Stacks:
    """A source of `StackCopied` records; `problem` says in words why there are none, where the kernel refuses."""

    def __init__(self, engine: Engine) -> None:
        self._members, self._maps = engine.members, engine.maps.stacks
        self._stack = contextlib.ExitStack()
        self.problem = ""
        engine.add_source(self)

    def load(self) -> None:
        """Copy stacks from now on; some 0.1 s, so any thread may call it."""
        try:
            probe = UprobeProgram(stack_program(self._members, self._maps, tracepoint=False), "copy_stack")
            self._stack.callback(probe.close)
            code = stack_program(self._members, self._maps, tracepoint=True)
            tracepoint = bpf.load_program(ProgramKind.RAW_TRACEPOINT, code, "copy_stack")
            self._stack.callback(os.close, tracepoint)
            for table, program in ((self._maps.probes, probe.fd), (self._maps.tracepoints, tracepoint)):
                table.put(_FIRST.pack(0), _FIRST.pack(program))
        except (OSError, BtfError) as error:
            self.problem = f"the kernel refuses to copy call stacks ({error})"

    @property
    def fd(self) -> int:
        """Readable when `drain` has something to tell."""
        return self._maps.ring.fd

    def know_python(self, pid: int, layout: bytes) -> None:
        """Where CPython keeps its frames in a process (`interpreter_fields.PYTHON`); nothing when there is no room."""
        with contextlib.suppress(OSError):
            self._maps.pythons.put(_FIRST.pack(pid), layout)

    def forget(self, pid: int) -> None:
        """The process runs another program now, or none."""
        self._maps.pythons.delete(_FIRST.pack(pid))

    def drain(self) -> list[Record]:
        """Stacks since the last call."""
        return [record for raw in self._maps.ring.drain() if (record := parse(raw)) is not None]

    def close(self) -> None:
        """Copy no more."""
        for table in (self._maps.probes, self._maps.tracepoints):
            table.delete(_FIRST.pack(0))
        self._stack.close()


def parse(raw: bytes) -> StackCopied | None:
    """One record of the ring; None when it is none."""
    try:
        kind, pid, tid, function, at = HEADER.unpack_from(raw)
        if kind != STACK:
            return None
        occasion, python, moment, *rest = BODY.unpack_from(raw, HEADER.size)
        *registers, size, count = rest
        begin = HEADER.size + BODY.size
        frames = [_frame(raw, begin + STACK_BYTES + place * FRAME.size) for place in range(min(count, FRAMES))]
    except struct.error:
        return None
    stack = raw[begin : begin + min(size, STACK_BYTES)]
    return StackCopied(
        at, pid, tid, occasion, function, moment, tuple(registers), stack, python,
        tuple(frame for frame in frames if frame is not None), count >= FRAMES,
    )  # fmt: skip


def _frame(raw: bytes, at: int) -> InterpreterFrame | None:
    code, instruction, first, owner, has_code, _, *rest = FRAME.unpack_from(raw, at)
    if not has_code:
        return None
    length, state, _, file, name_length, name_state, _, name, size, table = rest
    return InterpreterFrame(
        code, instruction, first, owner & 0xFF, (length, state, file), (name_length, name_state, name),
        size, table[: min(size, len(table))],
    )  # fmt: skip
