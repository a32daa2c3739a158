"""Files that provide a watched API and are not mapped yet, so that calls can be counted from the first one on.

A probe sits on the file: a child that lives 50 ms and maps it is counted from its first call. The files are those that
the tree's environment names, and those that the loader would find for the SONAMEs of the plan.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from inspector.stream.requests import Plan

from ..elf.cache import LoaderCache, parse_cache
from ..kernel import procfs
from ..kernel.rootfs import Root
from .contract import Tracked
from .program import attempt

_DEFAULT_FOLDERS = (
    b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib",
    b"/usr/local/lib",
)  # fmt: skip
_CACHE = b"/etc/ld.so.cache"
_PRELOAD_FILE = b"/etc/ld.so.preload"
_ASSIGNMENT = re.compile(rb"\b(LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT)=(?:'([^']*)'|\"([^\"]*)\"|(\S+))")
_MOST_FOLDERS = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file on disk that may provide an API."""

    path: bytes
    """As the process sees it, links resolved."""
    open_path: bytes
    file: str


class Providers:
    """Finds candidate files as the processes of the tree see the file system."""

    def __init__(self, plan: Plan) -> None:
        self._sonames = tuple(os.fsencode(soname) for api in plan.apis for soname in api.sonames)
        self._seen: set[tuple[bytes, ...]] = set()
        self._caches: dict[tuple[int, bytes], LoaderCache] = {}

    def of(self, process: Tracked) -> list[Candidate]:
        """Files that this process or its children may map; empty when an equal process was asked for before."""
        root = attempt(lambda: Root(process.pid), None)
        if root is None:
            return []
        settings = _settings(process)
        key = (repr(root.key).encode(), *(name + b"=" + value for name, value in settings))
        if key in self._seen:
            return []
        self._seen.add(key)
        found = {found.file: found for path in self._paths(root, settings) if (found := _resolve(root, path))}
        return list(found.values())

    def _paths(self, root: Root, settings: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
        """Everything that LD_PRELOAD names, and every SONAME in every folder that the loader may look at."""
        folders = [folder for name, value in settings if name == b"LD_LIBRARY_PATH" for folder in _split(value)]
        folders = [folder for folder in folders if folder.startswith(b"/")][:_MOST_FOLDERS]
        preload = [entry for name, value in settings if name != b"LD_LIBRARY_PATH" for entry in _split(value)]
        preload += attempt(lambda: _read(root, _PRELOAD_FILE), b"").split()
        yield from (entry for entry in preload if entry.startswith(b"/"))
        names = (*self._sonames, *(entry for entry in preload if entry and b"/" not in entry))
        for folder in (*folders, *_DEFAULT_FOLDERS):
            yield from (folder.rstrip(b"/") + b"/" + name for name in names)
        cache = self._cache(root)
        yield from (path for name in names if (path := cache.find(name, ())))

    def _cache(self, root: Root) -> LoaderCache:
        if root.key not in self._caches:
            self._caches[root.key] = parse_cache(attempt(lambda: _read(root, _CACHE), b""))
        return self._caches[root.key]


def _settings(process: Tracked) -> list[tuple[bytes, bytes]]:
    """Loader variables of a process, and those that its command line sets for what it starts."""
    names = (b"LD_PRELOAD", b"LD_LIBRARY_PATH", b"LD_AUDIT")
    found = [(name, process.raw_environment[name]) for name in names if process.raw_environment.get(name)]
    arguments = attempt(lambda: procfs.read(process.pid, "cmdline"), b"").replace(b"\0", b" ")
    for match in _ASSIGNMENT.finditer(arguments):
        found.append((match[1], next(value for value in match.groups()[1:] if value is not None)))
    return sorted(set(found))


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
