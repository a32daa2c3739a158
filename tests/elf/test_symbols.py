"""Dynamic symbols in bulk and by hash, with versions, from whole, stripped and damaged files."""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.demangle import demangle
from inspector.collect.elf.file import ElfError, ElfFile
from inspector.collect.elf.symbols import SymbolTable, gnu_hash
from inspector.collect.elf.versions import Versions

from .damage import DAMAGE, damaged
from .workshop import Workshop

LIBC = b"/lib/x86_64-linux-gnu/libc.so.6"


def by_nm(path: Path | bytes) -> set[str]:
    output = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in output.splitlines() if " A " not in line}


def test_the_exports_of_libc_are_those_that_nm_prints() -> None:
    with ElfFile(LIBC) as elf:
        table = SymbolTable(elf)
        found = set()
        for index, symbol in enumerate(table.symbols()):
            if symbol.section not in (0, 0xFFF1):
                export = table.export(index)
                mark = f"{'@@' if export.default else '@'}{export.version}" if export.version else ""
                found.add(export.name + mark)
    assert found == by_nm(LIBC)
    assert len(found) > 2000


def test_a_name_of_two_versions_is_found_twice_and_one_is_the_default(shim: Path) -> None:
    with ElfFile(os.fsencode(shim)) as elf:
        table = SymbolTable(elf)
        found = [table.export(index) for index in table.find(b"cuDeviceGet")]
    assert {(export.version, export.default) for export in found} == {("V_1", False), ("V_2", True)}


def test_what_is_not_there_is_not_found(shim: Path) -> None:
    with ElfFile(os.fsencode(shim)) as elf:
        table = SymbolTable(elf)
        assert table.find(b"cuNoSuchFunction") == []
        assert table.find(b"dlsym") == [], "undefined here"
        assert table.find(b"cuCtxGetFlags") == [], "static"


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_every_hash_style_gives_all_names(workshop: Workshop, style: str) -> None:
    code = 'int alpha; int beta(void){return puts("x");} extern int gamma(void); int d(void){return gamma();}'
    path = workshop.library(f"libhash-{style}.so", code, flags=[f"-Wl,--hash-style={style}"])
    with ElfFile(os.fsencode(path)) as elf:
        table = SymbolTable(elf)
        assert {b"alpha", b"beta", b"gamma", b"d", b"puts"} <= set(table.names())
        assert [table.name(i) for i in table.find(b"beta")] == [b"beta"]
        assert table.defines_any([b"omega", b"beta"])
        assert not table.defines_any([b"omega", b"gamma"]), "undefined here"


def test_the_filter_of_a_table_lets_every_name_in_it_pass_and_few_others() -> None:
    with ElfFile(LIBC) as elf:
        table = SymbolTable(elf)
        names = [table.name(index) for index, symbol in enumerate(table.symbols()) if symbol.defined]
        assert all(table.defines_any([name]) for name in names)
        assert len(names) > 2000
        assert not table.defines_any([b"no_such_%d" % number for number in range(2000)])


def test_a_library_that_exports_nothing_still_shows_what_it_needs(workshop: Workshop) -> None:
    script = "V { local: *; };"
    path = workshop.library("libquiet.so", 'int f(void){return puts("x");}', script=script)
    with ElfFile(os.fsencode(path)) as elf:
        assert b"puts" in SymbolTable(elf).names()
    subprocess.run(["strip", "--strip-section-headers", path], check=False)
    raw = bytearray(path.read_bytes())
    raw[0x28:0x30] = bytes(8)
    raw[0x3C:0x40] = bytes(4)
    path.write_bytes(raw)
    with ElfFile(os.fsencode(path)) as elf:
        assert b"puts" in SymbolTable(elf).names(), "found without any section header"


def test_needed_versions_name_the_file_that_they_are_expected_from(shim: Path) -> None:
    with ElfFile(os.fsencode(shim)) as elf:
        table = SymbolTable(elf)
        needs = {table.name(i): table.need(i) for i, symbol in enumerate(table.symbols()) if not symbol.section}
        assert needs[b"dlsym"].file == "libc.so.6"
        assert needs[b"dlsym"].version.startswith("GLIBC_2.")
        assert set(Versions(elf).defined.values()) == {b"V_1", b"V_2"}


def test_a_32_bit_library_is_read_too(workshop: Workshop) -> None:
    source = workshop.folder / "narrow.s"
    source.write_text(".globl narrow\n.type narrow,@function\nnarrow: ret\n.size narrow,1\n")
    path, part = workshop.folder / "libnarrow.so", workshop.folder / "narrow.o"
    subprocess.run(["as", "--32", source, "-o", part], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-shared", part, "-o", path], check=True)
    with ElfFile(os.fsencode(path)) as elf:
        table = SymbolTable(elf)
        assert (elf.layout.word_bits, elf.machine) == (32, "i386")
        assert [table.export(i).name for i in table.find(b"narrow")] == ["narrow"]
        assert table.defines_any([b"broad", b"narrow"])
        assert not table.defines_any([b"broad"])


@given(name=st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0"), max_size=40))
def test_the_hash_is_djb2(name: str) -> None:
    expected = 5381
    for letter in name.encode():
        expected = ctypes.c_uint32(expected * 33 + letter).value
    assert gnu_hash(name.encode()) == expected


@settings(max_examples=150, deadline=None)
@given(damage=DAMAGE)
def test_a_damaged_file_gives_symbols_or_a_reason_and_never_another_error(
    shim: Path, damage: list[tuple[int, bytes]]
) -> None:
    path = damaged(shim, damage)
    try:
        with ElfFile(os.fsencode(path)) as elf:
            table = SymbolTable(elf)
            table.find(b"cuInit")
            table.defines_any([b"cuInit", b"cuNoSuchFunction"])
            for index in range(min(len(table), 50)):
                symbol = table.symbol(index)
                (table.export if symbol.defined else table.need)(index)
            assert len(table.names()) == len(table)
    except ElfError as error:
        assert str(error)


def test_a_cpp_name_is_demangled_and_anything_else_is_left_alone() -> None:
    assert (
        demangle(b"_ZNSt6vectorIiSaIiEE9push_backERKi")
        == b"std::vector<int, std::allocator<int> >::push_back(int const&)"
    )
    assert demangle(b"cuInit") == b""
    assert demangle(b"_Z") == b""


def test_a_name_that_would_explode_when_demangled_is_not_demangled() -> None:
    bomb = b"_Z1fI" + b"St4pairI" * 40 + b"ii" + b"".join(b"S%d_S%d_" % (i, i) for i in range(40)) + b"E" * 41 + b"vv"
    assert demangle(bomb) == b""


@given(tail=st.binary(max_size=60))
def test_any_name_can_be_given_to_the_demangler(tail: bytes) -> None:
    assert isinstance(demangle(b"_Z" + tail), bytes)
