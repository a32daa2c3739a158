"""What all looks at a text share: how values are quoted, where words end, what is no secret."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby

from inspector.stream.lazy_pattern import lazy

from .known import known

Span = tuple[int, int]

QUOTED = (
    r"\\{1,7}[\"']([^\"'\\]{1,1024})\\{1,7}[\"']"  # in a text that is quoted itself
    r"|\"((?:[^\"\\]|\\.){1,1024})\"|'((?:[^'\\]|\\.){1,1024})'|`([^`]{1,1024})`"
)
_NO_SECRET = lazy(
    r"(?:\(hidden\)|true|false|yes|no|on|off|null|none|nil|undefined|empty|not|missing|required|"
    r"invalid|expired|unknown|unset|default|&?str|string|bytes|secretstr|optional|object|\*+|x+|<[^>]*>|\$\{?\w+\}?|%\w+%|"
    r"--?[a-z][a-z-]*|[+-]?\d{1,6}(?:\.\d*)?%?)[.:!?]*",
    re.IGNORECASE,
)
"""What stands there when there is no secret."""


def holds_any(text: str, parts: tuple[str, ...]) -> bool:
    """Whether one of these stands in a text."""
    for part in parts:  # noqa: SIM110 - a generator would cost more than the looking
        if part in text:
            return True
    return False


def one_of(words: Iterable[str]) -> Callable[[], re.Pattern[str]]:
    """Finds one of many words, by their letters one after the other: quicker than to ask for each.

    As `lazy`, it is made when it is first used.
    """
    several = frozenset(words)
    return cache(lambda: re.compile(_branches(sorted(_shortest(several)))))


def _shortest(words: frozenset[str]) -> Iterator[str]:
    """Those that hold none of the others: where one of those is, one of these is."""
    return (word for word in words if not any(part in word for part in words if part != word))


def _branches(words: Sequence[str]) -> str:
    if "" in words:
        return ""  # a shorter word is enough
    by_first = groupby(words, key=lambda word: word[0])
    told = [re.escape(first) + _branches([word[1:] for word in group]) for first, group in by_first]
    return told[0] if len(told) == 1 else f"(?:{'|'.join(told)})"


def ends(small: str, word: str) -> Iterator[int]:
    """Where a word ends, each time it stands there."""
    at = small.find(word)
    while at >= 0:
        yield at + len(word)
        at = small.find(word, at + 1)


def unless_told(text: str, found: Span) -> Iterator[Span]:
    """A secret in prose, unless the word tells how it is: `the password is required`."""
    word = text[slice(*found)].strip(".,:;!?").lower()
    if word not in known().how_it_is and not (word.isalpha() and word.endswith("ed")) and not is_none(text, found):
        yield found


def group_of(match: re.Match[str] | None) -> Iterator[Span]:
    if match is not None:
        yield group(match)


def group(match: re.Match[str]) -> Span:
    assert match.lastindex is not None
    return match.span(match.lastindex)


def is_none(text: str, found: Span) -> bool:
    return _NO_SECRET().fullmatch(text[slice(*found)]) is not None
