"""Hypothesis on real files: overwrite bytes anywhere, the tables at the front more often, and cut the end off."""

import os
from pathlib import Path

from hypothesis import strategies as st

CUT = b"cut here"

_PLACES = st.one_of(st.integers(0, 0x400), st.integers(0, 0x4000))
_WRITES = st.tuples(_PLACES, st.one_of(st.binary(min_size=1, max_size=8), st.just(b"\xff" * 8), st.just(bytes(8))))
_CUTS = st.tuples(st.integers(0, 0x4000), st.just(CUT))
DAMAGE = st.lists(st.one_of(_WRITES, _WRITES, _WRITES, _CUTS), min_size=1, max_size=6)


def damaged(whole: Path, damage: list[tuple[int, bytes]]) -> Path:
    """A copy of a file with the damage done."""
    raw = bytearray(whole.read_bytes())
    for place, content in damage:
        if content == CUT:
            del raw[place:]
        else:
            raw[place : place + len(content)] = content
    copy = whole.with_name(f"damaged-{os.getpid()}.so")
    copy.write_bytes(raw)
    return copy
