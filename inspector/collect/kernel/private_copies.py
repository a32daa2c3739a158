"""Which mappings of a process ever held a private copy of a page: the kernel remembers it, also when the copy is gone.

A probe, a debugger's breakpoint or a patch needs a private copy of the code page, and the kernel then gives the mapping
an anon_vma (mm/memory.c, kernel/events/uprobes.c), which it keeps until the mapping goes. No file under /proc tells
that, so a BPF iterator over the mappings of one process reads it (Linux 5.12, Documentation/bpf/bpf_iterators.rst).
"""

import os
import struct
from typing import Final

from . import bpf
from .assembler import Assembler, Helper, Reg
from .bpf import ProgramKind
from .btf import BtfError, kernel_type_data
from .identities import foreign_pid_namespace

_ITERATOR: Final = "bpf_iter_task_vma"
_OF_MAPPING: Final = ("vm_area_struct.vm_start", "vm_area_struct.vm_end", "vm_area_struct.anon_vma")
_FIELDS: Final = (*_OF_MAPPING, "task_struct.tgid")
_ROW: Final = struct.Struct("<QQQ")
"""Start and end of a mapping, address of its anon_vma."""
_META, _TASK, _MAPPING = 0, 8, 16
"""struct bpf_iter__task_vma of kernel/bpf/task_iter.c; its meta begins with the seq_file."""
_BLOCK: Final = 1 << 16


class PrivateCopies:
    """Asks the running kernel; reading its type data takes some 40 ms, once, at the first question."""

    def __init__(self) -> None:
        self._function = 0
        self._fields: dict[str, int] = {}

    def ever(self, pid: int) -> list[tuple[int, int]] | None:
        """Start and end of each mapping that has, or once had, private copies; None when that cannot be known here."""
        if foreign_pid_namespace():
            return None
        try:
            self._learn()
            program = bpf.load_program(
                ProgramKind.TRACING, self._code(pid), "mappings", attach=bpf.TRACE_ITER, function=self._function
            )
            try:
                iterator = bpf.task_iterator(program, pid)
            finally:
                os.close(program)
            with os.fdopen(iterator, "rb", buffering=0) as rows:
                found = _ROW.iter_unpack(_read_all(rows.fileno()))
                return [(start, end) for start, end, copies in found if copies]
        except (OSError, BtfError, struct.error):
            return None

    def _learn(self) -> None:
        if not self._fields:
            types = kernel_type_data()
            self._function, self._fields = types.function(_ITERATOR), types.offsets(_FIELDS)

    def _code(self, pid: int) -> bytes:
        """(meta, task, mapping): one row a mapping; kernels before 6.1 walk all processes, so ours is told here."""
        a = Assembler()
        a.move(Reg.R6, Reg.R1)
        for place, register in ((_TASK, Reg.R7), (_MAPPING, Reg.R8)):
            a.load(register, Reg.R6, place)
            a.jump_if(register, "==", 0, "out")
        a.load(Reg.R1, Reg.R7, self._fields["task_struct.tgid"], 4)
        a.jump_if(Reg.R1, "!=", pid, "out")
        for place, field in enumerate(_OF_MAPPING):
            a.load(Reg.R1, Reg.R8, self._fields[field])
            a.store(Reg.R10, 8 * place - _ROW.size, Reg.R1)
        a.load(Reg.R1, Reg.R6, _META)
        a.load(Reg.R1, Reg.R1, 0)
        a.stack_address(Reg.R2, -_ROW.size)
        a.move(Reg.R3, _ROW.size)
        a.call(Helper.SEQ_WRITE)
        a.label("out")
        a.leave()
        return a.build()


def _read_all(fd: int) -> bytes:
    found = []
    while block := os.read(fd, _BLOCK):
        found.append(block)
    return b"".join(found)
