"""Changes of files on disk that a running process does not notice: its libraries, links to them, the loader's files."""

import os
import re
from collections.abc import Callable, Iterator

import msgspec

from inspector.collect.access.mounts import NotAnsweringError, aside
from inspector.stream.libraries import ImageRead
from inspector.stream.machine import FileChanged
from inspector.stream.requests import prefix_pattern
from inspector.stream.text import decode

from ...kernel.rootfs import Root, own_root
from ..contract import Mapping, Session, Tracked, TreeObserver
from ..path_watch import PathWatch
from ..per_file import PerFile
from ..preload_entries import list_entries
from ..tolerant_reads import attempt

MOST_PATHS = 128
_LOADER_FILES = (b"/etc/ld.so.cache", b"/etc/ld.so.preload")
_QUIET = 1_000_000_000
"""ns within which a file that is still being written is not told again."""

_Identity = tuple[int, int]
_Content = tuple[int, int]


class _Watched(msgspec.Struct):
    """One path and what was there when it was last looked at."""

    name: str
    """As the process sees it, harmless."""
    state: tuple[_Identity, _Content] | None
    told: int = 0


class FileSource(TreeObserver):
    """Tells when a file that matters is replaced, modified, deleted or created."""

    def __init__(self, session: Session, watch: PathWatch | None = None) -> None:
        """`watch` may be shared with other sources."""
        self._session = session
        self._watch = watch or PathWatch(session.loop, session.sink)
        self._watched: dict[bytes, _Watched] = {}
        self._sonames = {name.encode() for api in session.plan.apis for name in api.sonames}
        self._matters = PerFile(self._is_of_api)
        self._added: set[str] = set()
        """Paths of our own file tree that need no second look."""
        self._api_name = re.compile(prefix_pattern(prefix for api in session.plan.apis for prefix in api.prefixes))

    def start(self) -> None:
        """Watch the loader's own files and what the tree's preload entries name."""
        self._session.tree.watch(self)
        own = own_root()
        for path in _LOADER_FILES:
            self._add(own, path)
        for process in self._session.tree.processes():
            self.executed(process)
            for mapping in list(process.mappings.values()):
                if os.path.basename(os.fsencode(mapping.path)) in self._sonames:
                    self._add_mapped(process, mapping, b"")

    def close(self) -> None:
        """End watchdog's threads."""
        self._watch.close()

    def on_change(self, path: str, callback: Callable[[], None]) -> None:
        """Call back after each change of a path, as `PathWatch.on_change`."""
        self._watch.on_change(path, callback)

    def executed(self, process: Tracked) -> None:
        """Preload entries matter whether or not they can be loaded."""
        entries = list_entries(process.raw_environment.get(b"LD_PRELOAD", b""))
        root = attempt(lambda: Root(process.pid), None) if entries else None
        for entry in entries:
            if root is not None and entry.startswith(b"/"):
                for path in (entry, *attempt(lambda: root.resolve(entry).links, list[bytes]())):  # noqa: B023 - called at once
                    self._add(root, path)

    def image(self, process: Tracked, mapping: Mapping, image: ImageRead) -> None:
        """A library that provides, replaces or uses an API."""
        if self._matters.of(image) and mapping.path not in self._added:
            self._add_mapped(process, mapping, (image.soname or "").encode())

    def _is_of_api(self, image: ImageRead) -> bool:
        return bool(image.overrides) or any(self._api_name.match(name) for name in _names(image))

    def _add_mapped(self, process: Tracked, mapping: Mapping, soname: bytes) -> None:
        """The file itself, and the link beside it by which the loader asks for it."""
        root = attempt(lambda: Root(process.pid), None) if process.alive else None
        if root is not None:
            if not root.foreign and len(self._added) < MOST_PATHS:
                self._added.add(mapping.path)
            path = os.fsencode(mapping.path)
            self._add(root, path)
            if soname and b"/" not in soname:
                self._add(root, os.path.join(os.path.dirname(path), soname))

    def _add(self, root: Root, path: bytes) -> None:
        outside = root.outside(path)
        if outside in self._watched or len(self._watched) >= MOST_PATHS:
            return
        try:
            self._watched[outside] = _Watched(decode(path), _state(outside))
        except NotAnsweringError:
            return
        self._watch.on_change(os.fsdecode(outside), lambda: self._changed(outside))

    def _changed(self, path: bytes) -> None:
        watched = self._watched[path]
        try:
            before, watched.state = watched.state, _state(path)
        except NotAnsweringError:
            return  # whether it is there nobody can tell
        what = difference(before, watched.state)
        now = self._session.loop.now()
        if what and not (what == "modified" and now - watched.told < _QUIET):
            watched.told = now
            self._session.sink.send(FileChanged(at=now, path=watched.name, what=what))


def difference(before: tuple[_Identity, _Content] | None, now: tuple[_Identity, _Content] | None) -> str:
    """What happened to a path between two looks; empty for nothing."""
    if before == now:
        return ""
    if before is None:
        return "created"
    if now is None:
        return "deleted"
    return "modified" if before[0] == now[0] else "replaced"


def _names(image: ImageRead) -> Iterator[str]:
    yield from (symbol.name for symbol in image.exports)
    yield from (symbol.name for symbol in image.undefined)


def _state(path: bytes) -> tuple[_Identity, _Content] | None:
    """Of the file that a path leads to, so that a link that leads elsewhere now counts as a replaced file."""
    try:
        status = aside(path, lambda: os.stat(path))
    except NotAnsweringError:
        raise
    except OSError:
        return None
    return (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
