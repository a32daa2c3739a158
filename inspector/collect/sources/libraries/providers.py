"""Files that provide a watched API and are not mapped yet, so that calls can be counted from the first one on.

A probe sits on the file: a child that lives 50 ms and maps it is counted from its first call. The files are those that
the tree's environment and command lines name, and those that carry a SONAME of the plan in a folder that the loader may
look at: of the search path, of a program's RUNPATH, of the places where a profile expects backends.
"""

import glob
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from inspector.stream.requests import Plan

from ...elf.cache import LoaderCache, parse_cache
from ...elf.file import DT_RPATH, DT_RUNPATH, ElfError, ElfFile
from ...kernel import procfs
from ...kernel.records import Mapped
from ...kernel.rootfs import Root
from ..contract import Tracked
from ..processes.program import attempt
from .identity import map_file

_DEFAULT_FOLDERS = (
    b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib",
    b"/usr/local/lib",
)  # fmt: skip
_CACHE = b"/etc/ld.so.cache"
_PRELOAD_FILE = b"/etc/ld.so.preload"
_ASSIGNMENT = re.compile(rb"\b(LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT)=(?:'([^']*)'|\"([^\"]*)\"|(\S+))")
_LIBRARY_WORD = re.compile(rb"/[^\s'\"(),:;=]+\.so[^\s'\"(),:;=]*")
_MOST_FOLDERS = 64
_MOST_WORDS = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file on disk that may provide an API."""

    path: bytes
    """As the process sees it, links resolved."""
    open_path: bytes
    file: str
    mapped: bool = False
    """A process maps it."""


class Providers:
    """Finds candidate files as the processes of the tree see the file system."""

    def __init__(self, plan: Plan) -> None:
        self._sonames = tuple(os.fsencode(soname) for api in plan.apis for soname in api.sonames)
        self._beside = tuple(os.fsencode(pattern) for backend in plan.backends for pattern in backend.beside)
        self._seen: set[tuple[bytes, ...]] = set()
        self._caches: dict[tuple[int, bytes], LoaderCache] = {}

    def of(self, process: Tracked) -> list[Candidate]:
        """Files that this process or its children may map; empty when an equal process was asked for before."""
        root = attempt(lambda: Root(process.pid), None)
        if root is None:
            return []
        words = attempt(lambda: procfs.argv(process.pid), list[bytes]())
        settings, programs = _settings(process, words), _programs(process, words)
        key = (repr(root.key).encode(), *(name + b"=" + value for name, value in settings), *programs)
        if key in self._seen:
            return []
        self._seen.add(key)
        found = {found.file: found for path in self._paths(root, settings, programs) if (found := _resolve(root, path))}
        return list(found.values())

    def _paths(self, root: Root, settings: list[tuple[bytes, bytes]], programs: list[bytes]) -> Iterator[bytes]:
        """Everything that LD_PRELOAD names, and every SONAME in every folder that the loader may look at."""
        preload = [entry for name, value in settings if name != b"LD_LIBRARY_PATH" for entry in _split(value)]
        preload += attempt(lambda: _read(root, _PRELOAD_FILE), b"").split()
        yield from (entry for entry in preload if entry.startswith(b"/"))
        names = (*self._sonames, *(entry for entry in preload if entry and b"/" not in entry))
        for folder in dict.fromkeys((*self._folders(root, settings, programs), *_DEFAULT_FOLDERS)):
            yield from (folder.rstrip(b"/") + b"/" + name for name in names)
        cache = self._cache(root)
        yield from (path for name in names if (path := cache.find(name, ())))

    def _folders(self, root: Root, settings: list[tuple[bytes, bytes]], programs: list[bytes]) -> list[bytes]:
        folders = [folder for name, value in settings if name == b"LD_LIBRARY_PATH" for folder in _split(value)]
        for program in programs:
            origin = os.path.dirname(program)
            folders += [
                folder.replace(b"${ORIGIN}", b"$ORIGIN").replace(b"$ORIGIN", origin)
                for folder in _run_path(root, program)
            ]
            for pattern in self._beside:
                found = glob.iglob(glob.escape(root.outside(origin)) + b"/" + pattern)
                inside = (os.path.normpath(path)[len(root.outside(b"")) :] for path in found)
                folders += [os.path.dirname(path) for path in inside]
        return [folder for folder in folders if folder.startswith(b"/")][:_MOST_FOLDERS]

    def _cache(self, root: Root) -> LoaderCache:
        if root.key not in self._caches:
            self._caches[root.key] = parse_cache(attempt(lambda: _read(root, _CACHE), b""))
        return self._caches[root.key]


def candidate_of(record: Mapped) -> Candidate:
    """The file of a mapping record; opened through the mapping while its process lives, else by its path."""
    file = procfs.file_key(record.major, record.minor, record.inode)
    mapped = map_file(record.pid, record.start, record.start + record.length)
    status = attempt(lambda: os.stat(mapped), None)
    return Candidate(record.path, mapped if status is not None else record.path, file, mapped=True)


def _settings(process: Tracked, words: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Loader variables of a process, those that its command line sets for what it starts, and libraries named there."""
    names = (b"LD_PRELOAD", b"LD_LIBRARY_PATH", b"LD_AUDIT")
    found = [(name, process.raw_environment[name]) for name in names if process.raw_environment.get(name)]
    found += [(b"named", path) for path in _LIBRARY_WORD.findall(b" ".join(words))[:_MOST_WORDS]]
    for match in _ASSIGNMENT.finditer(b" ".join(words)):
        found.append((match[1], next(value for value in match.groups()[1:] if value is not None)))
    return sorted(set(found))


def _programs(process: Tracked, words: list[bytes]) -> list[bytes]:
    """The program, and what its command line names: what `sh -c` or a launcher is about to execute."""
    named = [word for argument in words for word in argument.split()[:_MOST_WORDS]][:_MOST_WORDS]
    search = process.raw_environment.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin").split(b":")
    bare = [folder + b"/" + word for word in _commands(words) for folder in search]
    own = [os.fsencode(process.program.exe)] if process.program else []
    paths = [*own, *(word for word in named if word.startswith(b"/")), *bare]
    return list(dict.fromkeys(os.path.realpath(path) for path in paths if os.path.isfile(path)))


def _commands(words: list[bytes]) -> list[bytes]:
    """Words that stand where a command stands: first, and behind `--`."""
    behind = [following for word, following in itertools.pairwise(words) if word == b"--"]
    return [word for word in (*words[:1], *behind) if word and b"/" not in word]


def _run_path(root: Root, program: bytes) -> list[bytes]:
    try:
        with ElfFile(root.outside(program)) as elf:
            return [
                folder for tag in (DT_RUNPATH, DT_RPATH) for text in elf.tag_strings(tag) for folder in _split(text)
            ]
    except (ElfError, OSError):
        return []


def _split(value: bytes) -> list[bytes]:
    return re.split(b"[:; ]+", value)


def _resolve(root: Root, path: bytes) -> Candidate | None:
    try:
        found = root.resolve(path)
    except OSError:
        return None
    return Candidate(found.real, root.outside(found.real), procfs.stat_key(found.status))


def _read(root: Root, path: bytes) -> bytes:
    with open(root.outside(root.resolve(path).real), "rb") as file:
        return file.read()
