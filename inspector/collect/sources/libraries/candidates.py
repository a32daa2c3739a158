"""Files near a process that it has not mapped, though one would expect it to: backends of its program, and providers.

A backend lies where a profile says that the program keeps its plug-ins. A provider lies in a folder that the process
searches or preloads from, and implements an API; which of several the process takes is the loader's choice.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import msgspec

from inspector.stream.requests import BackendPlan, Plan

from ...elf.search import FileTree
from ..contract import Tracked

_MOST_IN_FOLDER = 20_000
_MOST_FILES = 256
_SHORTEST_STEM = 4
SYSTEM_FOLDERS = frozenset(
    [b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/usr/local/sbin", b"/busybox"]
)


class Candidate(msgspec.Struct, frozen=True):
    """One file."""

    path: bytes
    """As the process spells it: by the folder and name that led to it."""
    directory: bytes
    backend: BackendPlan | None = None
    """None for a provider."""
    assumed: tuple[bytes, ...] = ()
    """Folders that the program would put before LD_LIBRARY_PATH of the child that loads it."""

    @property
    def kind(self) -> str:
        """`backend` for what a program may load to use an API, `provider` for what offers it."""
        return "backend" if self.backend else "provider"


class Folders:
    """Folders of one process's file tree."""

    def __init__(self, files: FileTree) -> None:
        self._files = files

    def names(self, folder: bytes) -> list[bytes]:
        """What lies in a folder, sorted; empty when it is none or may not be read."""
        try:
            with os.scandir(self._files.locate(folder)) as entries:
                return sorted(entry.name for _, entry in zip(range(_MOST_IN_FOLDER), entries, strict=False))
        except OSError:
            return []

    def glob(self, folder: bytes, pattern: str) -> Iterator[bytes]:
        """Paths below a folder that match a glob with `*`, `?`, `[...]` within path components, and `..`."""
        part, _, rest = pattern.partition("/")
        if part in ("", ".", ".."):
            matches: Iterable[bytes] = [os.fsencode(part or ".")]
        elif re.search(r"[*?[]", part):
            matches = (name for name in self.names(folder) if fnmatchcase(os.fsdecode(name), part))
        else:
            matches = [os.fsencode(part)]
        for name in matches:
            path = (
                os.path.normpath(os.path.join(folder, name)) if part in ("", ".", "..") else os.path.join(folder, name)
            )
            if rest:
                yield from self.glob(path, rest)
            elif self.exists(path):
                yield path

    def exists(self, path: bytes) -> bool:
        """Whether something is there, whether or not it may be looked at."""
        try:
            self._files.locate(path)
        except PermissionError:
            return True
        except OSError:
            return False
        return True


def find_backends(process: Tracked, plan: Plan, folders: Folders) -> list[Candidate]:
    """The plug-ins that profiles expect beside the process's program and in folders that its environment names.

    A program of another name may be one of these under a new name, but a shell in /usr/bin is none.
    """
    program = process.program
    exe = program.exe.removesuffix(" (deleted)") if program else ""
    home = os.path.dirname(os.fsencode(exe))
    if not home or (home in SYSTEM_FOLDERS and os.path.basename(exe) not in plan.program_names):
        return []
    found: dict[bytes, Candidate] = {}
    for backend in plan.backends:
        named = _named_folders(process, backend)
        for path in _backend_paths(backend, home, named, folders):
            if len(found) < _MOST_FILES:
                found.setdefault(path, _candidate(path, backend, assume=not named))
    return list(found.values())


def _named_folders(process: Tracked, backend: BackendPlan) -> list[bytes]:
    values = (process.raw_environment.get(key.encode(), b"") for key in backend.environment)
    return [folder for value in values for folder in value.split(b":") if folder.startswith(b"/")]


def _backend_paths(backend: BackendPlan, home: bytes, named: Sequence[bytes], folders: Folders) -> Iterator[bytes]:
    for pattern in backend.beside:
        yield from folders.glob(home, pattern)
    for folder in named:
        if b".so" in os.path.basename(folder):
            yield from folders.glob(os.path.dirname(folder), os.fsdecode(os.path.basename(folder)))
        for pattern in backend.globs:
            yield from folders.glob(folder, pattern)


def _candidate(path: bytes, backend: BackendPlan, assume: bool) -> Candidate:
    """`assume`: the process is not the child that loads it, whose LD_LIBRARY_PATH the program will extend."""
    directory = os.path.dirname(path)
    values = {"{directory}": directory, "{root}": os.path.dirname(directory)}
    assumed = tuple(values.get(entry, os.fsencode(entry)) for entry in backend.library_path) if assume else ()
    return Candidate(path, directory, backend, assumed)


def find_providers(process: Tracked, plan: Plan, folders: Folders, backends: Sequence[Candidate]) -> list[Candidate]:
    """Files that by their names may implement an API, in the folders that the process searches or preloads from."""
    environment = process.raw_environment
    searched = environment.get(b"LD_LIBRARY_PATH", b"").replace(b";", b":").split(b":")
    preloaded = [os.path.dirname(entry) for entry in re.split(rb"[ :]+", environment.get(b"LD_PRELOAD", b""))]
    places = [*searched, *preloaded, *(backend.directory for backend in backends)]
    stems = _stems(plan)
    found: dict[bytes, Candidate] = {}
    for folder in dict.fromkeys(os.path.normpath(place) for place in places if place.startswith(b"/")):
        for name in folders.names(folder):
            if b".so" in name and stems.search(name) and len(found) < _MOST_FILES:
                path = os.path.join(folder, name)
                found.setdefault(path, Candidate(path, folder))
    return list(found.values())


def _stems(plan: Plan) -> "re.Pattern[bytes]":
    """What names of shims and vendors' libraries have in common: `cuda`, `nvidia-ml`, `nvml`, `cudart`."""
    stems = {soname.removeprefix("lib").partition(".so")[0] for api in plan.apis for soname in api.sonames}
    stems |= {prefix for api in plan.apis for prefix in api.prefixes if len(prefix) >= _SHORTEST_STEM}
    if not stems:
        return re.compile(rb"(?!)")
    return re.compile(b"|".join(re.escape(stem.encode()) for stem in sorted(stems)), re.IGNORECASE)
