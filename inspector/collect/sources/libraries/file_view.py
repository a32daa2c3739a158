"""The files as one process sees them and may open them, for predictions in its place."""

import errno
import os
import stat
from collections.abc import Sequence

import msgspec

from inspector.collect.access.opening import read_regular
from inspector.stream.processes import ProcessExec

from ...elf.cache import LoaderCache, parse_cache
from ...elf.loader import LoaderFacts, read_loader
from ...elf.search import Surroundings
from ...kernel import procfs
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..tolerant_reads import attempt

_CACHE_FILE = b"/etc/ld.so.cache"
_LARGEST_CACHE = 64 << 20


class Rights(msgspec.Struct, frozen=True):
    """As whom a process opens files (credentials(7)); access control lists and security modules are not looked at."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, pid: int, uid: int) -> "Rights":
        """From /proc/PID/status; a process that is gone keeps the uid that was seen."""
        status = attempt(lambda: procfs.status(pid), dict[bytes, bytes]())
        words = status.get(b"Groups", b"").split() + status.get(b"Gid", b"").split()[3:]
        uids = status.get(b"Uid", b"").split()
        return cls(int(uids[3]) if len(uids) > 3 else uid, frozenset(map(int, words)))

    def allow(self, status: os.stat_result, wanted: int) -> bool:
        """Whether the mode bits grant `wanted` (4 read, 1 search)."""
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode >> 6 & wanted)
        if status.st_gid in self.groups:
            return bool(status.st_mode >> 3 & wanted)
        return bool(status.st_mode & wanted)


class ProcessFiles:
    """A `FileTree`: paths resolved below the process's root, opened with its rights."""

    def __init__(self, root: Root, rights: Rights) -> None:
        self._root, self._rights = root, rights
        self._searchable: dict[bytes, bool] = {}

    def locate(self, path: bytes) -> bytes:
        """The path by which the collector opens it; OSError as the process's open(2) would give."""
        found = self._root.resolve(path)
        if not self._may_search(os.path.dirname(found.real)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        wanted = 1 if stat.S_ISDIR(found.status.st_mode) else 4
        if not self._rights.allow(found.status, wanted):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return self._root.outside(found.real)

    def _may_search(self, folder: bytes) -> bool:
        """Whether the process may pass through a folder (one without links) and all above it."""
        known = self._searchable.get(folder)
        if known is None:
            known = self._rights.allow(os.stat(self._root.outside(folder)), 1)
            above = os.path.dirname(folder)
            known = known and (above == folder or self._may_search(above))
            self._searchable[folder] = known
        return known


class Loaders(msgspec.Struct):
    """Loaders and caches that were read before, by file and time."""

    _loaders: dict[tuple[int, int, int], LoaderFacts] = msgspec.field(default_factory=dict)
    _caches: dict[tuple[int, int, int], LoaderCache] = msgspec.field(default_factory=dict)

    def loader(self, open_path: bytes) -> LoaderFacts:
        """The facts of an ld.so file."""
        key = _key(open_path)
        if key not in self._loaders:
            self._loaders[key] = read_loader(open_path)
        return self._loaders[key]

    def cache(self, open_path: bytes) -> LoaderCache:
        """A parsed ld.so.cache; OSError when it cannot be read."""
        key = _key(open_path)
        if key not in self._caches:
            self._caches[key] = parse_cache(read_regular(open_path, _LARGEST_CACHE))
        return self._caches[key]


def _key(path: bytes) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_mtime_ns


def why_unpredictable(program: ProcessExec | None) -> str:
    """Why loads of a program cannot be predicted, in words; empty when they can."""
    if program is None:
        return "its program is not known"
    if program.static:
        return "its program is static: it has no loader"
    if program.elf_class == 32:
        return "it is a 32-bit program, whose loads are not predicted"
    if program.interpreter and "musl" in program.interpreter:
        return f"its loader is {program.interpreter}: only the rules of glibc's loader are known here"
    return ""


def surroundings_of(process: Tracked, root: Root, loaders: Loaders, prefix: Sequence[bytes] = ()) -> Surroundings:
    """What decides about loads in a process; `prefix` stands before its LD_LIBRARY_PATH."""
    program = process.program
    files = ProcessFiles(root, Rights.of(process.pid, program.uid if program else 0))
    invoked = loader_invocation(program)
    interpreter = os.fsencode(program.interpreter or (program.exe if invoked else "")) if program else b""
    library_path = process.raw_environment.get(b"LD_LIBRARY_PATH", b"")
    if invoked is not None and invoked.library_path is not None:
        library_path = invoked.library_path
    return Surroundings(
        files,
        attempt(lambda: loaders.loader(files.locate(interpreter)), LoaderFacts()),
        attempt(lambda: loaders.cache(files.locate(_CACHE_FILE)), LoaderCache()),
        library_path=b":".join([*prefix, library_path] if library_path else prefix),
        path_by_option=invoked is not None and invoked.library_path is not None,
        secure=bool(program and program.secure),
        directory=os.fsencode(program.cwd) if program and program.cwd else b"/",
    )


class Invocation(msgspec.Struct, frozen=True):
    """ld.so started as a command (ld.so(8))."""

    library_path: bytes | None
    """Value of --library-path, which replaces LD_LIBRARY_PATH; None without that option."""


def loader_invocation(program: ProcessExec | None) -> Invocation | None:
    """How a program was started by ld.so as a command; None where it was started by itself."""
    if program is None or not os.path.basename(program.exe).startswith(("ld-linux", "ld.so", "ld-2.")):
        return None
    words = iter(program.argv[1:])
    library_path = None
    for word in words:
        if not word.startswith("--"):
            break
        option, given, value = word.partition("=")
        if option in _OPTIONS_WITH_VALUE and not given:
            value = next(words, "")
        if option == "--library-path":
            library_path = os.fsencode(value)
    return Invocation(library_path)


_OPTIONS_WITH_VALUE = frozenset(
    (
        "--library-path",
        "--inhibit-rpath",
        "--audit",
        "--preload",
        "--argv0",
        "--glibc-hwcaps-prepend",
        "--glibc-hwcaps-mask",
    )
)
