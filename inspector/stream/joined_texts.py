"""One pass of a regular expression over many short texts that are joined, in place of a search in each of them."""

import re
from functools import lru_cache
from typing import Final

from .literals import ITEM

_SAME: Final = re.compile(r"[a-z0-9_]|[*+?|()]|\{\d*,?\d*\}|\\[^A-Za-z0-9]|\\[dwb]|\[[^\^\\\]\[]+\]|[ -~]")
"""Parts of an expression that never match the byte between two texts."""


@lru_cache(maxsize=64)
def within_one(expression: str, between: bytes) -> bytes | None:
    """The expression so that it matches within one of many texts in lower case, with this byte before and behind each.

    None where that is not known of all its parts.
    """
    byte, lines = f"\\x{between[0]:02x}", between == b"\n"
    otherwise = {
        ".": f"[^{byte}]", "^": "(?m:^)" if lines else f"(?<={byte})", "$": "(?m:$)" if lines else f"(?={byte})",
        r"\S": rf"[^\s{byte}]", r"\s": rf"[^\S{byte}]",
    }  # fmt: skip
    parts = []
    for item in ITEM.findall(expression):
        same = _SAME.fullmatch(item.lower() if len(item) == 1 else item)
        part = otherwise.get(item) or (item if same else None)
        if part is None:
            return None
        parts.append(part if item in otherwise or part.startswith("\\") else part.lower())
    try:
        made = "".join(parts).encode("ascii")
        re.compile(made)
    except (re.error, UnicodeEncodeError):
        return None
    return made
