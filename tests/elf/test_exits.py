"""Where functions return: every `ret` of a function that is decoded whole, or the reason why they are not known."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.eh_frame import FunctionRanges
from inspector.collect.elf.exits import ELSEWHERE, ENDLESS, THROUGH_POINTER, Exits, find_exits
from inspector.collect.elf.file import ElfError, ElfFile
from inspector.collect.elf.processors.processor import Step
from inspector.collect.elf.processors.x86_jump_tables import table_targets
from inspector.collect.elf.sites import find_sites

from .damage import DAMAGE, damaged
from .workshop import Workshop

LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")
CODE = """
#include <stdlib.h>
extern int elsewhere(int);
static int (*pointer)(int);
__attribute__((constructor)) static void choose(void) { pointer = abs; }
int many(int x) {
    switch (x) {
        case 0: return rand() % 5; case 1: return rand() + 17; case 2: return abs(x) * 3; case 3: return rand() ^ 5;
        case 4: return 99 / (rand() + 1); case 5: return rand() - 1; case 6: return rand() | 64;
        case 7: return rand() & 7; case 8: return 3 * rand(); default: return -1;
    }
}
__attribute__((noinline, visibility("hidden"))) int within(int x) { return rand() * x; }
int goes_on_within(int x) { return within(x + 1); }
int goes_on_elsewhere(int x) { return elsewhere(x + 1); }
int goes_on_anywhere(int x) { return pointer(x + 1); }
void never_returns(void) { for (;;) rand(); }
int falls_apart(int x) { if (__builtin_expect(x == 7, 0)) { rand(); rand(); exit(x); } return x; }
"""
THROWING = """
extern "C" int rand(); extern "C" int guarded(int (*call)(int), int x) {
    try { return call(x) + 1; } catch (int value) { return value * rand(); } catch (...) { return rand() - 7; }
}
"""


@pytest.fixture(scope="module")
def library(workshop: Workshop) -> Path:
    flags = ["-O2", "-fcf-protection=none", "-Wl,--unresolved-symbols=ignore-all"]
    return workshop.library("libexits.so", CODE, flags=flags)


@pytest.fixture(scope="module")
def throwing(workshop: Workshop) -> Path:
    path = workshop.folder / "libthrowing.so"
    command = ["g++", "-O2", "-fPIC", "-shared", "-x", "c++", "-", "-o", str(path)]
    subprocess.run(command, input=THROWING.encode(), check=True)
    return path


def exits_of(path: Path, name: str) -> Exits:
    """The exits of one exported function."""
    (site,) = (site for site in find_sites(os.fsencode(path), [name]).found if site.name == name)
    return find_exits(os.fsencode(path), [site])[site.entry]


def returns_in(path: Path, *functions: str) -> set[int]:
    """Addresses of `ret` between the labels that objdump gives, parts moved elsewhere included."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True)
    found: set[int] = set()
    for block in listing.stdout.split("\n\n"):
        label = re.match(r"\s*[0-9a-f]+ <([^>]+)>:", block)
        if label and re.sub(r"\.(cold|part)[.0-9]*$", "", label[1]) in functions:
            found |= {int(line, 16) for line in re.findall(r"^ *([0-9a-f]+):\s+(?:repz |bnd )?ret", block, re.M)}
    return found


def test_the_returns_of_a_function_with_a_jump_table_are_those_that_objdump_sees(library: Path) -> None:
    exits = exits_of(library, "many")
    assert exits.unproven == ""
    assert set(exits.addresses) == returns_in(library, "many") != set()


def test_a_function_that_goes_on_in_another_one_of_the_file_returns_there(library: Path) -> None:
    exits = exits_of(library, "goes_on_within")
    assert (exits.unproven, set(exits.addresses)) == ("", returns_in(library, "within"))


@pytest.mark.parametrize(
    ("name", "why"),
    [("goes_on_elsewhere", ELSEWHERE), ("goes_on_anywhere", THROUGH_POINTER), ("never_returns", ENDLESS)],
)
def test_what_leaves_in_a_way_that_is_not_known_is_not_proven(library: Path, name: str, why: str) -> None:
    assert exits_of(library, name).unproven == why


def test_a_part_that_was_moved_away_and_never_comes_back_changes_nothing(library: Path) -> None:
    exits = exits_of(library, "falls_apart")
    assert (exits.unproven, set(exits.addresses)) == ("", returns_in(library, "falls_apart"))


def test_returns_that_only_an_exception_leads_to_are_seen(throwing: Path) -> None:
    exits = exits_of(throwing, "guarded")
    assert exits.unproven == ""
    assert set(exits.addresses) >= returns_in(throwing, "guarded") != set()


def test_every_offset_of_the_c_library_is_a_return_instruction() -> None:
    sites = find_sites(os.fsencode(LIBC), ["qsort", "printf", "getaddrinfo", "dlopen", "strtod", "malloc"]).found
    raw = LIBC.read_bytes()
    offsets = [offset for each in find_exits(os.fsencode(LIBC), sites).values() for offset in each.offsets]
    assert len(offsets) > 5
    assert {raw[offset] for offset in offsets} <= {0xC3, 0xC2, 0xF2, 0xF3}


def test_a_table_without_a_bound_is_not_followed() -> None:
    steps = [
        Step(0x10, 7, "lea", "rdx, [rip + 0x100]"),
        Step(0x17, 4, "movsxd", "rax, dword ptr [rdx + rdi*4]"),
        Step(0x1B, 3, "add", "rax, rdx"),
    ]
    bound = [Step(0x08, 3, "cmp", "edi, 3"), Step(0x0B, 5, "ja", "0x90")]
    jump = Step(0x1E, 2, "jmp", "rax")

    def read(address: int, size: int) -> bytes:
        assert address == 0x117
        return b"\x10\0\0\0" * (size // 4)

    assert table_targets(jump, steps, read) is None
    assert table_targets(jump, [*bound, *steps], read) == {0x127}


@settings(max_examples=150, deadline=None)
@given(DAMAGE)
def test_a_damaged_file_has_exits_or_none_and_never_a_traceback(library: Path, damage: list[tuple[int, bytes]]) -> None:
    copy = damaged(library, damage)
    try:
        sites = find_sites(os.fsencode(copy)).found
        for exits in find_exits(os.fsencode(copy), sites).values():
            assert exits.offsets or exits.unproven
    except ElfError:
        pass


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 48), DAMAGE)
def test_ranges_of_a_damaged_table_hold_the_address_or_are_none(
    library: Path, address: int, damage: list[tuple[int, bytes]]
) -> None:
    try:
        with ElfFile(os.fsencode(damaged(library, damage))) as elf:
            ranges = FunctionRanges(elf)
            for place in (address, elf.entry, 0x1100):
                found = ranges.find(place)
                assert found is None or found.start <= place < found.end
    except ElfError:
        pass
