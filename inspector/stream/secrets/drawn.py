"""How much a word looks drawn by lot: which letter follows which in it, against names of people and compilers.

A name goes on as names go on; what is drawn by lot takes any letter as well as any other. The table in `known.toml`
(`followers`) was counted in some 500,000 names of files, functions and packages and in words of English.
"""

import math
from functools import cache
from string import ascii_letters, digits

from inspector.stream.lazy_pattern import lazy

from .known import known

_LETTERS = ascii_letters + digits
_STEP = 0.15
"""What one step in the table stands for, in logarithms of chances."""
_RUN = lazy(r"[A-Za-z0-9]+")
_START = "start"
"""The row of what a run of letters and digits begins with."""
_MOST = 512
"""Characters that are enough to tell."""


def chance(word: str) -> float:
    """The logarithm of how much likelier a word is to be drawn by lot than to be a name; below 0, a name."""
    runs = _RUN().findall(word[:_MOST])
    joined = "".join(runs)
    alphabet = _alphabet(joined)
    if alphabet < 2:
        return -math.inf
    table = _table()
    told = sum(table[first + second] for run in runs for first, second in zip(" " + run, run, strict=False))
    return told - len(joined) * math.log(alphabet)


def _alphabet(letters: str) -> int:
    """Of how many characters it may have been drawn."""
    small, large, number = letters.upper() != letters, letters.lower() != letters, any(map(str.isdigit, letters))
    return 26 * small + 26 * large + 10 * number


@cache
def _table() -> dict[str, float]:
    """For each two characters how unlikely it is that the second follows the first."""
    return {
        (" " if first == _START else first) + second: _LETTERS.index(step) * _STEP
        for first, row in known().followers.items()
        for second, step in zip(_LETTERS, row, strict=True)
    }
