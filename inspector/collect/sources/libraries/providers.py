"""Files that may provide a watched API and are not mapped yet, so that calls can be counted from the first one on.

A probe sits on the file: a child that lives 50 ms and maps it is counted from its first call. Looked into are, in this
order: files that settings and command lines name; files that carry a SONAME of the plan wherever the loader may look;
then, aside and for a limited time, every library beside the program, in the working directory and in the folders of
LD_LIBRARY_PATH, and what the program and its libraries need or have among their strings. What nobody could foresee is
met when it is opened or mapped.
"""

import glob
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from inspector.stream.requests import Plan

from ...access.file_memory import FileMemory
from ...access.opening import read_regular
from ...elf.cache import LoaderCache, parse_cache
from ...elf.file import ElfError
from ...elf.image import is_system_library
from ...elf.symbols import exports_any
from ...kernel import procfs
from ...kernel.engine import Engine
from ...kernel.records import Mapped, Opened, Record
from ...kernel.rootfs import Root
from ...reactor.client import Reactor
from ..contract import Session, Tracked, TreeObserver
from ..processes.feed import Feed
from ..tolerant_reads import attempt
from . import hints
from .candidates import SYSTEM_FOLDERS
from .identity import map_file

_DEFAULT_FOLDERS = (
    b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib",
    b"/usr/local/lib",
)  # fmt: skip
_CACHE = b"/etc/ld.so.cache"
_LARGEST_CACHE = 64 << 20
_PRELOAD_FILE = b"/etc/ld.so.preload"
_MOST_FOLDERS = 64
_MOST_IN_FOLDER = 256
_BUDGET_SECONDS = 0.05
"""Of a processor, for what is looked into on suspicion each time that a new kind of program begins."""
_PATIENCE_SECONDS = 0.5
"""For the same by the clock: a disk may be slow, and a machine busy."""
_AT_FIRST_SECONDS, _SHARE = 0.3, 0.05
"""All of that together takes at most so long, and then a twentieth of the time, however many programs begin."""
_MOST_VERDICTS = 4096
_UNWANTED_NS = 1_000_000_000


class Candidate(msgspec.Struct, frozen=True):
    """A file on disk that may provide an API."""

    path: bytes
    """As the process sees it, links resolved."""
    open_path: bytes
    file: str
    mapped: bool = False
    """A process maps it."""
    pid: int = 0
    """Who maps it now or in this moment, where that is what made it a candidate."""


Found = Callable[[Candidate], None]


class Providers(TreeObserver):
    """Finds the files as the processes of the tree see the file system, and hands each to whoever listens."""

    def __init__(
        self, session: Session, feed: Feed, names: Collection[str], engine: Engine, reactor: Reactor | None
    ) -> None:
        """`names`: a file that defines one of these functions is wanted."""
        self._session, self._reactor, self._engine = session, reactor, engine
        self._names = frozenset(name.encode() for name in names)
        self._search = _Search(session.plan)
        self._seen: set[tuple[object, ...]] = set()
        self._verdicts: FileMemory[bool] = FileMemory("providers", "\n".join(sorted(names)), bool)
        self._verdicts.load()
        self._unwanted: dict[tuple[int, str, bytes], int] = {}
        """By file tree and path: until when what lies there is known to be of no interest, ns."""
        self._begun, self._spent = time.monotonic(), 0.0
        """Seconds spent on suspicion since then."""
        self._listeners: list[Found] = []
        session.tree.watch(self)
        feed.before_batch(self._look_ahead)

    def listen(self, found: Found) -> None:
        """Hear of every candidate; the same one may come again."""
        self._listeners.append(found)

    def start(self) -> None:
        """Look around the processes that are there, at once."""
        for process in self._session.tree.processes():
            around = self._new(process)
            if around is not None:
                self._tell(self._search.named(around))
                self._tell(self._suspects(around))

    def close(self) -> None:
        """Leave what was learnt of files to the next run."""
        self._verdicts.save()

    def executed(self, process: Tracked) -> None:
        """What settings name at once; the rest aside."""
        around = self._new(process)
        if around is not None:
            self._tell(self._search.named(around))
            if self._reactor is not None and self._reactor.first_reads and not around.root.foreign:
                return  # it meets whatever else there is in time; containers lie on overlays, whose reads are not told
            self._engine.members.tell_opens_at_once(True)
            if self._spent < _AT_FIRST_SECONDS + _SHARE * (time.monotonic() - self._begun):
                self._session.loop.in_background(lambda: self._suspects(around), self._tell)

    def _new(self, process: Tracked) -> hints.Circumstances | None:
        """None also when an equal process was looked around before."""
        around = hints.circumstances(process) if self._session.configure.count else None
        if around is None:
            return None
        key = (around.root.key, around.directory, around.settings, around.programs, around.named, around.folders)
        if key in self._seen:
            return None
        if len(self._seen) >= _MOST_VERDICTS:
            self._seen.clear()
        self._seen.add(key)
        return around

    def _suspects(self, around: hints.Circumstances) -> list[Candidate]:
        """In the worker thread, or before anything runs."""
        begun, worked = time.monotonic(), time.thread_time()
        found: dict[str, Candidate] = {}
        for candidate in self._search.suspected(around):
            if candidate.file not in found and self._is_wanted(candidate):
                found[candidate.file] = candidate
            if time.thread_time() > worked + _BUDGET_SECONDS or time.monotonic() > begun + _PATIENCE_SECONDS:
                break
        self._spent += time.thread_time() - worked
        return list(found.values())

    def _look_ahead(self, batch: list[Record]) -> None:
        """What nobody foresaw is about to be called: before all other work that the records bring; each file once."""
        mapped: dict[tuple[object, ...], Mapped] = {}
        for record in batch:
            if isinstance(record, Opened):
                self._opened(record)
            elif isinstance(record, Mapped) and record.inode:
                mapped[record.major, record.minor, record.inode, record.path] = record  # the newest: it may live yet
        for record in mapped.values():
            self._mapped(record)

    def _opened(self, record: Opened) -> None:
        """A library that is about to be mapped."""
        if record.errno or b".so" not in record.path or b".so" not in os.path.basename(record.path):
            return
        process = self._session.tree.find(record.pid)
        if process is not None and not process.readable:
            return
        program = process.program if process is not None and record.path.startswith(b"/") else None
        key = (program.mount_namespace, program.root, record.path) if program is not None else None
        if key is not None and self._unwanted.get(key, 0) > record.at:
            return
        root = attempt(lambda: Root(record.pid), None)
        directory = b"/" if record.path.startswith(b"/") else attempt(lambda: procfs.link(record.pid, "cwd"), b"/")
        candidate = _resolve(root, os.path.join(directory, record.path), record.pid) if root else None
        if candidate is not None and self._is_wanted(candidate):
            self._tell([candidate])
        elif candidate is not None and key is not None:
            if len(self._unwanted) >= _MOST_VERDICTS:
                self._unwanted.clear()
            self._unwanted[key] = record.at + _UNWANTED_NS

    def _mapped(self, record: Mapped) -> None:
        """The same where openings are not told, or when it was opened before it was observed."""
        candidate = candidate_of(record)
        if self._is_wanted(candidate):
            self._tell([candidate])

    def _tell(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            for listener in self._listeners:
                listener(candidate)

    def _is_wanted(self, candidate: Candidate) -> bool:
        """Whether the file defines a function of interest: a few look-ups in its hash table, each file once."""
        status = attempt(lambda: os.stat(candidate.open_path), None)
        if status is None or not self._session.configure.count:
            return False
        known = self._verdicts.find(status)
        if known is None:
            known = _defines(candidate.open_path, self._names)
            self._verdicts.keep(status, known)
        return known


class _Search:
    """Paths that the hints lead to."""

    def __init__(self, plan: Plan) -> None:
        self._sonames = tuple(os.fsencode(soname) for api in plan.apis for soname in api.sonames)
        self._beside = tuple(os.fsencode(pattern) for backend in plan.backends for pattern in backend.beside)
        self._caches: dict[tuple[int, bytes], LoaderCache] = {}
        self._listings = _Listings()

    def named(self, around: hints.Circumstances) -> list[Candidate]:
        """Everything that settings name, and every SONAME in every folder that the loader may look at."""
        root, said = around.root, hints.of_settings(around)
        preloaded = attempt(lambda: _read(root, _PRELOAD_FILE), b"").split()
        said.add([entry for entry in preloaded if entry], b"/")
        folders = [*said.folders, *self._backend_folders(around)]
        loaders = [hints.interpreter(root.outside(program)) for program in around.programs]
        paths = [*loaders, *said.paths, *self._places(root, [*self._sonames, *said.names], folders)]
        found = {found.file: found for path in paths if (found := _resolve(root, path))}
        return list(found.values())

    def suspected(self, around: hints.Circumstances) -> Iterator[Candidate]:
        """Libraries near the program, and what it and they need or name; the same file may come again."""
        root, said = around.root, hints.of_settings(around)
        own = [program for program in around.programs if os.path.dirname(program) not in SYSTEM_FOLDERS]
        near = [*(os.path.dirname(program) for program in own), *around.folders, around.directory, *said.folders]
        folders = list(dict.fromkeys([*said.folders, *near]))
        waiting = [each for path in [*own, *said.paths] for each in self._led_to(root, path, folders)]
        scripts = hints.of_scripts(around)
        waiting += [*scripts.paths, *self._places(root, scripts.names, folders)]
        waiting += [path for folder in dict.fromkeys(near) for path in _libraries_in(root, folder)]
        seen: set[str] = set()
        for path in waiting:  # it grows
            candidate = _resolve(root, path)
            if candidate is None or candidate.file in seen:
                continue
            seen.add(candidate.file)
            yield candidate
            if not is_system_library(os.fsdecode(candidate.path)):
                waiting += self._led_to(root, candidate.path, folders)

    def _led_to(self, root: Root, path: bytes, folders: list[bytes]) -> list[bytes]:
        inside = hints.of_file(root.outside(path), os.path.dirname(path))
        return [*inside.paths, *self._places(root, inside.names, [*folders, *inside.folders])]

    def _places(self, root: Root, names: Iterable[bytes], folders: Iterable[bytes]) -> list[bytes]:
        """Where the loader may find names without a slash."""
        wanted = list(dict.fromkeys(name for name in names if name))
        places = list(dict.fromkeys((*folders, *_DEFAULT_FOLDERS)))[:_MOST_FOLDERS]
        paths = [path for folder in places for path in self._listings.among(root, folder, wanted)]
        cache = self._cache(root) if wanted else LoaderCache()
        return paths + [path for name in wanted if (path := cache.find(name, ()))]

    def _backend_folders(self, around: hints.Circumstances) -> Iterator[bytes]:
        """Where a profile expects backends of the program."""
        outside = around.root.outside
        for origin in dict.fromkeys(os.path.dirname(program) for program in around.programs):
            for pattern in self._beside:
                for path in glob.iglob(glob.escape(outside(origin)) + b"/" + pattern):
                    yield os.path.dirname(os.path.normpath(path)[len(outside(b"")) :])

    def _cache(self, root: Root) -> LoaderCache:
        if root.key not in self._caches:
            self._caches[root.key] = parse_cache(attempt(lambda: _read(root, _CACHE), b""))
        return self._caches[root.key]


class _Listings:
    """Which names lie in a folder: one list, kept while the folder does not change, instead of a look for each name."""

    _MOST, _MOST_NAMES = 256, 20_000
    _SETTLED_NS = 2_000_000_000
    """A folder that changed just now may change again without another time of change."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, bytes], tuple[int, frozenset[bytes]]] = {}

    def among(self, root: Root, folder: bytes, names: Iterable[bytes]) -> list[bytes]:
        """Paths of those of the names that lie in a folder of a file tree, or may."""
        folder = folder.rstrip(b"/") + b"/"
        listed = self._list(root, folder) if root.answers(folder) else frozenset()
        return [folder + name for name in names if listed is None or name in listed or b"/" in name]

    def _list(self, root: Root, folder: bytes) -> frozenset[bytes] | None:
        """None where it cannot be listed, or not in short."""
        try:
            place = root.outside(root.resolve(folder).real)
            changed = os.stat(place).st_mtime_ns
            known = self._known.get(key := (root.key, folder))
            if known is not None and known[0] == changed:
                return known[1]
            with os.scandir(place) as entries:
                names = frozenset(entry.name for _, entry in zip(range(self._MOST_NAMES + 1), entries, strict=False))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except (OSError, ValueError):
            return None
        if len(names) > self._MOST_NAMES:
            return None
        if time.time_ns() - changed > self._SETTLED_NS:
            if len(self._known) >= self._MOST:
                self._known.clear()
            self._known[key] = changed, names
        return names


def _libraries_in(root: Root, folder: bytes) -> list[bytes]:
    """Paths of libraries in a folder; of one that is full of other things the first few."""
    if folder in SYSTEM_FOLDERS or folder.rstrip(b"/") in (b"", *_DEFAULT_FOLDERS) or not root.answers(folder):
        return []
    try:
        with os.scandir(root.outside(folder)) as entries:
            names = [entry.name for _, entry in zip(range(_MOST_IN_FOLDER * 8), entries, strict=False)]
    except OSError:
        return []
    return [folder + b"/" + name for name in names if b".so" in name][:_MOST_IN_FOLDER]


def candidate_of(record: Mapped) -> Candidate:
    """The file of a mapping record; opened through the mapping while its process lives, else by its path."""
    file = procfs.file_key(record.major, record.minor, record.inode)
    mapped = map_file(record.pid, record.start, record.start + record.length)
    status = attempt(lambda: os.stat(mapped), None)
    return Candidate(record.path, mapped if status is not None else record.path, file, True, record.pid)


def _defines(open_path: bytes, names: Collection[bytes]) -> bool:
    try:
        return exports_any(open_path, names)
    except ElfError:
        return False


def _resolve(root: Root, path: bytes, pid: int = 0) -> Candidate | None:
    try:
        found = root.resolve(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.status.st_mode):
        return None
    return Candidate(found.real, root.outside(found.real), procfs.stat_key(found.status), pid=pid)


def _read(root: Root, path: bytes) -> bytes:
    return read_regular(root.outside(root.resolve(path).real), _LARGEST_CACHE)
