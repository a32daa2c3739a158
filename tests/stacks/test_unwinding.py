"""Rows of the tables for unwinding, against pyelftools, which reads the same tables in its own way."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.elf.eh_frame import FunctionRanges
from inspector.collect.elf.file import ElfFile
from inspector.collect.elf.unwinding import (
    ARM64,
    RBP,
    RETURN,
    RSP,
    X86_64,
    Convention,
    Registers,
    Row,
    StackCopy,
    callers,
    row_at,
)  # fmt: skip

_NAMES = ("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libc.so.6",
          "/usr/aarch64-linux-gnu/lib/libc.so.6")  # fmt: skip
_LIBRARIES = [path for name in _NAMES if (path := Path(name).resolve()).exists()]


@pytest.mark.longer
@pytest.mark.parametrize("library", _LIBRARIES, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_each_row_is_the_one_that_pyelftools_reads(library: Path) -> None:
    with library.open("rb") as stream, ElfFile(bytes(library)) as elf:
        entries = [one for one in ELFFile(stream).get_dwarf_info().EH_CFI_entries() if isinstance(one, FDE)]
        ranges = FunctionRanges(elf)
        for entry in random.Random(1).sample(entries, min(400, len(entries))):
            table = entry.get_decoded().table
            end = entry["initial_location"] + entry["address_range"]
            for row, following in zip(table, [*(each["pc"] for each in table[1:]), end], strict=True):
                if row["pc"] < following:
                    _same(row_at(ranges, row["pc"]), row)
                    _same(row_at(ranges, following - 1), row)


def _same(ours: Row | None, theirs: Mapping[object, Any]) -> None:
    assert ours is not None
    base = theirs["cfa"]
    rules = {number: rule for number, rule in theirs.items() if isinstance(number, int)}
    if base.expr is not None or any("EXPRESSION" in rule.type for rule in rules.values()):
        assert ours.unknown
        return
    saved = {number: rule.arg for number, rule in rules.items() if rule.type == "OFFSET"}
    assert (ours.register, ours.offset, ours.saved) == (base.reg, base.offset, saved)


@given(st.integers(0, 1 << 22))
def test_any_address_has_a_row_or_none(address: int) -> None:
    with ElfFile(bytes(_LIBRARIES[0])) as elf:
        row_at(FunctionRanges(elf), address)


def _walk(
    rows: dict[int, Row | str], words: list[int], registers: Registers, most: int = 8, convention: Convention = X86_64
) -> tuple[list[int], str]:
    stack = StackCopy(0x1000, b"".join(word.to_bytes(8, "little") for word in words))
    return callers(
        1, registers, stack, lambda pc, returned: rows.get(pc - returned, "no table"), most=most, convention=convention
    )


def test_callers_are_found_over_frames_with_and_without_a_frame_pointer() -> None:
    rows: dict[int, Row | str] = {
        1: Row(RSP, 16, {RETURN: -8, RBP: -16}),
        9: Row(RBP, 16, {RETURN: -8, RBP: -16}),
        19: Row(ends=True),
    }
    words = [0x1010, 10, 0, 20]
    assert _walk(rows, words, {RSP: 0x1000, RBP: 0x1010}) == ([10, 20], "")


def test_on_arm64_a_function_that_calls_none_returns_by_the_link_register_and_others_by_the_stack() -> None:
    fp, link, sp, signed = ARM64.frame_pointer, ARM64.link or 0, ARM64.stack_pointer, 0x2A << 48
    leaf, framed, last = (Row(sp, 0, returns=link), Row(fp, 32, {fp: -32, link: -24}, link), Row(ends=True))
    rows: dict[int, Row | str] = {1: leaf, 9: framed, 19: last}
    registers = {sp: 0x1000, fp: 0x1008, link: 10 | signed}
    words = [0, 0x1028, 20 | signed, 0, 0, 0, 0]
    assert _walk(rows, words, registers, convention=ARM64) == ([10, 20], "")
    rows[9] = leaf
    assert _walk(rows, words, registers, convention=ARM64) == ([10], "the stack is damaged")
    stack = StackCopy(0x1000, b"")
    assert ARM64.returned(registers, stack) == (10, registers)


def test_where_it_goes_no_further_is_said() -> None:
    assert _walk({}, [], {RSP: 0x1000}) == ([], "no table")
    assert _walk({1: Row(RBP, 16)}, [], {RSP: 0x1000}) == ([], "a register that is needed is not known")
    assert _walk({1: Row(RSP, 64)}, [0], {RSP: 0x1000}) == ([], "the copy of the stack ends")
    assert _walk({1: Row(RSP, 0)}, [5], {RSP: 0x1000}) == ([], "the stack is damaged")
    assert _walk({1: Row(unknown=True)}, [5], {RSP: 0x1000})[1] == "a register that is needed is not known"
    assert _walk({1: Row(), 4: Row()}, [5, 5, 5, 5], {RSP: 0x1000}, most=2) == ([5, 5], "there are more")
