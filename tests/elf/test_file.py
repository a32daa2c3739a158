"""The loader's view of a file: what is there is read, what is damaged is said."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.file import DT_SONAME, PT_LOAD, ElfError, ElfFile


def test_a_library_shows_its_class_its_machine_and_its_soname(shim: Path) -> None:
    with ElfFile(os.fsencode(shim)) as elf:
        assert (elf.layout.word_bits, elf.machine, elf.is_pie) == (64, "x86_64", False)
        assert elf.tag_strings(DT_SONAME) == [b"libcuda.so.1"]
        assert any(segment.kind == PT_LOAD for segment in elf.segments)


def test_an_executable_names_its_interpreter() -> None:
    with ElfFile(b"/bin/true") as elf:
        assert elf.is_pie
        assert elf.interpreter == b"/lib64/ld-linux-x86-64.so.2"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"/* GNU ld script */ INPUT(libfoo.so)", "linker script"),
        (b"MZ\x90\0", "begins with 4d 5a 90 00"),
        (b"\x7fELF", "class"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "truncated"),
        (b"\x7fELF\x02\x02\x01" + bytes(57), "big-endian"),
    ],
)
def test_what_is_no_elf_file_says_what_it_is_instead(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(content)
    with pytest.raises(ElfError, match=why):
        ElfFile(os.fsencode(path))


def test_a_directory_a_fifo_and_a_missing_file_are_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, why in ((tmp_path, "directory"), (tmp_path / "fifo", "regular"), (tmp_path / "none", "no such file")):
        with pytest.raises(ElfError, match=why):
            ElfFile(os.fsencode(path))
    with pytest.raises(ElfError, match="NUL"):
        ElfFile(b"a\0b")


def test_a_refused_file_leaves_no_descriptor_open(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ElfFile(os.fsencode(path)) as elf:
        assert elf.segments == []
    path.write_bytes(b"no ELF at all")
    with pytest.raises(ElfError):
        ElfFile(os.fsencode(path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@settings(max_examples=60, deadline=None)
@given(header=st.binary(min_size=60, max_size=400))
def test_any_header_gives_a_file_or_a_reason(tmp_path_factory: pytest.TempPathFactory, header: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-header.so"
    path.write_bytes(b"\x7fELF\x02\x01" + header)
    try:
        with ElfFile(os.fsencode(path)) as elf:
            assert elf.size == len(header) + 6
    except ElfError as error:
        assert str(error)
