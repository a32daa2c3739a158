"""Searches for what was refused when others tell of it: once for each name, step by step, behind all other work."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Final

from inspector.stream.base import Event
from inspector.stream.calls import LoaderRefused
from inspector.stream.libraries import CopiesFound, ImageRead
from inspector.stream.processes import EnvironmentRead

from ...elf.library import LibraryCache
from ...kernel.rootfs import Root, own_root
from ..contract import EventSink, Mapping, Session, Tracked, TreeObserver
from ..libraries.file_view import Loaders, ProcessFiles, Rights, surroundings_of
from ..tolerant_reads import attempt
from .device_nodes import find_node
from .refused_names import TELLING, Asked, Names
from .search import LIBRARY_PATH, LibrarySearch, Mapped, SearchContext
from .suitability import alike

_MOST_SEARCHES: Final = 256
_MOST_SYMBOLS: Final = 64
_SLICE: Final = 0.004
"""Seconds of one turn in the worker thread, where predictions and hashing wait as well."""
_REST: Final = 0.012
"""Seconds between two turns: a search takes a quarter of the worker's time at most."""
_MOST_ASKED: Final = 1_000
"""Names in one process."""
_PATIENCE: Final = 0.1
"""Seconds until words of the loader belong to no look-up: to the start of a program, say."""
_LAST: Final = 0.5
"""Seconds for what is not searched yet when the observation ends."""


class ListeningSink:
    """A sink that passes everything on and lets one source hear it."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self.hear: Callable[[Event], None] = lambda event: None

    def send(self, event: Event) -> None:
        """Pass it on, and let it be heard behind it."""
        self._sink.send(event)
        self.hear(event)


Job = Generator[None, None, CopiesFound]
"""One search that is under way or waits; it returns what it found."""


class CopiesSource(TreeObserver):
    """Hears of refusals and of providers, and says where else each name is."""

    def __init__(self, session: Session, heard: ListeningSink) -> None:
        self._session = session
        self._names = Names(session.plan)
        self._library_cache, self._loaders = LibraryCache(), Loaders()
        self._roots: dict[int, Root] = {}
        self._known: set[tuple[object, ...]] = set()
        self._provided: set[tuple[str, int, bytes | None]] = set()
        """Providers that a search was asked for."""
        self._asked: dict[int, set[str]] = {}
        """By process."""
        self._set_inside: dict[int, list[bytes]] = {}
        """By process: folders of the LD_LIBRARY_PATH that it has set itself, too late for its loader."""
        self._refused: list[Asked] = []
        """Names in the loader's words that no look-up was told of yet."""
        self._symbols = 0
        self._jobs: deque[Job] = deque()
        self._going = False
        self._searching = threading.Lock()
        self._exporters: dict[str, tuple[Mapping, frozenset[str]]] = {}
        """By file identity: files that provide an API, with all that they export."""
        self._sonames = {soname for api in session.plan.apis for soname in api.sonames}
        heard.hear = self._heard

    def start(self) -> None:
        """Hear of programs, for their file trees, and of what they map."""
        self._session.tree.watch(self)
        for process in self._session.tree.processes():
            self.executed(process)

    def close(self) -> None:
        """What was asked for in the last moment is looked for now, as far as a moment goes."""
        self._ask_refused()
        end = time.monotonic() + _LAST
        while self._jobs and time.monotonic() < end:
            if (event := self._turn()) is not None:
                self._session.sink.send(event)

    def executed(self, process: Tracked) -> None:
        """Take its file tree down while it lives."""
        if process.root is not None:
            self._roots[process.pid] = process.root

    def ended(self, process: Tracked) -> None:
        """Its own file tree can no longer be reached, ours can."""
        self._roots.pop(process.pid, None)

    def forgotten(self, process: Tracked) -> None:
        """It asks for nothing more."""
        self._asked.pop(process.pid, None)
        self._set_inside.pop(process.pid, None)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A file that provides an API: is there another one of its name?"""
        if image.exports:
            known = self._exporters.get(image.file)
            names = known[1] if known else frozenset(export.name for export in image.exports if export.visible)
            self._exporters[image.file] = mapping, names
        name = image.soname or os.path.basename(mapping.path)
        if name in self._sonames and self._is_new(process, name):
            self._ask(Asked(process.pid, "provider", name, library=mapping.path, open_path=mapping.open_path))

    def _is_new(self, process: Tracked, name: str) -> bool:
        """Whether no process with the same folders had this provider: most children have their parent's."""
        program = process.program
        if program is None or program.own_root:
            return True
        key = (name, program.mount_namespace, process.raw_environment.get(b"LD_LIBRARY_PATH"))
        new = key not in self._provided
        if len(self._provided) < _MOST_SEARCHES:
            self._provided.add(key)
        return new

    def _heard(self, event: Event) -> None:
        if isinstance(event, EnvironmentRead):
            if LIBRARY_PATH in event.changed:
                value = os.fsencode(event.environment.get(LIBRARY_PATH, ""))
                self._set_inside[event.pid] = [folder for folder in value.split(b":") if folder.startswith(b"/")]
            return
        if type(event) not in TELLING:
            return
        named = list(self._names.of(event))
        if named and isinstance(event, LoaderRefused):  # the look-up that it belongs to, told next, knows who asked
            self._refused += named
            self._session.loop.after(_PATIENCE, self._ask_refused)
            return
        for asked in named:
            self._ask(asked)

    def _ask_refused(self) -> None:
        refused, self._refused = self._refused, []
        for asked in refused:
            if asked.name not in self._asked.get(asked.pid, ()):
                self._ask(asked)

    # -- asking ----------------------------------------------------------------------------------------------------

    def _ask(self, asked: Asked) -> None:
        """Begin a search unless it was done for a process that sees and searches the same."""
        names = self._asked.setdefault(asked.pid, set())
        if len(names) < _MOST_ASKED:
            names.add(asked.name)
        process = self._session.tree.find(asked.pid)
        root = self._root(process) if process is not None else None
        if process is None or root is None:
            return
        key = (root.key, asked.kind, asked.name, asked.wanted, process.raw_environment.get(b"LD_LIBRARY_PATH"))
        if key in self._known or len(self._known) >= _MOST_SEARCHES or not self._within(asked):
            return
        self._known.add(key)
        if asked.kind == "device":
            self._jobs.append(self._find_node(asked, process, root))
        else:
            self._jobs.append(self._find_copies(asked, process, root, self._mapped(asked)))
        self._go()

    def _within(self, asked: Asked) -> bool:
        """A healthy program looks up hundreds of optional names: those of the first ones tell enough."""
        if asked.kind == "symbol":
            self._symbols += 1
        return asked.kind != "symbol" or self._symbols <= _MOST_SYMBOLS

    def _root(self, process: Tracked) -> Root | None:
        """The file tree of a process; of one that is gone ours, if it saw the same."""
        root = attempt(lambda: Root(process.pid), None) if process.alive else None
        root = root or self._roots.get(process.pid)
        foreign = process.program is not None and process.program.own_root
        return root if root is not None else None if foreign else own_root()

    def _mapped(self, asked: Asked) -> list[Mapped]:
        """Files of the tree that are called like the asked one, or like the file that lacks a symbol."""
        name = asked.library if asked.kind == "symbol" else asked.name
        like = alike(os.path.basename(os.fsencode(name)))
        exporters = {file for file, (_, names) in self._exporters.items() if asked.name in names}
        found: dict[str, tuple[Mapping, list[int]]] = {}
        for process in self._session.tree.processes():
            for mapping in process.mappings.values():
                if mapping.file in exporters or like.fullmatch(os.path.basename(os.fsencode(mapping.path))):
                    found.setdefault(mapping.file, (mapping, []))[1].append(process.pid)
        return [
            Mapped(os.fsencode(mapping.path), mapping.open_path, sorted(set(pids))) for mapping, pids in found.values()
        ]

    # -- searching: all that follows runs in the worker thread -----------------------------------------------------

    def _find_copies(self, asked: Asked, process: Tracked, root: Root, mapped: list[Mapped]) -> Job:
        outside = ProcessFiles(own_root(), Rights.of(os.getpid(), os.geteuid())) if root.foreign else None
        around = surroundings_of(process, root, self._loaders)
        set_inside = self._set_inside.get(asked.pid, ())
        plans = self._session.plan.places
        search = LibrarySearch(
            asked, SearchContext(process, around, self._library_cache, plans, mapped, outside, set_inside)
        )
        yield from search.steps()
        return search.result(self._session.loop.now())

    def _find_node(self, asked: Asked, process: Tracked, root: Root) -> Job:
        outside = own_root() if root.foreign else None
        rights = Rights.of(process.pid, process.program.uid if process.program else 0)
        yield
        return find_node(asked, root, outside, rights, self._session.plan.nodes, self._session.loop.now())

    def _turn(self) -> CopiesFound | None:
        """Some steps of the first search; its result when there are no more."""
        with self._searching:  # at the end the main thread goes on where the worker may still be
            if not self._jobs:
                return None
            job, end = self._jobs[0], time.monotonic() + _SLICE
            try:
                while time.monotonic() < end:
                    next(job)
            except StopIteration as done:
                self._jobs.popleft()
                found: CopiesFound = done.value
                return found
            except BaseException:
                self._jobs.popleft()
                raise
        return None

    def _go(self) -> None:
        if not self._going:
            self._going = True
            self._session.loop.in_background(self._turn, self._turned)

    def _turned(self, event: CopiesFound | None) -> None:
        if event is not None:
            self._session.sink.send(event)
        self._going = False
        if self._jobs:
            self._session.loop.after(_REST, self._go)
