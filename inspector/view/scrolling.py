"""Lines that moved up or down together: a terminal can move them itself. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

L = TypeVar("L")
FEWEST = 4
"""Lines that must have moved; fewer are drawn."""


class Shift(NamedTuple):
    """Lines `top` to `bottom` (both included) move up by `up` lines, down where it is negative."""

    top: int
    bottom: int
    up: int

    @property
    def bytes(self) -> str:
        """Within a scroll region, by index and reverse index: every terminal since the VT100 knows these."""
        place, step = (self.bottom, "\x1bD") if self.up > 0 else (self.top, "\x1bM")
        return f"\x1b[{self.top + 1};{self.bottom + 1}r\x1b[{place + 1};1H{step * abs(self.up)}\x1b[r"

    def of(self, lines: Sequence[L], blank: L) -> list[L]:
        """What is there afterwards."""
        kept = range(self.top, self.bottom + 1)
        return [
            line if y not in kept else lines[y + self.up] if y + self.up in kept else blank
            for y, line in enumerate(lines)
        ]


def shift_between(before: Sequence[str | None], after: Mapping[int, str]) -> Shift | None:
    """The shift that explains most of the lines that changed; None where none explains several.

    Lines are known by a text; those that nobody knows (None) and blank ones say nothing.
    """
    places: dict[str, list[int]] = {}
    for y, text in enumerate(before):
        if text is not None and not text.isspace():
            places.setdefault(text, []).append(y)
    moved = Counter(place - y for y, text in after.items() for place in places.get(text, ()) if place != y)
    if not moved:
        return None
    up, count = moved.most_common(1)[0]
    if count < FEWEST:
        return None
    rows = [y for y, text in after.items() if y + up in places.get(text, ())]
    return Shift(min(rows) + min(0, up), max(rows) + max(0, up), up)
