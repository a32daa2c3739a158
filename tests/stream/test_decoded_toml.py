"""What our own TOML files said is kept beside the bytecode, by the rules of bytecode."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.stream.decoded_toml import beside_bytecode, read_once


@pytest.fixture(autouse=True)
def bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


class Reader:
    """Reads a file and remembers how often."""

    def __init__(self, source: Path) -> None:
        self.times, self._source = 0, source

    def __call__(self) -> list[str]:
        self.times += 1
        return self._source.read_text().split()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text("one two")
    return file


def reading(source: Path, place: Path | None) -> tuple[Callable[[], list[str]], Reader]:
    reader = Reader(source)
    return lambda: read_once([source], list[str], place, reader), reader


def test_a_file_is_read_once_until_it_changes(source: Path, tmp_path: Path) -> None:
    read, reader = reading(source, tmp_path / "kept")
    assert [read(), read()] == [["one", "two"]] * 2
    assert reader.times == 1
    source.write_text("three")
    assert [read(), read()] == [["three"]] * 2
    assert reader.times == 2


@pytest.mark.parametrize("left", [0, 3, -1])
def test_what_was_torn_off_is_made_anew(source: Path, tmp_path: Path, left: int) -> None:
    read, _ = reading(source, tmp_path / "kept")
    read()
    (tmp_path / "kept").write_bytes((tmp_path / "kept").read_bytes()[:left])
    assert read() == ["one", "two"]


def test_what_has_another_type_is_made_anew(source: Path, tmp_path: Path) -> None:
    assert read_once([source], int, tmp_path / "kept", lambda: 1) == 1
    read, _ = reading(source, tmp_path / "kept")
    assert read() == ["one", "two"]


def test_nothing_is_kept_where_no_bytecode_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading(source, tmp_path / "no such folder" / "kept")[0]() == ["one", "two"]
    assert reading(source, None)[0]() == ["one", "two"]
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert reading(source, tmp_path / "kept")[0]() == ["one", "two"]
    assert [*tmp_path.iterdir()] == [source]


def test_it_lies_beside_the_bytecode_of_the_module_that_reads_it() -> None:
    place = beside_bytecode(__spec__)
    assert place is not None
    assert place.suffix == ".decoded"
    assert place.parent.name == "__pycache__"
    assert beside_bytecode(None) is None
