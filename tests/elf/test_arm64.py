"""arm64: what files say of probes, exits, relocations and loads, in libraries made by a cross compiler."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.collect.elf.exits import ELSEWHERE, THROUGH_POINTER, Exits, find_exits
from inspector.collect.elf.library import LibraryCache, RefusedError
from inspector.collect.elf.loader import read_loader
from inspector.collect.elf.processors.arm64 import ARM64, class_of
from inspector.collect.elf.relocations import function_slots, sealed_words
from inspector.collect.elf.sites import Site, find_sites

COMPILER = shutil.which("aarch64-linux-gnu-gcc")
LOADER = Path("/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1")
compiled = pytest.mark.skipif(COMPILER is None, reason="no compiler for arm64 here (gcc-aarch64-linux-gnu)")
CODE = """
#include <stdlib.h>
extern int elsewhere(int);
int (*pointer)(int);
int cuInit(unsigned flags) { return flags ? 1 : rand() + 1; }
int with_two_exits(int x) { if (x > 3) return rand() * x; return x; }
__attribute__((noinline, visibility("hidden"))) int within(int x) { return rand() * x; }
int goes_on_within(int x) { return within(x + 1); }
int goes_on_elsewhere(int x) { return elsewhere(x + 1); }
int goes_on_anywhere(int x) { return pointer(x + 1); }
int many(int x) {
    switch (x) {
        case 0: return rand() % 5; case 1: return rand() + 17; case 2: return abs(x) * 3; case 3: return rand() ^ 5;
        case 4: return 99 / (rand() + 1); case 5: return rand() - 1; case 6: return rand() | 64;
        case 7: return rand() & 7; case 8: return 3 * rand(); default: return -1;
    }
}
void never_returns(void) { for (;;) rand(); }
"""


@pytest.fixture(scope="module", params=["none", "standard"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without and with the landing pads and signed return addresses of newer processors."""
    assert COMPILER is not None
    path = tmp_path_factory.mktemp("arm64") / "libcuda.so.1"
    flags = [
        f"-mbranch-protection={request.param}",
        "-O2",
        "-fPIC",
        "-shared",
        "-Wl,-soname,libcuda.so.1",
        "-Wl,-z,lazy",
    ]
    command = [COMPILER, *flags, "-Wl,--unresolved-symbols=ignore-all", "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=CODE.encode(), check=True)
    return path


def sites_of(library: Path) -> dict[str, Site]:
    return {site.name: site for site in find_sites(os.fsencode(library)).found}


def exits_of(library: Path) -> dict[str, Exits]:
    sites = sites_of(library)
    found = find_exits(os.fsencode(library), sites.values())
    return {name: found[site.entry] for name, site in sites.items()}


def returns_of(library: Path, name: str) -> set[int]:
    """Addresses of `ret` instructions as the disassembler of binutils sees them."""
    command = ["aarch64-linux-gnu-objdump", "-d", f"--disassemble={name}", "--no-show-raw-insn", str(library)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith(" ")]
    return {int(row[0].rstrip(":"), 16) for row in rows if row[1].startswith("ret")}


@compiled
def test_each_function_is_probed_at_its_first_instruction(library: Path) -> None:
    sites = sites_of(library)
    assert {"cuInit", "with_two_exits", "many", "never_returns"} <= sites.keys()
    assert all(site.offset == site.entry and site.kind != "refused" for site in sites.values())


@compiled
def test_all_returns_of_a_function_are_found_as_the_disassembler_sees_them(library: Path) -> None:
    exits = exits_of(library)
    for name in ("cuInit", "with_two_exits"):
        assert set(exits[name].addresses) == returns_of(library, name) != set()
        assert exits[name].unproven == ""
    assert set(exits["goes_on_within"].addresses) >= returns_of(library, "within") != set()
    assert exits["goes_on_within"].unproven == ""


@compiled
def test_where_the_way_out_is_not_known_it_is_said(library: Path) -> None:
    exits = exits_of(library)
    assert exits["goes_on_elsewhere"].unproven == ELSEWHERE
    assert exits["goes_on_anywhere"].unproven == THROUGH_POINTER
    assert exits["never_returns"].unproven
    assert exits["many"].unproven in ("", THROUGH_POINTER)


@compiled
def test_slots_and_sealed_words_are_known_by_the_relocations_of_arm64(library: Path) -> None:
    slots = function_slots(os.fsencode(library), [b"rand", b"elsewhere"])
    assert {slot.name for slot in slots.wanted} == {b"rand", b"elsewhere"} and all(slot.lazy for slot in slots.wanted)
    assert sealed_words(os.fsencode(library))


@compiled
def test_its_loader_tells_its_folders_and_takes_only_libraries_of_its_processor(library: Path) -> None:
    if not LOADER.exists():
        pytest.skip("no C library for arm64 here (libc6-dev-arm64-cross)")
    facts = read_loader(os.fsencode(LOADER))
    assert facts.processor is ARM64 and b"/lib/aarch64-linux-gnu" in facts.system_folders
    assert LibraryCache().read(os.fsencode(library), ARM64.machine).soname == b"libcuda.so.1"
    with pytest.raises(RefusedError, match="made for another processor"):
        LibraryCache().read(os.fsencode(library), 62)
    with pytest.raises(RefusedError, match="made for another processor"):
        LibraryCache().read(os.fsencode("/bin/true"), ARM64.machine)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        (0xA9BF7BFD, "stepped"),  # stp x29, x30, [sp, #-16]!
        (0xD503233F, "stepped"),  # paciasp
        (0xD503245F, "stepped"),  # bti c
        (0xD503207F, "refused"),  # wfi
        (0x90000010, "branch"),  # adrp x16, .
        (0x14000001, "branch"),  # b
        (0xB4000040, "branch"),  # cbz x0
        (0xD65F03C0, "branch"),  # ret
        (0xD65F0BFF, "refused"),  # retaa
        (0xC85F7C00, "refused"),  # ldxr x0, [x0]
        (0xD4200000, "refused"),  # brk
        (0xD4000001, "refused"),  # svc
        (0xD53BD040, "stepped"),  # mrs x0, tpidr_el0
        (0xD51BD040, "refused"),  # msr tpidr_el0, x0
        (0x58000040, "branch"),  # ldr x0, literal
        (0x00000000, "refused"),  # udf
    ],
)
def test_an_instruction_is_probed_as_the_kernel_allows_it(word: int, kind: str) -> None:
    assert class_of(word.to_bytes(4, "little")) == kind
