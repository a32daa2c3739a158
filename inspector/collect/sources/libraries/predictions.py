"""What is not there and what would happen: backends and providers near a process, preload entries, predicted loads.

All of it is computed from files in the worker thread, in the place of the process: with its root, rights, environment
and what it has mapped. Nothing is opened by a loader, nothing is executed.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from inspector.stream.base import Event, Request
from inspector.stream.libraries import CandidateFound, ImageRead, LoadPredicted, PreloadChecked
from inspector.stream.requests import PredictLoad
from inspector.stream.session import RequestFailed
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.image import read_image
from ...elf.library import LibraryCache, RefusedError
from ...elf.linkmap import read_link_map
from ...elf.predict import Present, Situation, predict_load
from ...elf.search import Loaded, Surroundings
from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.rootfs import Root, own_root
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..poll_rate import Ticker
from ..tolerant_reads import attempt
from .candidates import Candidate, Folders, find_backends, find_providers
from .file_view import Loaders, surroundings_of, why_unpredictable
from .preload_check import check_preload, preload_entries

__all__ = ["PredictionsSource", "check_preload"]

PATIENCE_NS = 1_500_000_000
"""So long a new program has to load a backend by itself before the load is predicted."""
_TICK_SECONDS = 0.5
_EMPTY_NS = 2_000_000_000
_MOST_EMPTY = 256


class _Look(msgspec.Struct):
    """One program of one process, and what was found near it."""

    process: Tracked
    root: Root
    due: int
    """When to predict; 0: done."""
    backends: list[tuple[Candidate, ImageRead]] = msgspec.field(default_factory=list)
    preloads: list[PreloadChecked] = msgspec.field(default_factory=list)
    around: bool = False
    """It was looked around."""
    named: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Of a program that was there before us: files that name a library of an API, and that name."""

    @property
    def nothing(self) -> bool:
        """There is nothing to predict."""
        return self.around and not (self.backends or self.preloads or self.named)


class PredictionsSource(TreeObserver):
    """Looks around each new program at once, and predicts the loads that it did not do when it had time enough."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._library_cache, self._loaders = LibraryCache(), Loaders()
        self._looks: dict[int, _Look] = {}
        self._ticker = Ticker(session.loop, _TICK_SECONDS, self._tick)
        self._empty: dict[tuple[object, ...], int] = {}
        """Programs and environments with nothing around them, until when that is believed, ns."""
        self._told: set[str] = set()
        """Files whose ELF facts were sent; used in the worker thread only."""
        self._functions = frozenset(function.name for api in session.plan.apis for function in api.functions)
        self._sonames = frozenset(soname for api in session.plan.apis for soname in api.sonames)
        self._began = session.loop.now()

    def start(self) -> None:
        """Look around what is there."""
        self._session.tree.watch(self)
        for process in self._session.tree.processes():
            self.executed(process)

    def handle(self, request: Request) -> bool:
        """Carries out PredictLoad."""
        if not isinstance(request, PredictLoad):
            return False
        process = self._session.tree.find(request.pid)
        look = self._look_at(process) if process is not None else None
        if look is None:
            why = f"PID {request.pid} is not under observation, or its files can no longer be seen"
            self._session.sink.send(RequestFailed(at=self._session.loop.now(), id=request.id, why=why))
            return True
        name, requester = os.fsencode(request.name), os.fsencode(request.requester)
        mappings = list(look.process.mappings.values())

        def predicted() -> list[Event]:
            try:
                return [replace(self._predict(look, mappings, name, requester), asked=True)]
            except Exception as error:  # whoever asked is answered, whatever the name holds
                why = f"the loader's steps cannot be predicted: {error}"
                return [RequestFailed(at=self._session.loop.now(), id=request.id, why=why)]

        self._in_background(predicted)
        return True

    def executed(self, process: Tracked) -> None:
        """A new program: look around it."""
        look = self._look_at(process)
        if look is None:
            return
        now = self._session.loop.now()
        look.due = now + PATIENCE_NS
        self._looks[process.pid] = look
        self._ticker.wake()
        surroundings = _surroundings(process, look.root)
        if self._empty.get(surroundings, 0) > now:
            look.around = True
            return

        def around() -> list[Event]:
            found = list(self._around(look))
            look.around = True
            if look.nothing and not found:
                if len(self._empty) >= _MOST_EMPTY:
                    self._empty.clear()
                self._empty[surroundings] = now + _EMPTY_NS
            return found

        self._in_background(around)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A file of a program that lived before us may have asked for libraries that are not there."""
        look = self._looks.get(process.pid)
        if look is None or process.started >= self._began or not image.imports_lookup or self._provides(image):
            return
        look.named += [(mapping.path, name) for name in image.dlopen_names if name in self._sonames]

    def ended(self, process: Tracked) -> None:
        """It had its time, however short: predict now what it did not load."""
        look = self._looks.pop(process.pid, None)
        if look is not None and look.due and not look.nothing:
            self._predict_unloaded(look)

    def _tick(self) -> bool:
        now = self._session.loop.now()
        for look in list(self._looks.values()):
            if look.due and look.due <= now:
                self._predict_unloaded(look)
        return any(look.due for look in self._looks.values())

    def _look_at(self, process: Tracked) -> _Look | None:
        """None when the process is gone and saw another file tree than ours."""
        root = process.root or (attempt(lambda: Root(process.pid), None) if process.readable else None)
        known = self._looks.get(process.pid)
        if root is None and known is not None:
            root = known.root
        if root is None and process.program is not None and not process.program.own_root:
            root = own_root()
        return _Look(process, root, 0) if root is not None else None

    def _in_background(self, work: Callable[[], Sequence[Event]]) -> None:
        self._session.loop.in_background(work, self._send)

    def _send(self, events: Sequence[Event]) -> None:
        for event in events:
            self._session.sink.send(event)

    def _around(self, look: _Look) -> Iterator[Event]:
        """In the worker thread: preload entries, backends, providers."""
        process, now = look.process, self._session.loop.now()
        around = surroundings_of(process, look.root, self._loaders)
        program = self._program(process, around)
        for source, entry in preload_entries(process.raw_environment, around):
            checked = check_preload(now, process.pid, source, entry, around, self._library_cache, program)
            look.preloads.append(checked)
            yield checked
        folders = Folders(around.files)
        backends = find_backends(process, self._session.plan, folders)
        for candidate in [*backends, *find_providers(process, self._session.plan, folders, backends)]:
            image = self._image(candidate, around)
            if image is not None and (candidate.backend or self._provides(image)):
                yield from self._found(look, candidate, image)

    def _program(self, process: Tracked, around: Surroundings) -> Loaded | None:
        """The executable, whose DT_RPATH and $ORIGIN count for preload entries."""
        path = os.fsencode(process.program.exe) if process.program else b""
        try:
            return Loaded(path, self._library_cache.read(around.files.locate(path)))
        except (OSError, ElfError, RefusedError):
            return None

    def _image(self, candidate: Candidate, around: Surroundings) -> ImageRead | None:
        """The ELF facts of a candidate, None when the process itself cannot reach it."""
        at, path = self._session.loop.now(), decode(candidate.path)
        try:
            open_path = around.files.locate(candidate.path)
            file = procfs.stat_key(os.stat(open_path))
        except PermissionError:
            return ImageRead(at=at, file="", path=path, error="permission denied to the process")
        except OSError:
            return None
        return read_image(open_path, path, file, at, self._session.plan, self._session.images)

    def _found(self, look: _Look, candidate: Candidate, image: ImageRead) -> Iterator[Event]:
        if candidate.backend is not None:
            look.backends.append((candidate, image))
        if image.file and image.file not in self._told:
            self._told.add(image.file)
            yield image
        yield CandidateFound(
            at=image.at,
            pid=look.process.pid,
            profile=candidate.backend.profile if candidate.backend else "",
            path=image.path,
            file=image.file,
            directory=decode(candidate.directory),
            kind=candidate.kind,
        )

    def _provides(self, image: ImageRead) -> bool:
        """A file that implements an API, or is called like one that does and is damaged."""
        if image.error is not None:
            return os.path.basename(image.path) in self._sonames
        names = {export.name for export in image.exports if export.visible}
        return image.soname in self._sonames or len(names & self._functions) >= 2

    def _consumes(self, image: ImageRead) -> bool:
        """A file that would use an API, or cannot be read so that nobody knows."""
        if image.error is not None or image.api_names:
            return True
        asked = {*image.needed, *image.dlopen_names}
        return bool(asked & self._sonames) or any(need.name in self._functions for need in image.undefined)

    def _predict_unloaded(self, look: _Look) -> None:
        look.due = 0
        mappings = list(look.process.mappings.values())
        self._in_background(lambda: list(self._unloaded(look, mappings)))

    def _unloaded(self, look: _Look, mappings: Sequence[Mapping]) -> Iterator[Event]:
        """In the worker thread: backends that use an API and were not loaded, preload entries that are not mapped, and
        what files of a program name whose look-ups nobody saw.
        """
        mapped = {mapping.file for mapping in mappings}
        there = {os.path.basename(mapping.path) for mapping in mappings}
        for requester, name in dict.fromkeys(look.named):
            predicted = self._predict(look, mappings, os.fsencode(name), os.fsencode(requester))
            if predicted.ok is False and not any(_same_library(name, other) for other in there):
                yield predicted
        for candidate, image in look.backends:
            if image.file not in mapped and self._consumes(image):
                yield self._predict(look, mappings, candidate.path, b"", candidate.assumed)
        for checked in look.preloads:
            if checked.usable and checked.path and checked.source != "LD_AUDIT" and mappings:
                status = attempt(lambda path=checked.path: look.root.stat(os.fsencode(path)), None)  # type: ignore[misc]
                if status is not None and procfs.stat_key(status) not in mapped:
                    yield self._predict(look, mappings, os.fsencode(checked.path), b"")

    def _predict(
        self, look: _Look, mappings: Sequence[Mapping], name: bytes, requester: bytes, assumed: Sequence[bytes] = ()
    ) -> LoadPredicted:
        """In the worker thread: one prediction."""
        at, process = self._session.loop.now(), look.process
        why = why_unpredictable(process.program)
        if why:
            return LoadPredicted(
                at=at, pid=process.pid, name=decode(name), requester=decode(requester), ok=None, unknown_because=why
            )
        around = surroundings_of(process, look.root, self._loaders, assumed)
        preloads = [entry for source, entry in preload_entries(process.raw_environment, around) if source != "LD_AUDIT"]
        exe = os.fsencode(process.program.exe) if process.program else b""
        situation = Situation(process.pid, around, _present(process, look.root, mappings), preloads, exe)
        return predict_load(situation, self._library_cache, name, requester, at)


def _surroundings(process: Tracked, root: Root) -> tuple[object, ...]:
    """What decides what is near a program: equal for the thousands that a shell starts."""
    program = process.program
    where = (program.exe, program.cwd, program.uid, tuple(program.argv)) if program is not None else ()
    return (root.key, *where, frozenset(process.raw_environment.items()))


def _same_library(name: str, other: str) -> bool:
    """Whether two file names are versions of one library: then the other one served."""
    return name.partition(".so")[0] == other.partition(".so")[0]


def _present(process: Tracked, root: Root, mappings: Sequence[Mapping]) -> list[Present]:
    """What is loaded, the executable first, by the paths that the loader knows where it still can be asked."""
    exe = process.program.exe if process.program else ""
    names = attempt(lambda: _loader_names(process.pid), dict[int, bytes]())
    once: dict[str, Mapping] = {}
    for mapping in mappings:
        once.setdefault(mapping.file, mapping)
    ordered = sorted(once.values(), key=lambda mapping: mapping.path != exe)
    return [
        Present(names.get(mapping.base) or os.fsencode(mapping.path), _open_path(root, mapping)) for mapping in ordered
    ]


def _loader_names(pid: int) -> dict[int, bytes]:
    with Memory(pid) as memory:
        objects = read_link_map(memory, procfs.auxiliary(pid)).objects
    return {each.base: each.name for each in objects if each.namespace == 0 and each.name.startswith(b"/")}


def _open_path(root: Root, mapping: Mapping) -> bytes:
    """The plain path while it leads to the mapped file (it outlives the process), else the mapping's own."""
    path = os.fsencode(mapping.path)
    status = attempt(lambda: os.stat(root.outside(path)), None)
    return root.outside(path) if status is not None and procfs.stat_key(status) == mapping.file else mapping.open_path
