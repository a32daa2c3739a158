"""Which pages of a process are in its page table, asked from the kernel without touching the process.

One PAGEMAP_SCAN ioctl a range (Linux 6.7, Documentation/admin-guide/mm/pagemap.rst), /proc/PID/pagemap on older ones.
A text page that is absent was not executed since the last exec or fork, unless it was dropped meanwhile (madvise,
reclaim, a probe that was taken away); one that is present proves nothing, because the kernel maps neighbours along
(fault-around).
"""

import ctypes
import fcntl
import os
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import msgspec

from . import procfs

_SCAN_IOCTL: Final = 0xC0606610
_SCAN_ARGUMENT: Final = struct.Struct("<12Q")
"""struct pm_scan_arg of linux/fs.h: size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
category_mask, category_anyof_mask, return_mask."""
_FILE, _PRESENT, _SWAPPED = 1 << 2, 1 << 3, 1 << 4
_REGIONS: Final = 1024
_PAGE_PRESENT, _PAGE_SWAPPED, _PAGE_FILE = 1 << 63, 1 << 62, 1 << 61
"""Bits of a word of /proc/PID/pagemap."""
_WORDS_AT_ONCE: Final = 1 << 16


class Span(msgspec.Struct, frozen=True):
    """Neighbouring pages that are there, be it in swap."""

    start: int
    end: int
    of_file: bool
    """Still the file's own page; False for a private copy: somebody wrote there."""
    swapped: bool = False

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return (self.end - self.start) // procfs.PAGE


class PageTable:
    """The page table of one process; a context manager."""

    def __init__(self, pid: int) -> None:
        """Raises PermissionError or FileNotFoundError/ProcessLookupError."""
        self._fd = os.open(procfs.path_of(pid, "pagemap"), os.O_RDONLY | os.O_CLOEXEC)
        self._can_scan = True

    def __enter__(self) -> "PageTable":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; closing twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def spans(self, start: int, end: int) -> list[Span]:
        """What is there of a range, in order; OSError when the process is gone."""
        if self._can_scan:
            try:
                return list(self._scan(start, end))
            except OSError as error:
                if error.errno not in _NO_SUCH_IOCTL:
                    raise
                self._can_scan = False
        return list(self._read(start, end))

    def _scan(self, start: int, end: int) -> Iterator[Span]:
        regions = (ctypes.c_uint64 * (3 * _REGIONS))()
        wanted = _PRESENT | _SWAPPED
        while start < end:
            argument = bytearray(
                _SCAN_ARGUMENT.pack(
                    _SCAN_ARGUMENT.size, 0, start, end, 0, ctypes.addressof(regions), _REGIONS, 0, 0, 0, wanted,
                    wanted | _FILE,
                )
            )  # fmt: skip
            count = fcntl.ioctl(self._fd, _SCAN_IOCTL, argument)
            for place in range(0, 3 * count, 3):
                kind = regions[place + 2]
                yield Span(regions[place], regions[place + 1], bool(kind & _FILE), bool(kind & _SWAPPED))
            if count < _REGIONS:
                return
            start = regions[3 * count - 2]  # not walk_end: the kernel leaves a stale one when its buffer filled before

    def _read(self, start: int, end: int) -> Iterator[Span]:
        """Page by page, for kernels without the ioctl."""
        page = procfs.PAGE
        for first in range(start, end, page * _WORDS_AT_ONCE):
            count = (min(end, first + page * _WORDS_AT_ONCE) - first) // page
            words = array("Q")
            words.frombytes(os.pread(self._fd, 8 * count, first // page * 8)[: 8 * count])
            place = first
            for kind, same in groupby(words, key=lambda word: word >> 61):
                length = page * sum(1 for _ in same)
                if kind & 6:
                    yield Span(place, place + length, bool(kind & 1), not kind & 4)
                place += length


_NO_SUCH_IOCTL: Final = (22, 25, 38, 95)
"""EINVAL, ENOTTY, ENOSYS, EOPNOTSUPP."""


class Presence:
    """Answers whether single addresses of a range are in the page table."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._starts = [span.start for span in spans]

    def absent(self, address: int) -> bool:
        """True when the page of this address was never brought in (or was reclaimed)."""
        place = bisect_right(self._starts, address) - 1
        return place < 0 or address >= self._spans[place].end

    def empty(self, start: int, end: int) -> bool:
        """True when no page from `start` up to `end` is there."""
        place = bisect_left(self._starts, end) - 1
        return place < 0 or self._spans[place].end <= start

    @property
    def private_pages(self) -> int:
        """Pages that are copies: patched or probed code, in an executable mapping of a file."""
        return sum(span.pages for span in self._spans if not span.of_file)


def swapped_bytes(pid: int) -> int:
    """VmSwap of a process; 0 when it cannot be read."""
    try:
        value = procfs.status(pid).get(b"VmSwap", b"0").split()
        return int(value[0]) << 10 if value else 0
    except (OSError, ValueError):
        return 0
