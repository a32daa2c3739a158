"""A user and beside it a word that no message has, where somebody logs in: `denied for jsmith/X`."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen
from .found import Span, holds_any
from .unknown import is_of_field

_OF_ONE_WHO_LOGS_IN = lazy(
    r"(?<![\w/.%\\-])(?:[\w.-]{1,32}\\{1,2})?([\w.@-]{1,64})(?:%|\s?/\s?)([^\s/%\\\])\"',;:=.]{4,256})(?=[\s\])\"',;.]|$)"
)
"""`denied for jsmith/X`, `bob%X`: somebody and a word that no message has, where somebody logs in."""
_OF_TWO_WORDS = lazy(
    r"(?<![^\s\"'(\[=,])([A-Za-z][\w.@-]{1,63}):([A-Za-z][^\s:/\"'\])=,;.(]{3,255})(?=[\s\"')\],;.]|$)"
    r"|\b(?:log|logg|sign)(?:ing)? ?in (?:with|as) ([\w.@-]{1,64}) (?:and|with) ([^\s,;.]{4,256})"
)
"""`decoded to bob:X`, `logging in with bob and X`."""
_WHO_LOGS_IN = (
    "login", "logon", "log in", "logging in", "auth", "cred", "sign in", "signing in", "user/p", "userp", "denied for",
    "kinit", "user-pass", "session setup", "sshd",
)  # fmt: skip
_NO_SUCH_USER = lazy(
    r"\b(?:invalid|unknown|illegal|no such) user(?: named|name)?:? [\"']?([^\s\"',;]{6,64})", re.IGNORECASE
)
"""Whoever types a password where the user is asked for."""
_SESSION = lazy(r"(?<![A-Za-z])sid=[\"']?([\w.%:-]{8,256})", re.IGNORECASE)
_TOKEN_JUDGED = lazy(
    r"\btoken [\"'(]?([^\s\"'()]{5,256}?)[\"')]? (?:is |was )?"
    r"(?:rejected|invalid|expired|revoked|refused|denied|unknown)\b",
    re.IGNORECASE,
)
_OF_REQUESTS = ("auth", "api", "401", "403", "login", "forbidden", "access", "session", "bearer")
_ACCOUNTS = ("admin", "administrator", "root", "guest", "user", "test", "default")
_GIVEN = lazy(r"\b(?:given|typed|entered|supplied|tried|got|with):? [\"']([^\s\"']{4,256})[\"']")
TRIGGERS = (*_WHO_LOGS_IN, " user", "sid=", "token ")
"""One of these is in each such text."""


def _is_somebody(word: str) -> bool:
    return word.lower() in _ACCOUNTS or not is_of_field(word)


def spans(text: str, small: str) -> Iterator[Span]:
    """A user and a word that no message has beside it, where somebody logs in."""
    if holds_any(small, _WHO_LOGS_IN):
        for match in _OF_ONE_WHO_LOGS_IN().finditer(text) if "/" in text or "%" in text else ():
            if _is_somebody(match[1]) and not is_of_field(match[2]):
                yield match.span(2)
        for match in _OF_TWO_WORDS().finditer(text):
            password = match.lastindex or 0
            if _is_somebody(match[password - 1]) and not is_of_field(match[password]):
                yield match.span(password)
    if "login" in small or "authenticate" in small:
        yield from (match.span(1) for match in _GIVEN().finditer(text) if not is_of_field(match[1]))
    if " user" in small:
        yield from (match.span(1) for match in _NO_SUCH_USER().finditer(text) if could_be_chosen(match[1]))
    if "sid=" in small:
        yield from (match.span(1) for match in _SESSION().finditer(text) if could_be_chosen(match[1]))
    if "token " in small and holds_any(small, _OF_REQUESTS):
        for match in _TOKEN_JUDGED().finditer(text):
            if not is_of_field(match[1]):
                yield match.span(1)
