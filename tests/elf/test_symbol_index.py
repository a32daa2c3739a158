"""The symbol index answers filters and pages as a plain search over all names would."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.symbol_index import FileSymbols, SymbolIndex
from inspector.stream.requests import ReadSymbols

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
    needles = [part.strip().lower() for part in request.filter.split("|") if part.strip() not in ("", "^")]
    rows = []
    for symbols in files:
        for place, name in enumerate(symbols.lowered):
            fits = any(name.startswith(n[1:]) if n[0] == "^" else n in name for n in needles) or not needles
            kind = "defined" if symbols.defined[place] else "undefined"
            if fits and request.kind in ("all", kind) and request.file in ("", symbols.file):
                rows.append((symbols.path, name))
    return rows


@settings(max_examples=80, deadline=None)
@given(
    text=st.lists(st.sampled_from(["cu", "^cu", "CUD", "log", "^", "l", "o", "^__", "zzz", "|", " "]), max_size=4),
    kind=st.sampled_from(KINDS),
    file=st.sampled_from(["", "0:0:0", "0:0:2", "9:9:9"]),
    offset=st.integers(0, 900),
    limit=st.integers(0, 50),
)
def test_a_page_is_the_same_piece_of_the_plain_search(
    files: list[FileSymbols], index: SymbolIndex, text: list[str], kind: Kind, file: str, offset: int, limit: int
) -> None:
    for end in range(len(text) + 1):  # as it is typed, so that narrowing is used
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


def test_narrowing_a_filter_letter_by_letter_changes_nothing(files: list[FileSymbols]) -> None:
    for text in ("c", "cu", "cud", "cudevice", "^cudevice", "cudevice|log", "cudevice|log1p"):
        request = ReadSymbols(pid=1, filter=text)
        typed = SymbolIndex(files)
        for end in range(1, len(text)):
            typed.page(ReadSymbols(pid=1, filter=text[:end]), at=0)
        assert typed.page(request, at=0) == SymbolIndex(files).page(request, at=0)


def test_an_index_of_no_files_has_no_rows() -> None:
    page = SymbolIndex([]).page(ReadSymbols(pid=1, filter="a|b"), at=0)
    assert (page.total, page.rows, page.all_total) == (0, [], 0)


def test_undefined_names_are_rows_too_and_say_so(index: SymbolIndex) -> None:
    page = index.page(ReadSymbols(pid=1, file="0:0:0", filter="^dlopen", kind="undefined"), at=0)
    assert [(row.symbol.name, row.defined) for row in page.rows] == [("dlopen", False)]
