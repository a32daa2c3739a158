"""Functions are named by both symbol tables, and only where their code is."""

import subprocess
from pathlib import Path

import pytest

from inspector.collect.elf.file import ElfFile
from inspector.collect.elf.function_names import FunctionNames

CODE = """
int shown(int a) { return a + 1; }
static int __attribute__((noinline, used)) inner(int a) { return a * 3; }
int data = 5;
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    built = tmp_path / "libnamed.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", built], input=CODE.encode(), check=True)
    return built


def named(library: Path) -> dict[str, tuple[int, int]]:
    words = [line.split() for line in subprocess.run(["nm", "-S", library], stdout=-1, text=True).stdout.splitlines()]
    return {row[3]: (int(row[0], 16), int(row[1], 16)) for row in words if len(row) == 4 and row[2] in "tT"}


def test_each_byte_of_a_function_has_its_name_and_none_beside_it(library: Path) -> None:
    with ElfFile(str(library).encode()) as elf:
        names = FunctionNames(elf)
        for name, (begin, size) in named(library).items():
            assert [names.at(begin + each) for each in (0, size - 1)] == [(begin, name.encode())] * 2
        first = min(begin for begin, _ in named(library).values())
        assert names.at(0) is None
        assert names.at(first - 1) is None


def test_a_stripped_library_names_what_it_exports(library: Path) -> None:
    inner, shown = named(library)["inner"][0], named(library)["shown"][0]
    subprocess.run(["strip", library], check=True)
    with ElfFile(str(library).encode()) as elf:
        names = FunctionNames(elf)
        assert (names.at(shown), names.at(inner)) == ((shown, b"shown"), None)


def test_code_that_chooses_a_function_at_the_first_call_has_its_own_name(tmp_path: Path) -> None:
    code = """
    static void *choose(void) { return 0; }
    int chosen(void) __attribute__((ifunc("choose")));
    """
    library = tmp_path / "libchosen.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=code.encode(), check=True)
    with ElfFile(str(library).encode()) as elf:
        begin = named(library)["choose"][0]
        assert FunctionNames(elf).at(begin) == (begin, b"choose")
