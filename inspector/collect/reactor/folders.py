"""Folders by name, remembered while they do not change: a second start of the same program lists nothing."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from fnmatch import translate
from functools import lru_cache

import msgspec

from ..access.mounts import Mounts
from ..access.reader import Reader, reading_as

_MOST_REMEMBERED = 4096
_MOST_ENTRIES = 20_000
"""Of one folder that are looked at."""
_LIBRARY = re.compile(rb"\.so(\.|$)|\.node$")
_GLOB = re.compile(rb"[*?[]")


class Listing(msgspec.Struct, frozen=True):
    """What lies in a folder, as paths."""

    likely: Sequence[bytes] = ()
    """Libraries that are likely providers by their names."""
    libraries: Sequence[bytes] = ()
    """Other libraries."""
    folders: Sequence[bytes] = ()


_SECOND_NS = 10**9
_TICK_NS = 50_000_000
"""Times of change move in steps of some milliseconds, or of seconds: what changed just now may change unseen."""
_NOTHING = Listing()


class FolderCache:
    """The folders of all file trees that were listed."""

    def __init__(self, stems: Sequence[str]) -> None:
        """`stems`: what names of providers have in common, `cuda`."""
        parts = b"|".join(re.escape(os.fsencode(stem)) for stem in stems)
        self.likely = re.compile(parts or rb"(?!)", re.IGNORECASE)
        self._known: dict[tuple[bytes, bytes, Reader], tuple[int, Listing]] = {}

    def get(self, root: bytes, folder: bytes, reader: Reader) -> tuple[int, Listing] | None:
        """Change time of a folder and what lay in it then."""
        return self._known.get((root, folder, reader))

    def keep(self, root: bytes, folder: bytes, reader: Reader, changed: int, listing: Listing) -> None:
        """Remember a listing."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known[root, folder, reader] = changed, listing


class Tree(msgspec.Struct, frozen=True):
    """The files as one process sees them, listed with its rights."""

    folder_cache: FolderCache
    root: bytes
    """Where its tree begins for us; empty for our own."""
    reader: Reader
    mounts: Mounts
    listed: dict[bytes, Listing] = msgspec.field(default_factory=dict)
    """Folders that were listed already: many patterns begin alike."""

    def list(self, folder: bytes) -> Listing:
        """What lies in a folder; nothing where the process may not list it, or where its file system is silent."""
        if folder not in self.listed:
            self.listed[folder] = self._list_as_reader(folder)
        return self.listed[folder]

    def _list_as_reader(self, folder: bytes) -> Listing:
        if not self.mounts.answers(folder):
            return _NOTHING
        with reading_as(self.reader):
            return self._list(folder)

    def glob(self, pattern: bytes) -> Iterator[bytes]:
        """Folders that match an absolute pattern with `*`, `?` and `[...]` within its parts."""
        place = _GLOB.search(pattern)
        if place is None:
            yield os.path.normpath(pattern)
            return
        start = pattern.rindex(b"/", 0, place.start())
        part, _, rest = pattern[start + 1 :].partition(b"/")
        above = os.path.normpath(pattern[:start] or b"/")
        fits = _compiled(part).match
        for folder in self.list(above).folders:
            if fits(folder, folder.rindex(b"/") + 1):
                yield from self.glob(os.path.join(folder, rest) if rest else folder)

    def _list(self, folder: bytes) -> Listing:
        place = self.root + folder
        try:
            changed = os.stat(place).st_mtime_ns
            known = self.folder_cache.get(self.root, folder, self.reader)
            if known is not None and known[0] == changed:
                return known[1]
            listing = self._read(folder, place)
        except (OSError, ValueError):
            return _NOTHING
        if time.time_ns() - changed > (_TICK_NS if changed % _SECOND_NS else 2 * _SECOND_NS):
            self.folder_cache.keep(self.root, folder, self.reader, changed, listing)
        return listing

    def _read(self, folder: bytes, place: bytes) -> Listing:
        likely: list[bytes] = []
        libraries: list[bytes] = []
        folders: list[bytes] = []
        with os.scandir(place) as entries:
            for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False):
                path = os.path.join(folder, entry.name)
                if _LIBRARY.search(entry.name):
                    (likely if self.folder_cache.likely.search(entry.name) else libraries).append(path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
        return Listing(likely, libraries, folders)


@lru_cache(1024)
def _compiled(glob: bytes) -> "re.Pattern[bytes]":
    return re.compile(os.fsencode(translate(os.fsdecode(glob))))
