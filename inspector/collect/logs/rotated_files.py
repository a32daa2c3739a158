"""Rotated files beside a log: `x.log.1`, `x-2026-01-01.log`, `x.1.log`, `x.log.old`."""

import os
import re

import msgspec

from inspector.collect.access.opening import OpenPath, open_log

from .file_checks import Identity, identity

_TICK = 10_000_000
"""ns: how exactly a file system tells when a file was written."""
_TRIES = 5
"""Looks at a folder in which names move under our eyes."""


class _RotatedFile(msgspec.Struct, frozen=True):
    path: OpenPath
    mtime: int
    size: int

    @property
    def age_rank(self) -> tuple[int, int]:
        """Sorts oldest first; of equal times the higher number at the end of the name is the older one."""
        number = re.search(rb"\d{0,6}$", self.path)
        return self.mtime, -int((number and number[0]) or 0)


Listing = dict[Identity, _RotatedFile]


class RotatedFiles:
    """Finds files that had the log's name and lost it again between two looks."""

    def __init__(self, path: OpenPath | None) -> None:
        """`path` None: there is nothing beside it."""
        self._reader = path.reader if path is not None else None
        self._folder, self._name = os.path.split(path) if path is not None else (b"", b"")
        self._pattern = rotated_names(self._name) if path is not None else None
        self._changed = self._folder_time()
        self._known = self._list()

    def look(self) -> Listing | None:
        """What is there if the folder changed; to be taken before the name of the log itself is checked."""
        now = self._folder_time()
        if now == self._changed:
            return None
        self._changed = now
        return self._list()

    def settle(self, listing: Listing) -> None:
        """The log still had its name after this look: nothing in it (a copy, say) is a part of the log."""
        self._known = listing

    def newcomers(self, known: set[Identity]) -> list[int]:
        """Descriptors of rotated files that were not there at the last look, oldest first; `known` are left out."""
        for _ in range(_TRIES):
            now = self._list()
            fresh = [who for who, file in now.items() if who not in known and not self._unchanged(who, file)]
            fresh.sort(key=lambda who: now[who].age_rank)
            opened = [_open_exactly(now[who].path, who) for who in fresh]
            if None not in opened:
                break
            for fd in opened:
                if fd is not None:
                    os.close(fd)
        self._known = now
        return [fd for fd in opened if fd is not None]

    def written_since(self, moment: int) -> list[int]:
        """Descriptors of rotated files that were written since then (wall time, ns): copies, perhaps."""
        recent = [(who, file) for who, file in self._list().items() if file.mtime >= moment - _TICK]
        opened = [_open_exactly(file.path, who) for who, file in recent]
        return [fd for fd in opened if fd is not None]

    def _unchanged(self, who: Identity, file: _RotatedFile) -> bool:
        before = self._known.get(who)
        return before is not None and (before.mtime, before.size) == (file.mtime, file.size)

    def _folder_time(self) -> int:
        try:
            return os.stat(self._folder or b".").st_mtime_ns if self._pattern is not None else 0
        except OSError:
            return 0

    def _list(self) -> Listing:
        found: Listing = {}
        if self._pattern is None:
            return found
        try:
            with os.scandir(self._folder or b".") as entries:
                for entry in entries:
                    if entry.name != self._name and self._pattern.fullmatch(entry.name):
                        status = entry.stat(follow_symlinks=False)
                        place = OpenPath(entry.path, self._reader)
                        found[identity(status)] = _RotatedFile(place, status.st_mtime_ns, status.st_size)
        except OSError:
            pass  # the folder or a file went away: what is there is found at the next look
        return found


def _open_exactly(path: OpenPath, who: Identity) -> int | None:
    """The file if the name still means it, None when it was renamed or removed meanwhile."""
    try:
        fd = open_log(path)
    except OSError:
        return None
    if identity(os.fstat(fd)) == who:
        return fd
    os.close(fd)
    return None


def rotated_names(name: bytes) -> re.Pattern[bytes]:
    """Names that rotation gives to a log of this name; compressed ones are left out (they are copies)."""
    stem, dot, extension = name.rpartition(b".") if b"." in name[1:] else (name, b"", b"")
    filling = rb"[-._\dTZ:+]*(?:\.?(?:old|bak|prev))?"
    plain = re.escape(name) + filling
    inner = re.escape(stem) + filling + re.escape(dot + extension)
    return re.compile(plain + b"|" + inner)
