"""One search through the names of many files, in pieces: what it has found so far can be shown while it goes on.

It gives a mask, one byte a name. Where an earlier search for less is there, only what that one found is looked at.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from inspector.stream.patterns import BETWEEN, Pattern

from .name_text import NameText

_SIMPLE: Final = re.compile(r"\^?[^\\.^$*+?{}\[\]()]+")
_OTHERS: Final = bytes([1, 0, *range(2, 256)])


class SymbolSearch:
    """Which names a pattern matches, as far as they were looked at."""

    def __init__(self, blocks: Sequence[NameText], pattern: Pattern, before: "SymbolSearch | None" = None) -> None:
        """`before` searched the same blocks for something that all names hold which this pattern matches."""
        self.pattern = pattern
        self._blocks, self._before = blocks, before
        self._look = _look(pattern)
        self._masks: list[bytes] = []
        self.searched = 0

    @property
    def complete(self) -> bool:
        """All names were looked at."""
        return len(self._masks) == len(self._blocks)

    def go_on(self, until: float) -> None:
        """Look at one more piece at least, and at further ones until a moment of `time.monotonic`."""
        while not self.complete:
            number = len(self._masks)
            block = self._blocks[number]
            nothing = self._before is not None and self._before.finds_nothing(number)
            self._masks.append(bytes(len(block)) if nothing else self._look(block))
            self.searched += len(block)
            if time.monotonic() >= until:
                break

    def finds_nothing(self, number: int) -> bool:
        """Whether a piece was looked at in vain."""
        return number < len(self._masks) and 1 not in self._masks[number]

    def mask(self) -> bytes:
        """One byte a name, of those that were looked at; 1 where it is wanted."""
        found = b"".join(self._masks)
        return found.translate(_OTHERS) if self.pattern.inverse else found

    def narrows_to(self, pattern: Pattern) -> bool:
        """Whether everything that the other pattern matches is found by this one, their inversion left aside."""
        if self.pattern.kind != pattern.kind or pattern.kind == "regex":
            return False
        if pattern.kind == "text":
            return self.pattern.literal in pattern.literal
        return pattern.expression.startswith(self.pattern.expression + BETWEEN)


def _look(pattern: Pattern) -> Callable[[NameText], bytes]:
    """What tells the matches of one piece, the inversion left aside."""
    needles = _needles(pattern)
    if not needles:
        return lambda block: block.matching(pattern)
    return lambda block: _either([block.holding(needle) for needle in needles])


def _needles(pattern: Pattern) -> list[str]:
    """The texts, with `^` where names begin with them, of a pattern that asks for nothing else; empty for any other."""
    if pattern.kind == "text":
        return [pattern.literal]
    parts = set(pattern.expression.lower().split("|"))
    simple = pattern.kind == "regex" and all(_SIMPLE.fullmatch(part) for part in parts)
    return sorted(parts) if simple else []


def _either(masks: Sequence[bytes]) -> bytes:
    if len(masks) == 1:
        return masks[0]
    joined = 0
    for mask in masks:
        joined |= int.from_bytes(mask, "little")
    return joined.to_bytes(len(masks[0]), "little")
