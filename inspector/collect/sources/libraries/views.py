"""Everything that one look reads of a process, living or gone, before anything is made of it."""

import os
import re
from collections.abc import Sequence

import msgspec

from inspector.collect.access.mounts import NotAnsweringError
from inspector.collect.access.opening import read_regular
from inspector.collect.access.reader import NO_GROUP, Reader

from ...elf.linkmap import LinkMap, read_link_map
from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.procfs import MapLine
from ...kernel.records import Mapped
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..preload_entries import file_entries, list_entries
from ..tolerant_reads import attempt
from .identity import map_file
from .routes import Start

_NO_LIBRARY = re.compile(rb"/dev/zero|/SYSV|//anon|/anon_hugepage|\[|/dev/shm/(?!.*\.so[^/]*$)")
"""Executable mappings that are memory with a name, not files."""


class View(msgspec.Struct, frozen=True):
    """What was read; the look itself touches nothing but files."""

    process: Tracked
    lines: list[MapLine]
    """Executable mappings of files."""
    root: Root | None
    """None when the process is gone and saw another file tree than ours."""
    link_map: LinkMap | None
    """None when there is none (static program, no right to read memory, gone)."""
    interpreter: int
    """AT_BASE."""

    def inside(self, line: MapLine) -> bytes:
        """The path of a mapping as the process sees it."""
        return self.root.inside(line.path) if self.root else line.path

    def real(self, path: bytes) -> bytes:
        """A path without symbolic links, as the process sees it; unchanged when it leads nowhere."""
        root = self.root
        return attempt(lambda: root.resolve(path).real, path) if root else path

    def open_paths(self, line: MapLine) -> list[bytes]:
        """Paths that may lead to exactly the mapped file; the plain one first, for it outlives the process."""
        by_mapping = map_file(self.process.pid, line.start, line.end)
        if self.root is None:
            return [by_mapping]
        plain = self.root.outside(self.root.inside(line.path))
        try:
            fits = self.root.aside(line.path, lambda: attempt(lambda: os.stat(plain).st_ino, 0)) == line.inode
        except NotAnsweringError:
            return []
        return [plain, by_mapping] if fits else [by_mapping, plain]

    def start(self) -> Start:
        """What decides about routes."""
        environment, program = self.process.raw_environment, self.process.program
        preloads = [(entry, "LD_PRELOAD") for entry in list_entries(environment.get(b"LD_PRELOAD", b""))]
        listed = [(entry, "/etc/ld.so.preload") for entry in file_entries(self._preload_file())]
        return Start(
            program=os.fsencode(program.exe) if program else b"",
            interpreter=self.interpreter or self._interpreter_base(),
            preloads=preloads + listed,
            audits=list_entries(environment.get(b"LD_AUDIT", b"")),
        )

    def _interpreter_base(self) -> int:
        """Without an auxiliary vector: where the file lies that PT_INTERP names."""
        program = self.process.program
        if program is None or program.interpreter is None:
            return 0
        path = self.real(os.fsencode(program.interpreter))
        return next((line.start - line.offset for line in self.lines if line.path == path), 0)

    def _preload_file(self) -> bytes:
        root = self.root
        if root is None:
            return b""
        try:
            return read_regular(root.outside(root.resolve(b"/etc/ld.so.preload").real), 1 << 16)
        except OSError:
            return b""


def view_living(process: Tracked) -> View:
    """Read a living process; OSError when it is gone or refuses."""
    auxiliary = attempt(lambda: procfs.auxiliary(process.pid), dict[int, int]())
    return View(
        process=process,
        lines=_libraries(procfs.executable_maps(process.pid)),
        root=Root(process.pid),
        link_map=attempt(lambda: _link_map(process.pid, auxiliary), None),
        interpreter=auxiliary.get(procfs.AT_BASE, 0),
    )


def view_gone(process: Tracked, records: Sequence[Mapped]) -> View:
    """What the kernel's records alone tell of a process that ended before it could be read."""
    foreign = process.program is not None and process.program.own_root
    return View(
        process=process,
        lines=_libraries(list({record.start: _line(record) for record in records if record.inode}.values())),
        root=None if foreign else Root(os.getpid(), _reader_of_gone(process)),
        link_map=None,
        interpreter=0,
    )


def _reader_of_gone(process: Tracked) -> Reader | None:
    """As whom a process that is gone opened files: its user, without the groups that nobody can tell any more."""
    uid = process.program.uid if process.program is not None else 0
    return Reader(uid, NO_GROUP) if uid != os.geteuid() else None


def _libraries(lines: list[MapLine]) -> list[MapLine]:
    return [line for line in lines if not _NO_LIBRARY.match(line.path)]


def _line(record: Mapped) -> MapLine:
    end = record.start + record.length
    return MapLine(record.start, end, "r-xp", record.offset, record.major, record.minor, record.inode, record.path)


def _link_map(pid: int, auxiliary: dict[int, int]) -> LinkMap:
    with Memory(pid) as memory:
        return read_link_map(memory, auxiliary)
