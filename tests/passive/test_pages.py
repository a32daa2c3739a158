"""Page tables as the kernel reports them, both ways of asking."""

import ctypes
import mmap
import os

import pytest

from inspector.collect.kernel import procfs
from inspector.collect.kernel.pages import PageTable, Presence, Span, swapped_bytes

from .conftest import User

PAGE = procfs.PAGE


def address_of(area: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def test_only_pages_that_were_touched_are_there() -> None:
    area = mmap.mmap(-1, 8 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = address_of(area)
    area[2 * PAGE] = area[3 * PAGE] = area[6 * PAGE] = 1
    with PageTable(os.getpid()) as pages:
        spans = pages.spans(start, start + 8 * PAGE)
    places = [(place - start) // PAGE for span in spans for place in range(span.start, span.end, PAGE)]
    assert places == [2, 3, 6]
    assert not any(span.of_file for span in spans)


def test_both_ways_of_asking_give_the_same_answer(user: User) -> None:
    for line in procfs.maps(user.pid):
        if line.path.startswith(b"[v"):
            continue
        with PageTable(user.pid) as pages:
            scanned = pages.spans(line.start, line.end)
        with PageTable(user.pid) as pages:
            pages._can_scan = False
            read = pages.spans(line.start, line.end)
        assert page_by_page(scanned) == page_by_page(read), line


def page_by_page(spans: list[Span]) -> list[tuple[int, bool, bool]]:
    return [(at, span.of_file, span.swapped) for span in spans for at in range(span.start, span.end, PAGE)]


def test_a_range_larger_than_one_answer_is_read_to_its_end() -> None:
    area = mmap.mmap(-1, 4000 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    start = address_of(area)
    for page in range(0, 4000, 2):
        area[page * PAGE] = 1
    with PageTable(os.getpid()) as pages:
        assert sum(span.pages for span in pages.spans(start, start + 4000 * PAGE)) == 2000


def test_a_process_that_is_gone_or_never_was_is_an_error() -> None:
    with pytest.raises(OSError):
        PageTable(2**22 + 1)


def test_presence_tells_absent_pages_and_counts_private_ones() -> None:
    presence = Presence([Span(0x1000, 0x3000, True), Span(0x5000, 0x6000, False)])
    answers = [presence.absent(address) for address in (0x0FFF, 0x1000, 0x2FFF, 0x3000, 0x4FFF, 0x5000, 0x6000)]
    assert answers == [True, False, False, True, True, False, True]
    assert presence.private_pages == 1


def test_memory_pressure_is_a_number_here() -> None:
    assert swapped_bytes(os.getpid()) >= 0
    assert swapped_bytes(2**22 + 1) == 0
