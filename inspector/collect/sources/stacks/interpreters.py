"""Which processes run CPython, and where its frames lie in each."""

from collections.abc import Callable

from ...kernel.memory import Memory
from ...python.layouts import (
    Interpreter,
    Layout,
    UnknownPythonError,
    for_kernel,
    interpreter_in,
    layout_of,
    may_hold_python,
)
from ..contract import Mapping, Tracked, TreeObserver
from ..libraries.library_summaries import LibrarySummaries

_FILES_KEPT = 1024


class Interpreters(TreeObserver):
    """Tells the kernel of each process that runs CPython, as soon as the file that holds it is mapped."""

    def __init__(self, know: Callable[[int, bytes], None], forget: Callable[[int], None]) -> None:
        self._know, self._forget = know, forget
        self._files: dict[str, Interpreter | None] = {}
        self._layouts: dict[int, Layout | str] = {}
        """By pid; words say why its frames cannot be read."""
        self._packed: dict[int, bytes] = {}
        self._summaries = LibrarySummaries()

    def layout(self, pid: int) -> Layout | str | None:
        """Where frames lie in a process, or why they cannot be read; None when it runs no CPython that we know of."""
        return self._layouts.get(pid)

    def born(self, process: Tracked) -> None:
        """A child has the memory of its parent until it executes another program."""
        if process.ppid in self._packed and process.pid not in self._layouts and process.program is None:
            self._layouts[process.pid] = self._layouts[process.ppid]
            self._packed[process.pid] = self._packed[process.ppid]
            self._know(process.pid, self._packed[process.pid])

    def executed(self, process: Tracked) -> None:
        """Another program has other addresses."""
        self._drop(process.pid)
        for mapping in list(process.mappings.values()):
            self.mapped(process, mapping)

    def ended(self, process: Tracked) -> None:
        """Its number may be given to another one; what it left behind may still be on its way to us."""
        if self._packed.pop(process.pid, None) is not None:
            self._forget(process.pid)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """Take in a mapped file, which may be the interpreter."""
        if process.pid in self._packed or not process.alive:
            return
        executable = process.program.exe if process.program else ""
        if not may_hold_python(mapping.path, executable):
            return
        found = self._interpreter(mapping)
        if found is not None:
            self._begin(process.pid, found, self._bias(mapping))

    def _begin(self, pid: int, found: Interpreter, bias: int) -> None:
        def read(address: int, size: int) -> bytes:
            with Memory(pid) as memory:
                return memory.read(address, size)

        try:
            layout = layout_of(found, bias, read)
        except UnknownPythonError as problem:
            self._layouts[pid] = str(problem)
            return
        self._layouts[pid] = layout
        self._packed[pid] = for_kernel(layout, found, bias)
        self._know(pid, self._packed[pid])

    def _interpreter(self, mapping: Mapping) -> Interpreter | None:
        if mapping.file not in self._files:
            if len(self._files) >= _FILES_KEPT:
                self._files.clear()
            self._files[mapping.file] = interpreter_in(mapping.open_path)
        return self._files[mapping.file]

    def _bias(self, mapping: Mapping) -> int:
        return self._summaries.of(mapping.file, [mapping.open_path]).bias(mapping.start, mapping.offset)

    def _drop(self, pid: int) -> None:
        self._layouts.pop(pid, None)
        if self._packed.pop(pid, None) is not None:
            self._forget(pid)
