"""What is known of each process's libraries between two looks, and when to look again."""

from collections.abc import Callable

import msgspec

from inspector.stream.libraries import LibraryMapped

from ...kernel import procfs
from ...kernel.records import Mapped
from ..contract import Tracked
from ..tolerant_reads import attempt
from .identity import Signature
from .snapshot import Past, Snapshot

_NS = 1_000_000_000
_YOUNG = 3 * _NS
"""So long after its program began, a process is looked at on every tick: it is loading."""
_GATHER = _NS // 50
"""Records within 20 ms of a look are gathered for the next one: a start-up maps dozens of files in a burst."""
_REST = 10
"""Looks at one process take at most a tenth of the time, however many libraries it maps and however fast."""
_FORK_PATIENCE = _NS // 5
"""A fork that has not executed anything for 200 ms is a worker: its libraries, its parent's so far, are sent."""


class ProcessLibraries(msgspec.Struct):
    """One process's libraries."""

    process: Tracked
    begun: int
    """When its program began: a change of a file after that is a change under its feet."""
    by_looking: bool
    """It was found by looking: its first program began with the process, not when we saw it."""
    sent: dict[int, LibraryMapped] = msgspec.field(default_factory=dict)
    """By base."""
    seen_at: dict[tuple[str, int], int] = msgspec.field(default_factory=dict)
    """By file identity and base: when a look first found it there."""
    scopes: dict[int, list[str]] = msgspec.field(default_factory=dict)
    places: dict[int, bytes] = msgspec.field(default_factory=dict)
    signatures: dict[int, Signature] = msgspec.field(default_factory=dict)
    records: list[Mapped] = msgspec.field(default_factory=list)
    """Mappings that the kernel told of since the program, or the fork, began."""
    parent: "ProcessLibraries | None" = None
    """Of a fork that has neither executed a program nor been looked at: its parent's libraries are its own."""
    due: int = 0
    """When to look next; 0: no reason to."""
    looked: int = 0
    cost: int = 0
    """What the last look cost, ns."""
    code_pages: bytes = b""
    """As /proc/PID/status counted them at the last look: the number changes with every dlopen and dlclose."""
    imaged: set[str] = msgspec.field(default_factory=set)
    """Files whose ELF facts the observers were told."""

    def inherited(self) -> dict[int, LibraryMapped]:
        """The parent's libraries, as far as they were sent, as this process's own."""
        if self.parent is None:
            return {}
        events = {**self.parent.inherited(), **self.parent.sent}
        at, pid = self.process.started, self.process.pid
        return {base: msgspec.structs.replace(event, at=at, pid=pid) for base, event in events.items()}

    def all_records(self) -> list[Mapped]:
        """Also those of the parent up to the fork."""
        if self.parent is None:
            return self.records
        return [each for each in self.parent.all_records() if each.at <= self.process.started] + self.records

    def past(self) -> Past:
        """What the next look builds on."""
        mapped_at = {
            (procfs.file_key(record.major, record.minor, record.inode), record.start): record.at
            for record in self.all_records()
        }
        return Past(self.sent, mapped_at, self.seen_at, self.begun)

    def note(self, record: Mapped, now: int) -> None:
        """The kernel told of a mapping: look soon, but not at every one of a burst."""
        self.records.append(record)
        self.due = max(now, self.looked + max(_GATHER, _REST * self.cost))

    def code_pages_now(self) -> bytes:
        """Size of all code mappings, from a file that costs little to read; empty when the process is gone."""
        status = attempt(lambda: procfs.status(self.process.pid), dict[bytes, bytes]())
        return status.get(b"VmExe", b"") + status.get(b"VmLib", b"")

    def is_young(self, now: int) -> bool:
        """True while its program is likely to be loading."""
        return now - self.begun < _YOUNG

    def keep_places(self, snapshot: Snapshot) -> None:
        """Remember since when the files are there, where they lie and what lay there when they were looked at."""
        there = {(event.file, base) for base, event in snapshot.libraries.items()}
        self.seen_at = {place: self.seen_at.get(place, self.looked) for place in there}
        self.places = snapshot.places
        signatures = {**self.signatures, **snapshot.signatures}
        self.signatures = {base: signatures.get(base, ()) for base in self.places}

    def disk_changes(self, read: Callable[[bytes], Signature]) -> list[int]:
        """Bases of files whose place on disk holds something else than before; `read` gives what lies at a place."""
        now = {base: read(place) for base, place in self.places.items()}
        changed = [base for base, there in now.items() if self.signatures.get(base) != there]
        self.signatures = now
        return changed


def cache_of_found(process: Tracked) -> ProcessLibraries:
    """For a process that was there before us: look at once."""
    return ProcessLibraries(process, begun=process.started, by_looking=True)


def cache_of_fork(process: Tracked, parent: ProcessLibraries | None, now: int) -> ProcessLibraries:
    """For a process born under observation: it has its parent's libraries until it executes a program."""
    begun = parent.begun if parent else process.started
    return ProcessLibraries(process, begun=begun, by_looking=False, parent=parent, due=now + _FORK_PATIENCE)
