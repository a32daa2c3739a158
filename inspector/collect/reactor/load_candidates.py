"""Which files may a program load that begins now? Read of the process itself, before its first instruction runs."""

import os
import re
from collections.abc import Iterator, Sequence

from ..access.mounts import mounts_of
from ..access.opening import OpenPath
from ..access.reader import Reader, reader_of, reading_as

_SYSTEM = (b"/", b"/usr", b"/usr/local")
_MOST_FOLDERS = 200
_MOST_REMEMBERED = 4096
_SPLIT_PRELOAD = re.compile(rb"[ :]+")
_SPLIT_FOLDERS = re.compile(rb"[:;]")
Listing = tuple[list[bytes], list[bytes], list[bytes]]
"""Paths that are likely providers by their names, other libraries, and folders."""


Folder = tuple[bytes, bytes, Reader]
"""Path, where its tree begins for us, and who lists it."""


class Foresight:
    """Folders by name, remembered while they do not change: a second start of the same program lists nothing."""

    def __init__(self, stems: Sequence[str]) -> None:
        """`stems`: what names of providers have in common, `cuda`."""
        parts = b"|".join(re.escape(os.fsencode(stem)) for stem in stems)
        self._likely = re.compile(parts or rb"(?!)", re.IGNORECASE)
        self._folders: dict[Folder, tuple[int, Listing]] = {}
        self._own_mounts = _link(b"/proc/self/ns/mnt")

    def likely(self, pid: int) -> Iterator[OpenPath]:
        """Files that the process will probably load, most likely first."""
        try:
            look = _Look(pid, self._folders, self._likely, self._own_mounts)
        except OSError:
            return
        yield from look.paths()


class _Look:
    """At one process that has just begun its program. OSError when it is gone."""

    def __init__(
        self, pid: int, known: dict[Folder, tuple[int, Listing]], likely: re.Pattern[bytes], own_mounts: bytes
    ) -> None:
        self._base = b"/proc/%d" % pid
        self._known, self._likely = known, likely
        self._reader, self._mounts = reader_of(pid), mounts_of(pid)
        self._root = b"" if _link(self._base + b"/ns/mnt") == own_mounts else self._base + b"/root"
        self._left = _MOST_FOLDERS

    def paths(self) -> Iterator[OpenPath]:
        """As `likely`; as the process may open them."""
        return (OpenPath(self._root + path, self._reader) for path in self._paths())

    def _paths(self) -> Iterator[bytes]:
        environment = _loader_variables(self._base)
        program, directory = _link(self._base + b"/exe"), _link(self._base + b"/cwd")
        for entry in _SPLIT_PRELOAD.split(environment.get(b"LD_PRELOAD", b"")):
            if b"/" in entry:
                yield os.path.join(directory, entry)
        searched = _SPLIT_FOLDERS.split(environment.get(b"LD_LIBRARY_PATH", b""))
        folders = [os.path.join(directory, entry) for entry in searched if entry]
        for folder in folders:
            yield from self._list(folder)[0]
        if program.startswith(b"/"):
            yield from self._list(os.path.dirname(program))[0]
            for top in self._beside(program):
                yield from self._below(top)
        for folder in folders:
            yield from self._list(folder)[1]

    def _beside(self, program: bytes) -> list[bytes]:
        """`../lib*` of the program's folder; of a system folder only what bears the program's name."""
        above = os.path.dirname(os.path.dirname(program))
        if above in _SYSTEM:
            return [os.path.join(above, name, os.path.basename(program)) for name in (b"lib", b"lib64")]
        return [path for path in self._list(above)[2] if os.path.basename(path).startswith(b"lib")]

    def _below(self, folder: bytes) -> Iterator[bytes]:
        if self._left <= 0:
            return
        self._left -= 1
        likely, _, folders = self._list(folder)
        yield from likely
        for inner in folders:
            yield from self._below(inner)

    def _list(self, folder: bytes) -> Listing:
        """What lies in a folder, if the process may list it."""
        if not self._mounts.answers(folder):
            return [], [], []
        with reading_as(self._reader):
            return self._read(folder)

    def _read(self, folder: bytes) -> Listing:
        key, place = (folder, self._root, self._reader), self._root + folder
        try:
            changed = os.stat(place).st_mtime_ns
            known = self._known.get(key)
            if known is not None and known[0] == changed:
                return known[1]
            listing: Listing = ([], [], [])
            with os.scandir(place) as entries:
                for entry in entries:
                    if b".so" in entry.name:
                        listing[0 if self._likely.search(entry.name) else 1].append(os.path.join(folder, entry.name))
                    elif entry.is_dir(follow_symlinks=False):
                        listing[2].append(os.path.join(folder, entry.name))
        except (OSError, ValueError):
            return [], [], []
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = changed, listing
        return listing


def _loader_variables(base: bytes) -> dict[bytes, bytes]:
    try:
        with open(base + b"/environ", "rb", 0) as file:
            words = file.read(1 << 20).split(b"\0")
    except OSError:
        return {}
    return dict(word.split(b"=", 1) for word in words if word.startswith(b"LD_") and b"=" in word)


def _link(path: bytes) -> bytes:
    try:
        return os.readlink(path)
    except OSError:
        return b""
