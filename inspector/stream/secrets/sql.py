"""Secrets in statements to databases: a column named `password`, the key of a file, rules of Redis."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .found import Span, holds_any
from .naming import words_of
from .unknown import is_known

_INSERT = lazy(
    r"\b(?:insert|replace)\b[^(\n]{1,200}\(([^()\n]{1,600})\)\s{0,3}values\s{0,3}\((.{1,4000})", re.IGNORECASE
)
_INTO_USERS = lazy(
    r"\b(?:insert|replace)\s(?:\w{1,16}\s)?into\s[\"'`\[]?(?:\w{1,40}[.\"'`\]]{1,3})?[\"'`\[]?\w{0,40}(?:users?|accounts?|passw\w{0,8}|credentials?|logins?|secrets?"
    r"|members?|admins?)[\"'`\]]?\s{1,3}values\s?\((.{1,4000})",
    re.IGNORECASE,
)
"""Rows of a table of people, whose columns are not told."""
_QUOTED = lazy(r"'([^'\s]{4,512})'")
_VALUE = lazy(
    r"\s*(?:[NEnexX]{0,2}'((?:[^'\\]|\\.|''){0,1024})'|\"((?:[^\"\\]|\\.){0,1024})\"|([^,()'\"]{0,1024}))\s*(?:[,)]|$)"
)
_SECRET_COLUMNS = frozenset((
    "password", "passwd", "passwords", "pass", "pwd", "pw", "passphrase", "secret", "secrets", "token", "tokens",
    "apikey", "psk", "pin", "otp", "hash", "salt",
))  # fmt: skip
_OTHERS = lazy(
    r"\bpragma (?:hex)?(?:re)?key\s?=\s?[\"']?([^\"'\s;]{1,256})"
    r"|\buser \S{1,64} (?:on|off)(?: \S{1,64}){0,8}? >(\S{1,256})",
    re.IGNORECASE,
)


def spans(text: str, small: str) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case."""
    if "values" in small and holds_any(small, ("insert", "replace")):
        for match in _INSERT().finditer(text):
            yield from _of_columns(text, match)
        for match in _INTO_USERS().finditer(text):
            for value in _QUOTED().finditer(text, *match.span(1)):
                if not is_known(value[1]) and text[match.start(1) : value.start()].strip():
                    yield value.span(1)
    if "pragma " in small or " >" in small:
        for match in _OTHERS().finditer(text):
            yield match.span(match.lastindex or 0)


def _of_columns(text: str, insert: re.Match[str]) -> Iterator[Span]:
    at = insert.start(2)
    for column in insert[1].split(","):
        value = _VALUE().match(text, at)
        if value is None:
            return
        if not _SECRET_COLUMNS.isdisjoint(words_of(column)) and value.lastindex is not None:
            found = next((value.span(group) for group in (1, 2, 3) if value[group]), None)
            if found is not None:
                yield found
        at = value.end()
