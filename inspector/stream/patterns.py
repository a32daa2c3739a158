"""What a person types to filter lines, rows or symbols: the same in the viewer and in the collector, which searches.

A pattern is a regular expression in any case (`err.*(cuda|nvml)`), and plain text where it is none (`cuInit(`). In
front of it `!` asks for what does not match, `'` takes every sign as it is, `~` finds words that hold its letters in
this order (`~cgcnt`).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Kind = Literal["text", "regex", "fuzzy"]

SEARCHED = 4_096
"""Characters of a line that a regular expression looks at: a bad one takes long on long lines."""
BETWEEN = r"\S*?"
"""What may stand between two letters of a fuzzy pattern."""
_SIGNS = frozenset(".^$*+?{}[]\\|()")
_REPEATS = frozenset("*+{")


class Pattern(Struct, frozen=True):
    """A pattern that matches something."""

    kind: Kind
    expression: str
    """The regular expression, to be used without regard to case."""
    literal: str = ""
    """In lower case the whole of what is looked for, where that is plain text."""
    inverse: bool = False
    note: str = ""
    """Why it is not used as it was probably meant."""

    def search(self) -> Callable[[str], object]:
        """A function that says of a text, truthy or not, whether it is wanted."""
        found = _compiled(self.expression).search
        return (lambda text: found(text) is None) if self.inverse else found

    def marked(self) -> re.Pattern[str] | None:
        """What is highlighted in a row: nothing where the rows are those that do not match."""
        return None if self.inverse else _compiled(self.expression)


def typed(text: str) -> Pattern | None:
    """The pattern that was typed; None for one that all things match."""
    inverse, words = text.startswith("!"), text.removeprefix("!")
    if words.startswith("~"):
        letters = [one for one in words[1:] if not one.isspace()]
        return Pattern("fuzzy", BETWEEN.join(map(re.escape, letters)), inverse=inverse) if letters else None
    if words.startswith("'"):
        return _plain(words[1:], inverse)
    words = _without_empty_ends(words)
    if not _SIGNS.intersection(words):
        return _plain(words, inverse)
    if words in ("^", "$", ".*"):
        return None
    why = _refused(words)
    return _plain(words, inverse, why) if why else Pattern("regex", words, inverse=inverse)


def _plain(words: str, inverse: bool, note: str = "") -> Pattern | None:
    return Pattern("text", re.escape(words), words.lower(), inverse, note) if words else None


def _without_empty_ends(words: str) -> str:
    """Without alternatives that are still to be typed: `cuda|` is on its way to `cuda|nvml`."""
    while words.endswith(("|", "|^")) and not words.endswith(("\\|", "\\|^")):
        words = words.removesuffix("^")[:-1]
    while words.startswith(("|", "^|")):
        words = words.removeprefix("^")[1:]
    return words


def _refused(expression: str) -> str:
    """Why an expression cannot be used; empty when it can."""
    try:
        _compiled(expression)
    except (re.error, OverflowError, RecursionError):
        return "not a valid regex: used as text"
    if _repeats_repeats(expression):
        return "nested repeats are too slow: used as text"
    return ""


def _repeats_repeats(expression: str) -> bool:
    """Whether a group that holds a repetition is repeated itself: `(a+)+` takes exponential time where it fails."""
    open_groups: list[bool] = []
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", expression)
    for at, sign in enumerate(plain):
        if sign == "(":
            open_groups.append(False)
        elif sign == ")" and open_groups:
            held = open_groups.pop()
            again = plain[at + 1 : at + 2] in _REPEATS and bool(plain[at + 1 : at + 2])
            if held and again:
                return True
            if open_groups and (held or again):
                open_groups[-1] = True
        elif sign in _REPEATS and open_groups:
            open_groups[-1] = True
    return False


@lru_cache(maxsize=32)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)
