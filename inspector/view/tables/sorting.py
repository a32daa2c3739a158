"""How cells are sorted: numbers with their units by size, everything else as text; what is empty comes last."""

from typing import NamedTuple

from inspector.stream.lazy_pattern import lazy

_NUMBER = lazy(r"^[^\w+-]*([+-]?\d[\d,]*(?:\.\d+)?)\s?([A-Za-zµ%]*)")
_UNITS = {
    "ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0,
    "K": 1024.0, "KB": 1024.0, "k": 1e3, "M": 1024.0**2, "MB": 1024.0**2, "G": 1024.0**3, "GB": 1024.0**3,
}  # fmt: skip
"""Units of durations and sizes; in a column there is only one kind."""


class Sorting(NamedTuple):
    """By which column rows are sorted; empty: in the order in which they were made."""

    title: str = ""
    descending: bool = False

    def turned(self, title: str) -> "Sorting":
        """After a click on a title: up, then down, then not at all."""
        if title != self.title:
            return Sorting(title)
        return Sorting() if self.descending else Sorting(title, True)


class Value(NamedTuple):
    """What a cell is compared by."""

    empty: bool
    text: bool
    number: float
    words: str


def value_of(text: str) -> Value:
    """A cell's text as something that can be compared."""
    text = text.strip(" ─├└│▸▾")
    found = _NUMBER().match(text)
    if found is not None and (not found[2] or found[2] in _UNITS or found[2] == "%"):
        return Value(False, False, float(found[1].replace(",", "")) * _UNITS.get(found[2], 1.0), "")
    return Value(not text, True, 0.0, text.casefold())
