"""One pass of a regular expression over many short texts that are joined, in place of a search in each of them."""

import re
from functools import lru_cache
from typing import Final

from .literals import ITEM

_SAME: Final = re.compile(r"[*+?|()]|\{\d*,?\d*\}|\\[^A-Za-z0-9]|\\[dwb1-9]|[ -~]")
"""Parts of an expression that never match the byte between two texts."""
_MEMBER: Final = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?")
"""One character of a class, or a range of them."""
_ALIKE: Final = ("az", "AZ", "09")
"""Between which ends a range stays what it is in lower case."""
_BLANKS: Final = r"\t\x0b-\x0d\x1c-\x20"
"""What `\\s` is in text, but for the line end: in bytes it is less."""
_SINGLE: Final = re.compile(r"[^\\()|^$*+?{]|\\[dDwWsS.]|\[.+\]", re.DOTALL)
_REPEAT: Final = re.compile(r"[*+]|\{(\d+)(?:,\d*)?\}")
_OWN_CASE: Final = re.compile(r"\(\?[a-zA-Z]*-")


@lru_cache(maxsize=64)
def within_one(expression: str, between: bytes) -> bytes | None:
    """The expression so that it matches within one of many texts in lower case, with this byte before and behind each.

    None where that is not known of all its parts.
    """
    byte, lines = f"\\x{between[0]:02x}", between == b"\n"
    blanks = _BLANKS if lines else rf"{_BLANKS}\n"
    otherwise = {
        ".": f"[^{byte}]", "^": "(?m:^)" if lines else f"(?<={byte})", "$": "(?m:$)" if lines else f"(?={byte})",
        r"\s": f"[{blanks}]", r"\S": f"[^{blanks}{byte}]", r"\D": rf"[^\d{byte}]", r"\W": rf"[^\w{byte}]",
    }  # fmt: skip
    items = _without_idle_start(ITEM.findall(expression))
    parts = [otherwise.get(item) or _same(item, byte, blanks) for item in items]
    if None in parts or _OWN_CASE.search(expression):
        return None
    try:
        made = "".join(filter(None, parts)).encode("ascii")
        re.compile(b"(?:%s)" % made)  # flags for the whole expression may not stand within another one
    except (re.error, UnicodeEncodeError):
        return None
    return made


def _without_idle_start(items: list[str]) -> list[str]:
    """Where something matches at all, it does so without what a repetition at its start takes beyond the least.

    `.*error` is `error` then, and `\\w+=` is `\\w=`: looked for at each place of a log, that saves most of the time.
    """
    repeat = _REPEAT.fullmatch(items[1]) if len(items) > 1 and _SINGLE.fullmatch(items[0]) else None
    if repeat is None or "|" in items or items[2:3] == ["+"]:
        return items
    least = int(repeat[1] or items[1] == "+")
    rest = items[3:] if items[2:3] == ["?"] else items[2:]
    return [items[0]] * min(least, 1) + [items[0], f"{{{least - 1}}}"] * (least > 1) + rest


def _same(item: str, byte: str, blanks: str) -> str | None:
    """A part in lower case; None for one that is not known to stay within a text."""
    if item[0] == "[" and item[-1] == "]" and len(item) > 2:
        return _class(item, byte, blanks)
    if _SAME.fullmatch(item) is None:
        return None
    return item if item[0] == "\\" else item.lower()


def _class(item: str, byte: str, blanks: str) -> str | None:
    inverse = item.startswith("[^")
    members = []
    for first, last in _MEMBER.findall(item[2 if inverse else 1 : -1]):
        if last and not any(low <= first <= last <= high for low, high in _ALIKE):
            return None
        if first == r"\s" and inverse:
            members.append(blanks)
        elif first == "[" or (first[0] == "\\" and first[1].isalnum() and first not in (r"\d", r"\w")):
            return None
        else:
            members.append(f"{first}-{last}".lower() if last else first.lower())
    return f"[^{''.join(members)}{byte}]" if inverse else f"[{''.join(members)}]"
