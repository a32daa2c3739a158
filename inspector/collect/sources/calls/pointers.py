"""Who holds addresses of API functions: a search of a process's writable memory, by reading only.

A function that was looked up with dlsym leaves its address in a variable; GOT slots and tables that the loader fills
in are left out. Small processes that lived before us are searched by themselves, others when asked (`ScanPointers`).
"""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table

import msgspec

from inspector.stream.base import Event, Request
from inspector.stream.libraries import ImageRead, PointersHeld
from inspector.stream.requests import ScanPointers
from inspector.stream.session import RequestFailed, WorkProgressed
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.relocations import relocated_words
from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.pages import PageTable
from ...kernel.pointers import Area, Hit, find_addresses, writable_areas
from ...kernel.procfs import MapLine
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..per_file import PerFile

SMALL_BYTES = 64 << 20
"""Writable memory that is searched without being asked."""
MOST_BYTES = 16 << 30
_PROGRESS_BYTES = 256 << 20


class Provider(msgspec.Struct, frozen=True):
    """A mapped library and its exported functions."""

    path: str
    functions: Table[int, list[str]]
    """Address in the process -> names."""

    @classmethod
    def of(cls, mapping: Mapping, image: ImageRead) -> "Provider":
        """Addresses of the functions that a mapped file exports: its load bias plus their values in the file."""
        functions: dict[int, list[str]] = {}
        for export in image.exports:
            if export.kind == "func":
                functions.setdefault(mapping.base + export.address, []).append(export.name)
        return cls(mapping.path, functions)


class Holders(msgspec.Struct):
    """Sorts found addresses by who holds them."""

    lines: Sequence[MapLine]
    files: Table[str, Mapping]
    """By file identity."""
    found: dict[str, set[str]] = msgspec.field(default_factory=dict)
    _relocated: dict[str, frozenset[int]] = msgspec.field(default_factory=dict)

    def add(self, hit: Hit, names: Iterable[str]) -> None:
        """Note a hit unless the loader itself wrote the address there."""
        if not self._is_relocation(hit):
            self.found.setdefault(self._owner(hit.line), set()).update(names)

    def _is_relocation(self, hit: Hit) -> bool:
        mapping = self.files.get(hit.line.file) if hit.line.inode else None
        if mapping is None:
            return False
        if mapping.file not in self._relocated:
            try:
                self._relocated[mapping.file] = relocated_words(mapping.open_path)
            except ElfError:
                self._relocated[mapping.file] = frozenset()
        return hit.at - mapping.base in self._relocated[mapping.file]

    def _owner(self, line: MapLine) -> str:
        """The file, its .bss (anonymous memory right behind it), the heap, a stack, or anonymous memory."""
        if line.path:
            return decode(line.path)
        before = next((other for other in self.lines if other.end == line.start and other.inode), None)
        return decode(before.path) if before else "[anon]"


class PointersSource(TreeObserver):
    """Searches in the worker thread and sends `PointersHeld`, one for each provider."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = session.loop.now()
        self._wanted = frozenset(function.name for api in session.plan.apis for function in api.functions)
        self._provides = PerFile(self._exports_wanted)
        self._images: dict[str, ImageRead] = {}
        """Of providers, by file identity."""
        self._searched: set[tuple[int, int, str]] = set()
        session.tree.watch(self)

    def handle(self, request: Request) -> bool:
        """Carries out ScanPointers; with nothing to search for it says so."""
        if not isinstance(request, ScanPointers):
            return False
        process = self._session.tree.find(request.pid)
        why = ""
        if process is None or not process.alive:
            why = f"PID {request.pid} is not under observation, or has ended"
        elif not self._providers(process):
            why = f"PID {request.pid} has mapped no library that provides a known API: there is nothing to look for"
        if why or process is None:
            self._session.sink.send(RequestFailed(at=self._session.loop.now(), id=request.id, why=why))
        else:
            self._search(process, self._providers(process), MOST_BYTES)
        return True

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """Search a process that may have looked up functions of this provider before we attached."""
        if not self._provides.of(image):
            return
        self._images[image.file] = image
        key = (process.pid, process.started, image.file)
        before = process.started < self._began and not process.seen_from_its_exec
        if before and key not in self._searched:
            self._searched.add(key)
            self._search(process, [Provider.of(mapping, image)], SMALL_BYTES)

    def _exports_wanted(self, image: ImageRead) -> bool:
        return any(export.kind == "func" and export.name in self._wanted for export in image.exports)

    def _providers(self, process: Tracked) -> list[Provider]:
        mappings = {mapping.file: mapping for mapping in process.mappings.values() if mapping.file in self._images}
        return [Provider.of(mapping, self._images[file]) for file, mapping in mappings.items()]

    def _search(self, process: Tracked, providers: list[Provider], most: int) -> None:
        files = {mapping.file: mapping for mapping in process.mappings.values()}
        self._session.loop.in_background(lambda: self._walk_all(process.pid, files, providers, most), self._send)

    def _send(self, events: list[Event]) -> None:
        for event in events:
            self._session.sink.send(event)

    def _walk_all(self, pid: int, files: Table[str, Mapping], providers: list[Provider], most: int) -> list[Event]:
        """In the worker thread: one walk through memory for all providers."""
        try:
            lines = procfs.maps(pid)
            with PageTable(pid) as pages:
                areas = writable_areas(pages, lines)
            if sum(area.size for area in areas) > most:
                return []
            with Memory(pid) as memory:
                return list(self._walk(pid, memory, areas, providers, [Holders(lines, files) for _ in providers]))
        except OSError:
            return []  # gone, or not ours to read: the doctor and the limits say so

    def _walk(
        self, pid: int, memory: Memory, areas: Sequence[Area], providers: list[Provider], holders: list[Holders]
    ) -> Iterable[PointersHeld]:
        owners = {address: place for place, provider in enumerate(providers) for address in provider.functions}
        total, told = sum(area.size for area in areas), 0
        for found in find_addresses(memory, areas, owners):
            if isinstance(found, Hit):
                place = owners[found.value]
                holders[place].add(found, providers[place].functions[found.value])
            elif found - told >= _PROGRESS_BYTES or (told and found == total):
                told = found
                self._session.sink.send(self._progress(pid, found, total))
        at = self._session.loop.now()
        for provider, held in zip(providers, holders, strict=True):
            names = {owner: sorted(names) for owner, names in sorted(held.found.items())}
            yield PointersHeld(at=at, pid=pid, path=provider.path, holders=names)

    def _progress(self, pid: int, done: int, total: int) -> WorkProgressed:
        task = f"searching the memory of {pid} for addresses of functions"
        return WorkProgressed(at=self._session.loop.now(), task=task, done=done, total=total)
