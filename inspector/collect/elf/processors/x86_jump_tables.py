"""Where a `switch` of position-independent code can go on: the targets of its jump table, read from the file.

Compilers write `cmp index, N; ja default; lea base, [rip + table]; movsxd offset, [base + index*4]; add offset, base;
jmp offset`: the table holds 32-bit distances from itself (gcc, clang). It is followed only when its bound is found too.
"""

import re
import struct
from collections.abc import Sequence
from typing import Final

from .processor import Read, Step

_MOST: Final = 4096
"""Entries of one table."""
_LOAD: Final = re.compile(r"dword ptr \[(\w+) \+ (\w+)\*4\]$|dword ptr \[(\w+)\*4 \+ (\w+)\]$")
_RELATIVE: Final = re.compile(r"\[rip ([+-]) (\w+)\]$")
_FAMILIES: Final = {
    name: family
    for family, names in {
        "a": ("rax", "eax", "ax", "al"), "b": ("rbx", "ebx", "bx", "bl"), "c": ("rcx", "ecx", "cx", "cl"),
        "d": ("rdx", "edx", "dx", "dl"), "si": ("rsi", "esi", "si", "sil"), "di": ("rdi", "edi", "di", "dil"),
        "bp": ("rbp", "ebp", "bp", "bpl"), "sp": ("rsp", "esp", "sp", "spl"),
        **{f"r{number}": (f"r{number}", f"r{number}d", f"r{number}w", f"r{number}b") for number in range(8, 16)},
    }.items()
    for name in names
}  # fmt: skip
_BOUNDS: Final = {"ja": 1, "jbe": 1, "jae": 0, "jb": 0}
"""Conditional jumps behind a comparison with the largest index, and with the number of entries."""
_ONLY_READ: Final = ("cmp", "test", "push", "nop", "endbr64")


def table_targets(jump: Step, before: Sequence[Step], read: Read) -> set[int] | None:
    """Where an indirect jump can go; None when it is no jump table whose place and bound are known.

    `before` are the instructions that lead to it; `read` gives bytes at a link-time address, or raises ElfError.
    """
    target = _FAMILIES.get(jump.operands)
    if target is None:
        return None
    steps = list(reversed(before))
    loaded = _find_load(steps, target)
    if loaded is None:
        return None
    place, base, index = loaded
    table = _find_table(steps[place + 1 :], base)
    if table is None:
        table = _find_table(steps[:place], base)
    count = _find_bound(steps[place + 1 :], index)
    if table is None or not count or count > _MOST:
        return None
    raw = read(table, 4 * count)
    if len(raw) != 4 * count:
        return None
    return {table + distance for (distance,) in struct.iter_unpack("<i", raw)}


def _find_load(steps: Sequence[Step], target: str) -> tuple[int, str, str] | None:
    """Place of the load from the table, and the registers that hold the table and the index."""
    wanted: set[str] = set()
    for place, step in enumerate(steps):
        first, second = step.pair
        if not wanted:
            if step.word == "add" and _FAMILIES.get(first) == target and second in _FAMILIES:
                wanted = {target, _FAMILIES[second]}
            elif _writes(step, target):
                return None
        elif step.word == "movsxd" and _FAMILIES.get(first) in wanted:
            found = _LOAD.match(second)
            if found is None:
                return None
            base, index = (found[1], found[2]) if found[1] else (found[4], found[3])
            same = wanted - {_FAMILIES[first]} == {_FAMILIES.get(base)}
            return (place, _FAMILIES[base], index) if same else None
    return None


def _find_table(steps: Sequence[Step], base: str) -> int | None:
    """The address that the base register was given last."""
    for step in steps:
        if not _writes(step, base):
            continue
        found = _RELATIVE.match(step.pair[1]) if step.word == "lea" else None
        if found is None:
            return None
        distance = int(found[2], 0)
        return step.after + (distance if found[1] == "+" else -distance)
    return None


def _find_bound(steps: Sequence[Step], index: str) -> int | None:
    """How many entries the index can choose from: what a comparison or a mask before allows."""
    families = {_FAMILIES.get(index, index)}
    jumped = ""
    for step in steps:
        first, second = step.pair
        family = _FAMILIES.get(first, first)
        if step.word in _BOUNDS:
            jumped = step.word
        elif step.word == "cmp" and family in families and jumped:
            return _number(second, _BOUNDS[jumped])
        elif step.word == "and" and family in families:
            return _number(second, 1)
        elif step.word in ("mov", "movzx", "movsxd") and family in families and first in _FAMILIES:
            families.add(_FAMILIES.get(second, second))
        elif step.word[0] != "j" and family in families and step.word not in _ONLY_READ:
            return None
    return None


def _number(text: str, more: int) -> int | None:
    try:
        return int(text, 0) + more
    except ValueError:
        return None


def _writes(step: Step, family: str) -> bool:
    return step.word not in _ONLY_READ and step.word[0] != "j" and _FAMILIES.get(step.pair[0]) == family
