"""Processes that ended before they could be looked at: of those that are alike one is looked at.

A shell script starts the same few programs hundreds of times a second. Alike are those with the same program, settings
of the loader and mapped files, in the same order, as long as nothing happened to these files on disk.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import structs

from ...kernel.records import Mapped
from ..contract import Mapping, Tracked
from .identity import Signature, signature
from .snapshot import Snapshot

_MOST = 256
_FRESH_NS = 100_000_000
"""As long as records are gathered under a flood of births: what ended meanwhile is seen later than that anyway."""
_Like = tuple[object, ...]


class _Mapped(msgspec.Struct, frozen=True):
    """One of them, as it was looked at."""

    starts: tuple[int, ...]
    """Where its mappings began, in the order in which they were told."""
    snapshot: Snapshot


class Departed:
    """What was found of those that were looked at."""

    def __init__(self) -> None:
        self._seen: dict[_Like, _Mapped] = {}
        self._signatures: dict[bytes, Signature] = {}
        self._signed_at = 0

    def look(self, process: Tracked, records: Sequence[Mapped], at: int, look: Callable[[], Snapshot]) -> Snapshot:
        """The libraries of a process that only records tell of; `look` looks at it by itself."""
        rows = {record.start: record for record in records if record.inode}
        like = _like(process, rows.values())
        seen = self._seen.get(like)
        if seen is not None and self._is_unchanged(seen.snapshot, at):
            return _moved(seen, process.pid, rows, at)
        snapshot = look()
        if len(self._seen) >= _MOST:
            self._seen.clear()
        if _is_plain(snapshot, rows):
            self._seen[like] = _Mapped(tuple(rows), snapshot)
        else:
            self._seen.pop(like, None)
        return snapshot

    def _is_unchanged(self, snapshot: Snapshot, at: int) -> bool:
        """Whether each file is what it was; asked once in a while for all that ended within it."""
        if at - self._signed_at > _FRESH_NS:
            self._signatures.clear()
            self._signed_at = at
        return all(
            self._signature(snapshot.places.get(base, b"")) == known for base, known in snapshot.signatures.items()
        )

    def _signature(self, place: bytes) -> Signature:
        known = self._signatures.get(place)
        if known is None:
            known = self._signatures[place] = signature(place)
        return known


def _like(process: Tracked, rows: Iterable[Mapped]) -> _Like:
    program, environment = process.program, process.raw_environment
    who = (program.exe, program.interpreter, program.uid, program.own_root) if program is not None else ()
    files = tuple((row.major, row.minor, row.inode, row.offset, row.length, row.path) for row in rows)
    return (*who, environment.get(b"LD_PRELOAD"), environment.get(b"LD_AUDIT"), files)


def _is_plain(snapshot: Snapshot, rows: dict[int, Mapped]) -> bool:
    """Whether all of it follows from the files: each is one mapping, and as it was when it was mapped."""
    current = all(event.state == "current" for event in snapshot.libraries.values())
    return current and snapshot.mappings.keys() == rows.keys() and len(snapshot.libraries) == len(rows)


def _moved(seen: _Mapped, pid: int, rows: dict[int, Mapped], at: int) -> Snapshot:
    """The same at other addresses, in the same order."""
    by = {old: new - old for old, new in zip(seen.starts, rows, strict=True)}
    found = Snapshot(open_paths=seen.snapshot.open_paths)
    for old, mapping in seen.snapshot.mappings.items():
        distance = by[old]
        base = mapping.base + distance
        found.mappings[old + distance] = Mapping(
            pid,
            mapping.path,
            mapping.open_path,
            mapping.file,
            old + distance,
            mapping.end + distance,
            mapping.offset,
            base,
        )
        found.libraries[base] = structs.replace(seen.snapshot.libraries[mapping.base], at=at, pid=pid, base=base)
        found.places[base] = seen.snapshot.places.get(mapping.base, b"")
        found.signatures[base] = seen.snapshot.signatures.get(mapping.base, ())
    return found
