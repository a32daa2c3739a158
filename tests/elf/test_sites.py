"""Probe sites: on instruction boundaries, cheap where that is proven, refused with a reason where not."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.elf.file import ElfError
from inspector.collect.elf.processors import x86
from inspector.collect.elf.processors.x86_prologue import class_of, straight_length
from inspector.collect.elf.sites import Site, find_sites

from .damage import DAMAGE, damaged
from .workshop import Workshop

LIBCRYPTO = Path("/lib/x86_64-linux-gnu/libcrypto.so.3")
LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")

ASSEMBLY = """
.macro function name
.globl \\name
.type \\name,@function
\\name:
.endm
.macro finish name
.size \\name,.-\\name
.endm
function at_push
  push %rbx; pop %rbx; ret
finish at_push
function behind_endbr
  endbr64; push %r12; pop %r12; ret
finish behind_endbr
function behind_moves
  endbr64; mov %rdi,%rax; test %rax,%rax; je 1f; inc %rax; 1: ret
finish behind_moves
function loops_back
  xor %eax,%eax; 1: nop; inc %eax; cmp $9,%eax; jne 1b; ret
finish loops_back
function loops_back_before
  xor %eax,%eax; 1: inc %eax; nop; cmp $9,%eax; jne 1b; ret
finish loops_back_before
function locked
  lock addl $1,(%rdi); ret
finish locked
function vector
  vzeroupper; ret
finish vector
function padded
  .byte 0x66,0x66,0x48,0xe8,0,0,0,0; ret
finish padded
function calls
  endbr64; call at_push; ret
finish calls
function calls_behind
  endbr64; mov %rdi,%rax; call at_push; ret
finish calls_behind
function calls_through
  call *(%rdi); ret
finish calls_through
function five
  .byte 0x0f,0x1f,0x44,0,0; mov $7,%eax; ret
finish five
function five_behind_endbr
  endbr64; .byte 0x0f,0x1f,0x44,0,0; mov $7,%eax; ret
finish five_behind_endbr
function loop_behind_endbr
  endbr64; 1: push %rbx; pop %rbx; dec %edi; jne 1b; ret
finish loop_behind_endbr
function loop_behind_five
  .byte 0x0f,0x1f,0x44,0,0; 1: dec %edi; jne 1b; ret
finish loop_behind_five
function vector_behind_marks
  endbr64; .byte 0x0f,0x1f,0x44,0,0; vzeroupper; ret
finish vector_behind_marks
function unsized
  mov $1,%eax; push %rbx; pop %rbx; ret
.globl second_name
.type second_name,@function
.set second_name, at_push
.globl label
label: ret
.data
.globl number
.type number,@object
.size number,4
number: .long 1
"""


@pytest.fixture(scope="session")
def assembled(workshop: Workshop) -> Path:
    source, part, path = (workshop.folder / name for name in ("sites.s", "sites.o", "libsites.so"))
    source.write_text(ASSEMBLY)
    subprocess.run(["as", source, "-o", part], check=True)
    subprocess.run(["ld", "-shared", part, "-o", path], check=True)
    return path


@pytest.fixture(scope="session")
def sites(assembled: Path) -> dict[str, Site]:
    return {site.name: site for site in find_sites(os.fsencode(assembled)).found}


def disassembled(path: Path, start: int, stop: int) -> list[int]:
    """Addresses of all instructions that objdump decodes in a range."""
    span = [f"--start-address={start}", f"--stop-address={stop}"]
    command = ["objdump", "-d", "--no-show-raw-insn", *span, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(match, 16) for match in re.findall(r"^ *([0-9a-f]+):\t", output, re.MULTILINE)]


def test_a_function_that_begins_with_push_is_probed_at_its_first_byte(sites: dict[str, Site]) -> None:
    site = sites["at_push"]
    assert (site.entry, site.offset, site.kind, site.cost) == (site.offset, site.offset, "push", 500)


def test_two_names_of_one_address_are_one_site(sites: dict[str, Site]) -> None:
    assert sites["at_push"].aliases == ("second_name",)


def test_a_wanted_name_leads_its_aliases(assembled: Path) -> None:
    found = find_sites(os.fsencode(assembled), ["second_name"]).found
    assert [(site.name, site.aliases) for site in found] == [("second_name", ("at_push",))]


def test_endbr64_is_skipped_for_entry_and_return(sites: dict[str, Site]) -> None:
    site = sites["behind_endbr"]
    assert site.entry == site.offset
    assert site.kind == "push"
    assert site.entry_cost == 500


def test_a_straight_line_to_a_branch_is_counted_there_and_entered_at_the_front(sites: dict[str, Site]) -> None:
    site = sites["behind_moves"]
    assert site.offset - site.entry == len(b"\x48\x89\xf8\x48\x85\xc0")
    assert (site.kind, site.cost, site.entry_cost) == ("branch", 500, 16_300)


@pytest.mark.parametrize("name", ["loops_back", "loops_back_before"])
def test_a_place_that_a_loop_passes_again_is_not_used(sites: dict[str, Site], name: str) -> None:
    assert (sites[name].offset, sites[name].kind) == (sites[name].entry, "stepped")


def test_a_function_of_unknown_size_is_probed_at_its_entry_only(sites: dict[str, Site]) -> None:
    assert sites["unsized"].offset == sites["unsized"].entry


def test_a_nop_of_five_bytes_is_passed_by_since_a_probe_there_becomes_a_system_call(sites: dict[str, Site]) -> None:
    five, landing = sites["five"], sites["five_behind_endbr"]
    assert five.entry == five.address + 5
    assert landing.entry == landing.address + 9
    assert sites["vector_behind_marks"].entry == sites["vector_behind_marks"].address


def test_where_a_loop_comes_back_to_what_follows_the_marks_nothing_is_counted_twice(
    assembled: Path, sites: dict[str, Site]
) -> None:
    assert sites["loop_behind_endbr"].entry == sites["loop_behind_endbr"].address
    assert sites["loop_behind_endbr"].offset == sites["loop_behind_endbr"].entry
    (refused,) = find_sites(os.fsencode(assembled), ["loop_behind_five"]).refused
    assert "cannot be probed" in refused.why


def test_what_the_kernel_refuses_is_refused_here_with_the_reason(assembled: Path) -> None:
    names = ["locked", "vector", "padded", "number", "label", "nowhere", "at_push"]
    answer = find_sites(os.fsencode(assembled), names)
    why = {refusal.names[0]: refusal.why for refusal in answer.refused}
    assert [site.name for site in answer.found] == ["at_push"]
    assert "f0 83 07 01" in why["locked"]
    assert "cannot be probed" in why["vector"]
    assert "cannot be probed" in why["padded"]
    assert why["number"] == why["label"] == "not a function"
    assert why["nowhere"] == "the file does not export it"


def test_no_call_is_probed_where_a_shadow_stack_holds_return_addresses(
    assembled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["calls", "calls_behind", "calls_through", "at_push"]
    calls = (b"\xe8", b"\xff\x17")
    raw = assembled.read_bytes()
    monkeypatch.setattr(x86, "SHADOW_STACKS", False)
    found = find_sites(os.fsencode(assembled), names).found
    assert {site.name for site in found if raw.startswith(calls, site.offset)} == set(names) - {"at_push"}
    monkeypatch.setattr(x86, "SHADOW_STACKS", True)
    answer = find_sites(os.fsencode(assembled), names)
    assert {site.name for site in answer.found} == {"calls", "calls_behind", "at_push"}
    assert not [
        site for site in answer.found if raw.startswith(calls, site.offset) or raw.startswith(calls, site.entry)
    ]
    assert {refusal.names[0] for refusal in answer.refused} == {"calls_through"}


def test_an_indirect_function_is_refused_and_says_that_it_is_a_resolver() -> None:
    answer = find_sites(os.fsencode(LIBC), ["strlen"])
    assert answer.found == []
    assert "indirect function" in answer.refused[0].why


def test_a_version_pair_gives_a_site_for_each_address(shim: Path) -> None:
    found = find_sites(os.fsencode(shim), ["cuDeviceGet"]).found
    assert len({site.address for site in found}) == 2


def test_offsets_count_from_the_file_and_not_from_the_load_address(workshop: Workshop) -> None:
    code = "int f(int x) { return x ? f(x - 1) + 3 : 1; }"
    path = workshop.library("libshifted.so", code, flags=["-Wl,-Ttext-segment=0x426000", "-O0"])
    (site,) = find_sites(os.fsencode(path), ["f"]).found
    assert site.address - site.entry >= 0x426000
    assert path.read_bytes()[site.entry] == 0x55


@pytest.mark.longer
def test_every_site_of_a_large_library_is_an_instruction_boundary() -> None:
    found = find_sites(os.fsencode(LIBCRYPTO)).found
    deeper = [site for site in found if site.offset != site.entry]
    assert len(deeper) > 500
    addresses = sorted(site.address for site in found)
    boundaries = set(disassembled(LIBCRYPTO, addresses[0], addresses[-1] + 64))
    assert [site for site in found if site.offset not in boundaries] == [], "its text lies at its address in the file"


def instructions(path: Path) -> Iterator[bytes]:
    output = subprocess.run(["objdump", "-d", "-j", ".text", path], capture_output=True, text=True, check=True).stdout
    current = b""
    for line in output.splitlines():
        match = re.match(r"^ *[0-9a-f]+:\t((?:[0-9a-f]{2} )+) *(\t.*)?$", line)
        if match is None or match[2] is not None:
            if current:
                yield current
            current = b""
        if match is not None:
            current += bytes.fromhex(match[1])


def test_a_known_length_is_the_length_that_a_disassembler_gives() -> None:
    seen = set(instructions(Path("/lib/x86_64-linux-gnu/libz.so.1").resolve()))
    known = {code: straight_length(code + b"\x90" * 8) for code in seen}
    assert len(seen) > 5000
    assert {code.hex(): length for code, length in known.items() if length not in (None, len(code))} == {}
    assert sum(length is not None for length in known.values()) > 0.7 * len(seen)


@given(code=st.binary(max_size=20))
def test_any_bytes_have_a_class_and_a_length_within_them(code: bytes) -> None:
    length = straight_length(code)
    assert length is None or 0 < length <= len(code)
    assert class_of(code) in {"push", "nop", "branch", "stepped", "refused"}


@settings(max_examples=80, deadline=None)
@given(damage=DAMAGE)
def test_a_damaged_file_gives_sites_or_a_reason(shim: Path, damage: list[tuple[int, bytes]]) -> None:
    path = damaged(shim, damage)
    try:
        answer = find_sites(os.fsencode(path))
        assert all(0 <= site.entry <= site.offset < path.stat().st_size for site in answer.found)
    except ElfError as error:
        assert str(error)
