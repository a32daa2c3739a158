"""What is needed of a library's headers at once, in the loop: its names, its needs, where its segments lie."""

import os
from collections import OrderedDict

import msgspec

from ...elf.file import DT_NEEDED, DT_SONAME, PF_X, PT_LOAD, ElfError, ElfFile, Segment

_KEPT = 4096


class LibrarySummary(msgspec.Struct, frozen=True):
    """The few facts that routes and load biases follow from; all empty for a file that cannot be read."""

    soname: bytes = b""
    needed: tuple[bytes, ...] = ()
    code: tuple[Segment, ...] = ()
    """Loadable segments that hold code."""

    def bias(self, start: int, offset: int) -> int:
        """Load bias (link_map.l_addr) of a mapping that begins at `start` and shows the file from `offset`."""
        for segment in self.code:
            if segment.offset - _PAGE < offset < segment.offset + segment.file_size:
                return start - offset - (segment.address - segment.offset)
        return start - offset


_PAGE = os.sysconf("SC_PAGESIZE")
_UNREADABLE = LibrarySummary()


class LibrarySummaries:
    """Summaries by file identity, each file read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, LibrarySummary] = OrderedDict()

    def of(self, file: str, open_paths: list[bytes]) -> LibrarySummary:
        """The summary of a file, read by the first of the paths that leads to it."""
        known = self._known.get(file)
        if known is None:
            known = _read(file, open_paths)
            if known is not _UNREADABLE:
                self._keep(file, known)
        return known

    def _keep(self, file: str, summary: LibrarySummary) -> None:
        self._known[file] = summary
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _read(file: str, open_paths: list[bytes]) -> LibrarySummary:
    for path in open_paths:
        try:
            with ElfFile(path) as elf:
                if not same_file(elf.identity, file):
                    continue
                return LibrarySummary(
                    soname=next(iter(elf.tag_strings(DT_SONAME)), b""),
                    needed=tuple(elf.tag_strings(DT_NEEDED)),
                    code=tuple(s for s in elf.segments if s.kind == PT_LOAD and s.flags & PF_X),
                )
        except ElfError:
            continue
    return _UNREADABLE


def same_file(one: str, other: str) -> bool:
    """Equal inodes: maps and stat(2) may number the device of one file differently (overlayfs, btrfs)."""
    return one.rpartition(":")[2] == other.rpartition(":")[2]
