"""Which files may a program load that begins now? Read of the process itself, before its first instruction runs."""

import contextlib
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ..access.mounts import mounts_of
from ..access.opening import OpenPath, read_regular
from ..access.reader import reader_of
from ..elf.cache import parse_cache
from ..elf.file import ElfError, run_path
from ..kernel.rootfs import Root
from .folders import FolderCache, Tree
from .origins import Begun, Origins, read_begun

_SYSTEM = (b"/", b"/usr", b"/usr/local")
_MOST_FOLDERS = 200
_MOST_ROOTS = 256
_SPLIT_PRELOAD = re.compile(rb"[ :]+")
_SPLIT_FOLDERS = re.compile(rb"[:;]")
_COVERED = re.compile(rb"/(?:python|pypy)[\d.]+$")
"""Folders below `../lib` with thousands of files, whose parts with libraries are places of the plan (`{site}`)."""
_CACHE = b"/etc/ld.so.cache"
_LARGEST_CACHE = 16 << 20


class LoadCandidates:
    """Folders by name: of the process, of its program, of packages; those of the machine once for each file tree."""

    def __init__(self, stems: Sequence[str], places: Sequence[str] = ()) -> None:
        """`stems`: what names of providers have in common, `cuda`; `places`: patterns of a plan's folders."""
        self._folder_cache = FolderCache(stems)
        self._of_process = [each for each in places if each.startswith("{")]
        self._of_machine = [os.fsencode(each) for each in places if each.startswith("/")]
        self._looked: set[bytes] = set()
        """Mount name spaces whose common folders were looked at."""
        self._repeats = Repeats()
        self._own_mounts = _link(b"/proc/self/ns/mnt")

    def is_repeat(self, pid: int) -> bool:
        """Whether the process begins what has begun often of late: what it will load was foreseen."""
        return self._repeats.again(b"/proc/%d" % pid)

    def likely(self, pid: int) -> Iterator[OpenPath | None]:
        """Files that the process will probably load, most likely first; None between them, so that work is bounded."""
        base = b"/proc/%d" % pid
        try:
            begun, reader, mounts = read_begun(base), reader_of(pid), mounts_of(pid)
        except OSError:
            return
        space = _link(base + b"/ns/mnt")
        tree = Tree(self._folder_cache, b"" if space == self._own_mounts else base + b"/root", reader, mounts)
        paths = _Look(begun, tree, self._of_process).paths()
        yield from (OpenPath(tree.root + path, reader, seen_as=path) if path else None for path in paths)
        if space not in self._looked:
            common = self._common(tree)
            yield from (OpenPath(tree.root + path, reader, seen_as=path) if path else None for path in common)
            self._remember(space)

    def of_program(self, name: bytes) -> Iterator[OpenPath]:
        """Files that the program of this name in our own file tree will probably load: known before it begins."""
        pid = os.getpid()
        program = _find_program(Root(pid), name)
        if program:
            tree = Tree(self._folder_cache, b"", reader_of(pid), mounts_of(pid))
            look = _Look(Begun(program, b"/", [program], {}), tree, self._of_process)
            yield from (OpenPath(path, tree.reader) for path in look.paths() if path)

    def common(self) -> Iterator[bytes]:
        """Files of our own file tree that any program may load: the loader's cache, drivers' and toolkits' folders."""
        pid = os.getpid()
        yield from filter(None, self._common(Tree(self._folder_cache, b"", reader_of(pid), mounts_of(pid))))
        self._remember(self._own_mounts)

    def _common(self, tree: Tree) -> Iterator[bytes | None]:
        try:
            cache = parse_cache(read_regular(OpenPath(tree.root + _CACHE, tree.reader), _LARGEST_CACHE))
        except (OSError, ValueError):
            cache = parse_cache(b"")
        for name, entries in cache.entries.items():
            if self._folder_cache.likely.search(name):
                yield from (entry.path for entry in entries)
        yield None
        for pattern in self._of_machine:
            for folder in tree.glob(pattern):
                yield from tree.list(folder).likely
            yield None

    def _remember(self, space: bytes) -> None:
        if len(self._looked) > _MOST_ROOTS:
            self._looked.clear()
        self._looked.add(space)


class Repeats:
    """One program that begins again and again, with the same settings: what it may load was foreseen a moment ago.

    A file that came meanwhile is met when the loader reads it, as any that nobody foresaw.
    """

    MOST = 8
    """Times within a second that are looked at in full."""
    REMEMBERED_SECONDS = 300
    """So long what began so often is not looked at again."""
    _MOST_REMEMBERED = 256
    _NS = 1_000_000_000

    def __init__(self, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._now = now
        self._second = 0
        self._counts: Counter[int] = Counter()
        self._often: dict[int, int] = {}
        """Until which second each is remembered."""

    def again(self, base: bytes) -> bool:
        """Whether the process with this folder of /proc begins what has begun often within one second of late."""
        second = self._now() // self._NS
        if second != self._second:
            self._second = second
            self._counts.clear()
        self._counts[0] += 1
        if self._counts[0] <= self.MOST and not self._often:  # all together: to compare costs something, too
            return False
        like = hash((_link(base + b"/exe"), _link(base + b"/cwd"), _link(base + b"/ns/mnt"), _settings(base)))
        if self._often.get(like, 0) > second:
            return True
        self._counts[like] += 1
        if self._counts[like] <= self.MOST:
            return False
        if len(self._often) >= self._MOST_REMEMBERED:
            self._often.clear()
        self._often[like] = second + self.REMEMBERED_SECONDS
        return True


def _find_program(root: Root, name: bytes) -> bytes:
    """Its path without links; empty where there is none. Without a slash in its name as a shell finds it (PATH)."""
    for folder in [b"."] if b"/" in name else map(os.fsencode, os.get_exec_path()):
        with contextlib.suppress(OSError, ValueError):
            found = root.resolve(os.path.abspath(os.path.join(folder, name)))
            if stat.S_ISREG(found.status.st_mode) and found.status.st_mode & 0o111:
                return found.real
    return b""


def _settings(base: bytes) -> bytes:
    try:
        with open(base + b"/environ", "rb", 0) as file:
            return file.read(1 << 20)
    except OSError:
        return b""


class _Look:
    """At one process that has just begun its program."""

    def __init__(self, begun: Begun, tree: Tree, places: Sequence[str]) -> None:
        self._begun, self._tree, self._places = begun, tree, places
        self._left = _MOST_FOLDERS

    def paths(self) -> Iterator[bytes | None]:
        """As `LoadCandidates.likely`; as the process may open them."""
        begun, environment = self._begun, self._begun.environment
        for entry in _SPLIT_PRELOAD.split(environment.get(b"LD_PRELOAD", b"")):
            if b"/" in entry:
                yield os.path.join(begun.directory, entry)
        searched = _SPLIT_FOLDERS.split(environment.get(b"LD_LIBRARY_PATH", b""))
        folders = [os.path.join(begun.directory, entry) for entry in searched if entry]
        for folder in folders:
            yield from self._tree.list(folder).likely
            yield None
        yield from self._of_program(begun.program)
        origins = Origins(begun, self._tree)
        for pattern in self._places:
            for folder in origins.expand(pattern):
                yield from self._tree.list(folder).likely
            yield None
        for folder in folders:
            yield from self._tree.list(folder).libraries

    def _of_program(self, program: bytes) -> Iterator[bytes | None]:
        if not program.startswith(b"/"):
            return
        home = os.path.dirname(program)
        for folder in dict.fromkeys((home, *self._run_path(program, home))):
            yield from self._tree.list(folder).likely
            yield None
        for top in self._beside(program):
            yield from self._below(top)

    def _run_path(self, program: bytes, home: bytes) -> list[bytes]:
        try:
            return run_path(OpenPath(self._tree.root + program, self._tree.reader), home)
        except (ElfError, OSError):
            return []

    def _beside(self, program: bytes) -> list[bytes]:
        """`../lib*` of the program's folder; of a system folder only what bears the program's name."""
        above = os.path.dirname(os.path.dirname(program))
        if above in _SYSTEM:
            return [os.path.join(above, name, os.path.basename(program)) for name in (b"lib", b"lib64")]
        return [path for path in self._tree.list(above).folders if os.path.basename(path).startswith(b"lib")]

    def _below(self, folder: bytes) -> Iterator[bytes | None]:
        if self._left <= 0 or _COVERED.search(folder):
            return
        self._left -= 1
        listing = self._tree.list(folder)
        yield from listing.likely
        yield None
        for inner in listing.folders:
            yield from self._below(inner)


def _link(path: bytes) -> bytes:
    try:
        return os.readlink(path)
    except OSError:
        return b""
