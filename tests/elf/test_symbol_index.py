"""The symbol index answers filters and pages as a plain search over all names would."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.name_text import NameText, lowered
from inspector.collect.elf.symbol_index import FileSymbols, SymbolIndex
from inspector.stream.patterns import typed
from inspector.stream.requests import ReadSymbols, SymbolPage

Kind = Literal["all", "defined", "undefined"]
KINDS: tuple[Kind, ...] = ("all", "defined", "undefined")


@pytest.fixture(scope="session")
def files(shim: Path) -> list[FileSymbols]:
    libraries = [shim, Path("/lib/x86_64-linux-gnu/libdl.so.2"), Path("/lib/x86_64-linux-gnu/libm.so.6")]
    return [FileSymbols(os.fsencode(path), str(path), f"0:0:{n}") for n, path in enumerate(libraries)]


@pytest.fixture(scope="session")
def index(files: list[FileSymbols]) -> SymbolIndex:
    return SymbolIndex(files)


def plain_search(files: Sequence[FileSymbols], request: ReadSymbols) -> list[tuple[str, str]]:
    """The definition: every name of every file, one by one."""
    pattern = typed(request.filter)
    rows = []
    for symbols in files:
        for place, name in enumerate(symbols.names()):
            fits = pattern is None or bool(pattern.search()(name.decode()))
            kind = "defined" if symbols.defined[place] else "undefined"
            if fits and request.kind in ("all", kind) and request.file in ("", symbols.file):
                rows.append((symbols.path, name.decode()))
    return rows


@settings(max_examples=80, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(
            [
                "cu",
                "^cu",
                "CUD",
                "log",
                "^",
                "l",
                "o",
                "^__",
                "zzz",
                "|",
                "!",
                "~",
                ".",
                "t$",
                "(get|set)",
                "device",
                "[a-c]+t",
                "[^d]v",
                "e.*t",
                r"\d",
                r"\S+n",
                r"\W",
                r"\bcu",
            ]
        ),
        max_size=4,
    ),
    kind=st.sampled_from(KINDS),
    file=st.sampled_from(["", "0:0:0", "0:0:2", "9:9:9"]),
    offset=st.integers(0, 900),
    limit=st.integers(0, 50),
)
def test_a_page_is_the_same_piece_of_the_plain_search(
    files: list[FileSymbols], index: SymbolIndex, text: list[str], kind: Kind, file: str, offset: int, limit: int
) -> None:
    for end in range(len(text) + 1):  # as it is typed, so that earlier searches are used
        request = ReadSymbols(
            id=7,
            pid=1,
            file=file,
            filter="|".join(text[:end]),
            kind=kind,
            offset=offset,
            limit=limit,
        )
        page = index.page(request, at=5)
        expected = plain_search(files, request)
        assert (page.id, page.at, page.total, page.offset) == (7, 5, len(expected), offset)
        assert [(row.path, row.symbol.name.lower()) for row in page.rows] == expected[offset : offset + limit]


def test_a_page_says_how_many_there_are_in_all_and_in_how_many_files(
    files: list[FileSymbols], index: SymbolIndex
) -> None:
    page = index.page(ReadSymbols(pid=1, filter="cuinit"), at=0)
    assert (page.total, page.files, page.all_total) == (1, 3, sum(map(len, files)))
    assert page.rows[0].symbol.version == "V_1"


def test_a_filter_typed_letter_by_letter_finds_what_it_finds_at_once(files: list[FileSymbols]) -> None:
    for text in (
        "~c",
        "~cd",
        "~cdi",
        "!cu",
        "!cud",
        "c",
        "cu",
        "cud",
        "cudevice",
        "^cudevice",
        "cudevice|log",
        "cudevice|log1p",
    ):
        request = ReadSymbols(pid=1, filter=text)
        typed = SymbolIndex(files)
        for end in range(1, len(text)):
            typed.page(ReadSymbols(pid=1, filter=text[:end]), at=0)
        assert typed.page(request, at=0) == SymbolIndex(files).page(request, at=0)


def pages_of(index: SymbolIndex, request: ReadSymbols) -> list[SymbolPage]:
    """All answers to a request of which each takes no time."""
    pages = [index.page(request, at=0, seconds=0)]
    while not pages[-1].complete:
        pages.append(index.page(request, at=0, seconds=0))
    return pages


@pytest.mark.parametrize("text", ["~cu", ".", "!cu", "a|b", "[a-z]+_"])
def test_a_search_in_pieces_tells_what_it_has_found_and_ends_with_all_of_it(
    files: list[FileSymbols], text: str
) -> None:
    request = ReadSymbols(pid=1, filter=text)
    *parts, last = pages_of(SymbolIndex(files), request)
    assert last == SymbolIndex(files).page(request, at=0) and len(parts) >= len(files) - 1
    assert [page.total for page in parts] == sorted(page.total for page in parts)
    assert [page.searched for page in parts] == sorted({page.searched for page in parts})


def test_symbols_are_sorted_by_name_and_by_library_in_steps(files: list[FileSymbols]) -> None:
    for text in ("", "o"):
        for descending in (False, True):
            index = SymbolIndex(files)
            whole = index.page(ReadSymbols(pid=1, filter=text, limit=100_000), at=0).rows
            by_name = ReadSymbols(pid=1, filter=text, limit=100_000, sort="name", descending=descending)
            *parts, last = pages_of(index, by_name)
            names = [row.symbol.name.lower() for row in last.rows]
            assert names == sorted(names, reverse=descending) and len(names) == len(whole)
            assert all(page.rows == [] and page.total == last.total for page in parts[len(files) :])
            by_library = ReadSymbols(pid=1, filter=text, limit=100_000, sort="library", descending=descending)
            libraries = [Path(row.path).name for row in pages_of(index, by_library)[-1].rows]
            assert libraries == sorted(libraries, reverse=descending) and len(libraries) == len(whole)


def test_rows_that_the_viewer_knows_more_of_come_first_in_its_order(index: SymbolIndex) -> None:
    rows = index.page(ReadSymbols(pid=1, limit=30), at=0).rows
    ahead = [f"{row.file}:{row.symbol.name}" for row in (rows[7], rows[2])]
    page = index.page(ReadSymbols(pid=1, limit=30, ahead=[*ahead, "0:0:0:not there", "x:y"]), at=0)
    assert page.rows == [rows[7], rows[2], *rows[:2], *rows[3:7], *rows[8:]]


NAMES = st.lists(st.binary(max_size=6).map(lambda name: name.replace(b"\0", b"")), max_size=12)


@settings(max_examples=150, deadline=None)
@given(names=NAMES, needle=st.text(alphabet="aAbB^\0\1\2\xe9", min_size=1, max_size=4))
def test_any_bytes_in_names_and_needles_are_searched_as_they_stand(names: list[bytes], needle: str) -> None:
    small = lowered(names)
    wanted = lowered([needle.removeprefix("^").replace("\0", "\2").encode()])[0]
    starts = needle.startswith("^")
    expected = [name.startswith(wanted) if starts else wanted in name for name in small]
    if wanted:
        assert list(NameText(small).holding(needle)) == expected


def test_an_index_of_no_files_has_no_rows() -> None:
    page = SymbolIndex([]).page(ReadSymbols(pid=1, filter="a|b"), at=0)
    assert (page.total, page.rows, page.all_total) == (0, [], 0)


def test_undefined_names_are_rows_too_and_say_so(index: SymbolIndex) -> None:
    page = index.page(ReadSymbols(pid=1, file="0:0:0", filter="^dlopen", kind="undefined"), at=0)
    assert [(row.symbol.name, row.defined) for row in page.rows] == [("dlopen", False)]
