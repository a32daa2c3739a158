"""Builds of packages without a part for the GPU, recognised by the files that lie beside the mapped ones, or do not."""

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase, translate

from inspector.stream.libraries import PackageRead
from inspector.stream.requests import PackagePlan
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.library import LibraryCache, RefusedError
from ...kernel.rootfs import Root
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..tolerant_reads import attempt
from .candidates import Folders
from .file_view import ProcessFiles, Rights

_GPU_LIBRARIES = ("libcuda.so*", "libcudart*.so*", "libcublas.so*", "libamdhip64.so*", "libvulkan.so*", "libOpenCL.so*")
"""A file that needs one of these has its part for the GPU in itself."""
_MOST_FOUND = 8


class PackagesSource(TreeObserver):
    """Looks around each mapped file that a plan names as the mark of a package, once a process and package."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._library_cache = LibraryCache()
        marks = [translate(mark) for plan in session.plan.packages for mark in plan.marks]
        self._marks = re.compile("|".join(marks) or "(?!)")
        self._seen: dict[int, set[str]] = {}

    def start(self) -> None:
        """Look at what is mapped, and at what will be."""
        self._session.tree.watch(self)
        for process in self._session.tree.processes():
            for mapping in list(process.mappings.values()):
                self.mapped(process, mapping)

    def executed(self, process: Tracked) -> None:
        """Another program uses packages of its own."""
        self._seen.pop(process.pid, None)

    def ended(self, process: Tracked) -> None:
        """Forget it."""
        self._seen.pop(process.pid, None)

    def mapped(self, process: Tracked, mapping: Mapping) -> None:
        """A file that may be the mark of a package."""
        name = os.path.basename(mapping.path)
        if self._marks.match(name) is None:
            return
        for plan in self._session.plan.packages:
            seen = self._seen.setdefault(process.pid, set())
            if plan.name not in seen and any(fnmatchcase(name, mark) for mark in plan.marks):
                seen.add(plan.name)
                self._look(process, mapping, plan)

    def _look(self, process: Tracked, mapping: Mapping, plan: PackagePlan) -> None:
        root = attempt(lambda: Root(process.pid), None)
        if root is None:
            return
        files = ProcessFiles(root, Rights.of(process.pid, process.program.uid if process.program else 0))
        self._session.loop.in_background(
            lambda: self._read(process.pid, mapping, plan, Folders(files)), self._session.sink.send
        )

    def _read(self, pid: int, mapping: Mapping, plan: PackagePlan, folders: Folders) -> PackageRead:
        """In the worker thread."""
        home = os.path.dirname(os.fsencode(mapping.path))
        gpu = list(_first(path for glob in plan.gpu for path in folders.glob(home, glob)))
        cpu = list(_first(path for glob in plan.cpu for path in folders.glob(home, glob)))
        own = self._needs_gpu(mapping)
        part = True if gpu or own else False if cpu or (plan.gpu and not plan.cpu) else None
        return PackageRead(
            at=self._session.loop.now(),
            pid=pid,
            package=plan.name,
            path=mapping.path,
            gpu_part=part,
            found=[decode(path) for path in gpu or cpu] or own,
            looked=[f"{decode(home)}/{glob}" for glob in plan.gpu] if part is False else [],
        )

    def _needs_gpu(self, mapping: Mapping) -> list[str]:
        """Libraries of a GPU that the mapped file itself needs: then nothing beside it has to."""
        try:
            needed = [decode(name) for name in self._library_cache.read(mapping.open_path).needed]
        except (OSError, ElfError, RefusedError):
            return []
        return [name for name in needed if any(fnmatchcase(name, glob) for glob in _GPU_LIBRARIES)]


def _first(paths: Iterable[bytes]) -> Iterator[bytes]:
    return (path for _, path in zip(range(_MOST_FOUND), paths, strict=False))
