"""Is a mapped file still the file on disk: which links lead to it, was it replaced, deleted or rewritten?"""

import os
import time
from collections.abc import Callable

import msgspec

from inspector.collect.access import mounts
from inspector.stream.libraries import FileState
from inspector.stream.text import decode

from ...elf.file import ElfError
from ...elf.relocations import sealed_words
from ...kernel import procfs
from ...kernel.memory import Memory
from ...kernel.procfs import MapLine
from ...kernel.rootfs import Resolved, Root
from .library_summaries import same_file

_SLACK = 20_000_000
"""ns by which file times and process times may differ: both are as coarse as a clock tick."""


_TELLING = 1_000_000_000
"""ns from which on a difference of two files' times says anything."""


class Identity(msgspec.Struct, frozen=True):
    """What a look at the disk tells about one mapped file."""

    state: FileState
    detail: str = ""
    mtime: int = 0
    size: int = 0
    links: list[str] = msgspec.field(default_factory=list)


class When(msgspec.Struct, frozen=True):
    """Between which moments (CLOCK_MONOTONIC ns) a file was mapped; equal where the kernel told."""

    earliest: int
    """No later than this moment: a file written before is the one that was mapped."""
    latest: int
    """When it was seen to be mapped: a later write is a change under the feet of the process."""


def identify(root: Root, pid: int, line: MapLine, asked: bytes, base: int, when: When) -> Identity:
    """Compare the mapped file with what its path leads to now, as the process sees it.

    `asked` is the path by which the loader asked for it.
    """
    path = root.inside(line.path)
    if path.startswith(b"/memfd:"):
        return Identity("unknown", "it lives in memory only (memfd)")
    try:
        return root.aside(path, lambda: _compared(root, pid, line, asked, base, when))
    except mounts.NotAnsweringError as error:
        return Identity("unknown", f"cannot look at it: {error.strerror}")


def _compared(root: Root, pid: int, line: MapLine, asked: bytes, base: int, when: When) -> Identity:
    path = root.inside(line.path)
    mapped = mapped_status(pid, line)
    try:
        found = root.resolve(path)
    except (FileNotFoundError, NotADirectoryError):
        return Identity("deleted", f"mapped inode {line.inode}, nothing at that path any more")
    except OSError as error:
        return Identity("unknown", f"cannot look at it: {os.strerror(error.errno or 0)}")
    links = _links(root, asked, path, found)
    disk = found.status
    common = {"mtime": disk.st_mtime_ns, "size": disk.st_size}
    if not _same(line, mapped, disk):
        return Identity("replaced", _replaced(line, mapped, disk, when.earliest), links=links, **common)
    state, detail = _written(disk, when, lambda: _holds_other_content(pid, base, root.outside(found.real)))
    return Identity(state, detail, links=links, **common)


Signature = tuple[int, ...]
"""Device, inode, mtime and ctime of what lies at a path; empty when nothing does."""


def signature(place: bytes) -> Signature:
    """Equal as long as nothing happened to what lies there; asked again and again, also of mounts that die."""
    try:
        status = mounts.aside(place, lambda: os.stat(place))
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def mapped_status(pid: int, line: MapLine) -> os.stat_result | None:
    """stat(2) of the mapped file itself, wherever its path leads now; needs root (proc_pid_map_files(5))."""
    try:
        return os.stat(map_file(pid, line.start, line.end))
    except OSError:
        return None


def map_file(pid: int, start: int, end: int) -> bytes:
    """The path by which root opens exactly the mapped file, also when it is deleted or in another file tree."""
    return os.fsencode(procfs.path_of(pid, "map_files", f"{start:x}-{end:x}"))


def duration(ns: int) -> str:
    """A span of time in words, one unit: `40 s`, `6 min`, `3 h`, `12 days`."""
    seconds = abs(ns) / 1e9
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _same(line: MapLine, mapped: os.stat_result | None, disk: os.stat_result) -> bool:
    if mapped is not None:
        return os.path.samestat(mapped, disk)
    return same_file(line.file, procfs.stat_key(disk))


def _links(root: Root, asked: bytes, path: bytes, found: Resolved) -> list[str]:
    if asked not in (b"", path):
        try:
            by_name = root.resolve(asked)
            if os.path.samestat(by_name.status, found.status):
                return [decode(link) for link in by_name.links]
        except OSError:
            pass
    return [decode(link) for link in found.links]


def _replaced(line: MapLine, mapped: os.stat_result | None, disk: os.stat_result, since: int) -> str:
    words = f"mapped inode {line.inode}, on disk inode {disk.st_ino}"
    if mapped is not None:
        age = disk.st_mtime_ns - mapped.st_mtime_ns
        if abs(age) < _TELLING:
            return words
        return f"{words}, {duration(age)} {'newer' if age >= 0 else 'older'}"
    return f"{words}, {_relative(disk.st_mtime_ns, since)}"


def _written(disk: os.stat_result, when: When, holds_other: Callable[[], bool]) -> tuple[FileState, str]:
    """A write after the mapping is a change. One that may have come before it is one only if memory proves it.

    Stamps are of the clock on the wall: one that was set since we began leaves two readings of them.
    """
    now = _clock()
    found = _by_stamps(disk, when, now, holds_other)
    if abs(now - _BEGAN) <= _TELLING or _by_stamps(disk, when, _BEGAN, holds_other)[0] == found[0]:
        return found
    words = f"the clock was set {duration(now - _BEGAN)} {'ahead' if now > _BEGAN else 'back'} meanwhile"
    if holds_other():
        return "modified", f"{words}; its memory still holds addresses of other content"
    return "unknown", f"{words}: whether it was written since it was mapped is not known"


def _clock() -> int:
    """By how much the clock on the wall is ahead of the one that never steps."""
    return time.time_ns() - time.monotonic_ns()


_BEGAN = _clock()


def _by_stamps(disk: os.stat_result, when: When, age: int, holds_other: Callable[[], bool]) -> tuple[FileState, str]:
    """What its time stamps tell, by one reading of the clock."""
    written, touched = disk.st_mtime_ns - age, disk.st_ctime_ns - age
    if written > when.latest + _SLACK:
        ahead = disk.st_mtime_ns - time.time_ns()
        if ahead > _TELLING and 0 < touched <= when.earliest + _SLACK:
            return "current", ""  # the stamp was given to it before: each write since would have left its own moment
        if ahead > _TELLING:
            return "modified", f"its time stamp lies {duration(ahead)} in the future"
        return "modified", f"written {_after(written - when.latest)}"
    if max(written, touched) <= when.earliest + _SLACK:
        return "current", ""
    what = "written" if written > when.earliest + _SLACK else "content or attributes changed"
    words = f"{what} {_after(max(written, touched) - when.earliest)}"
    if holds_other():
        return "modified", f"{words}; its memory still holds addresses of other content"
    if touched > when.latest + _SLACK:
        return "unknown", f"{words}; its mtime is older, and what of it shows in memory is as on disk"
    return "unknown", f"{words}; when it was mapped is not known"


def _holds_other_content(pid: int, base: int, open_path: bytes) -> bool:
    """Whether words that the loader set once, from what the file held then, differ from what it would set now.

    Other pages prove nothing: as long as nobody writes to them they show whatever the file holds now.
    """
    try:
        with Memory(pid) as memory:
            return any(memory.word(base + at) != (base + number) % (1 << 64) for at, number in sealed_words(open_path))
    except (OSError, ElfError):
        return False


def _relative(wall: int, since: int) -> str:
    after = wall - (since + time.time_ns() - time.monotonic_ns())
    return f"written {_after(after)}"


def _after(ns: int) -> str:
    return f"{duration(ns)} {'after' if ns >= 0 else 'before'} the process mapped it or began"
