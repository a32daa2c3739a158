"""Line numbers and bytes of one inode, whatever the lines look like and however they were read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.logs import index
from inspector.collect.logs.generation import LINE_LIMIT, Generation
from inspector.collect.logs.index import BLOCK, LineIndex
from inspector.collect.logs.matching import Matcher


@contextmanager
def _generation(content: bytes, step: int = 1 << 20) -> Iterator[Generation]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        generation = Generation(os.dup(file.fileno()), 0)
        while generation.advance(step):
            pass
        generation.finish(not content.endswith(b"\n") and content != b"")
        yield generation
        generation.close()


def _holding(generation: Generation, needle: bytes) -> list[int]:
    """Numbers of the lines that hold a text, as a search finds them in the pieces of the file."""
    found: list[int] = []
    line = 0
    for data in generation.pieces(0, generation.index.size):
        hits = (line + hit for hit in Matcher("'" + needle.decode("latin-1"), 0).hits(data))
        found += [hit for hit in hits if hit < generation.lines and hit not in found[-1:]]
        line += data.count(b"\n")
    return found


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


CONTENT = st.lists(st.binary(max_size=40), max_size=60).map(b"\n".join)


@given(content=CONTENT, step=st.integers(1, 100), first=st.integers(0, 70), count=st.integers(0, 70))
@settings(max_examples=80, deadline=None)
def test_a_page_is_what_splitting_the_file_gives(content: bytes, step: int, first: int, count: int) -> None:
    with _generation(content, step) as generation:
        lines = _lines(content)
        assert generation.lines == len(lines)
        assert generation.page(first, count) == lines[first : first + count]


def test_a_page_is_found_across_many_blocks() -> None:
    lines = [b"%d %s" % (number, b"x" * (number % 97)) for number in range(30_000)]
    with _generation(b"\n".join(lines) + b"\n") as generation:
        assert generation.index.size > 20 * BLOCK
        for first in range(0, 30_000, 611):
            assert generation.page(first, 3) == lines[first : first + 3]
            assert generation.line_of(generation.offset_of(first)) == first


@given(parts=st.lists(st.binary(max_size=30), max_size=30))
@settings(max_examples=50, deadline=None)
def test_an_index_does_not_depend_on_how_the_bytes_came(parts: list[bytes]) -> None:
    piecewise, at_once = LineIndex(), LineIndex()
    counts = [piecewise.feed(part) for part in parts]
    at_once.feed(b"".join(parts))
    assert counts == [part.count(b"\n") for part in parts]
    assert (piecewise.newlines, piecewise.size) == (at_once.newlines, at_once.size)


def test_the_index_needs_eight_bytes_a_block_and_not_a_line() -> None:
    one = LineIndex()
    one.feed(b"\n" * (10 * BLOCK))
    assert one.newlines == 10 * BLOCK
    assert one.block_of_newline(10 * BLOCK) == (9 * BLOCK, 9 * BLOCK)
    assert index.BLOCK == 1 << 16


@given(content=CONTENT, needle=st.binary(min_size=1, max_size=3).filter(lambda raw: b"\n" not in raw and raw.isascii()))
@settings(max_examples=80, deadline=None)
def test_a_filter_finds_exactly_the_lines_that_hold_the_text_in_any_case(content: bytes, needle: bytes) -> None:
    wanted = needle.lower()
    with _generation(content) as generation:
        expected = [number for number, line in enumerate(_lines(content)) if wanted in line.lower()]
        assert _holding(generation, wanted) == expected


def test_lines_longer_than_a_page_are_cut_and_do_not_hide_their_neighbours() -> None:
    long = b"a" * 9_000_000
    with _generation(b"before\n" + long + b"NEEDLE\nafter\n") as generation:
        assert generation.page(0, 3) == [b"before", long[:LINE_LIMIT], b"after"]
        assert generation.length_of(1) == len(long) + 7
        assert _holding(generation, b"needle") == [1]


def test_a_file_cut_under_us_gives_fewer_lines_and_no_error() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"line\n" * 50_000)
        file.flush()
        generation = Generation(os.dup(file.fileno()), 0)
        generation.advance(1 << 20)
        file.truncate(7)
        assert generation.page(0, 2)[:1] == [b"line"]
        assert generation.page(49_000, 2) in ([], [b""])
        assert _holding(generation, b"line") == [0]
        generation.close()
