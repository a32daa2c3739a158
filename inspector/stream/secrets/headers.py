"""Secrets in headers of HTTP, cookies, commands of mail and databases, and pairs of a user and a password."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen
from .found import Span, ends, group_of, holds_any, is_none
from .known import known

_HEADER = lazy(
    r"[\w-]{0,20}\\?[\"']?\s{0,3}[:=]\s{0,3}(\\?[\"'])?(?:([a-z][\w-]{1,40})(?=\s{1,4}\S)\s{1,4})?", re.IGNORECASE
)
_HEADER_WORD = lazy(r"[^\s\"'\\,]+")
_BEARER = lazy(r"\s{1,4}[\"']?(?!realm=)([\w.~+/=:-]{8,8192})", re.IGNORECASE)
_PAIR = lazy(r"s?\s?[:=]\s?\S{1,64}\s?/\s?(\S{3,512})", re.IGNORECASE)
_LOGIN_TRIED = lazy(r"(?<![\w/.:-])[\w.@-]{1,64}([:/])([^\s/\]),\"']{6,256})")
"""`creds admin:X`, `login attempt [root/X]`."""
_LOGIN_PAIR = lazy(
    r"(?:\bauth[\"']?\s?[:=]\s?[(\[]|\bcredentials?:?\s?[(\[]|(?:Basic|Digest)Auth\(|\.login\()"
    r"\s?[\"'][^\"']{0,128}[\"'],\s?[\"']([^\"']{1,512})[\"']"
)
"""`auth=("bob", "X")`, as tracebacks quote it."""
_CONNECTS = lazy(
    r"(?:[Cc]onnect(?:ion)?|[Ll]ogin|[Aa]uthenticate|[Cc]redentials?|PDO|__construct)"
    r"\([^()\n]{0,300}?,\s?[\"']([^\"'\s]{4,256})[\"']\s?\)"
)
"""The last of what a function that connects is given."""
_AUTH_COMMAND = lazy(
    r"\"(?:AUTH|auth)\" (?:\"[^\"]{0,128}\" )?\"([^\"]{1,512})\""
    r"|\bAUTH (?:(?:LOGIN|PLAIN|XOAUTH2|OAUTHBEARER|NTLM|CRAM-MD5|SCRAM-[\w-]{1,20}) |default )?"
    r"(?=\S{0,200}[\d=])(\S{6,8192})"
)
_PASS_COMMAND = lazy(
    r"\b[A-Za-z]{1,4}\d{1,6} LOGIN \S{1,128} \"?([^\s\"]{1,512})"
    r"|(?:[>]|\b[CS]:|\b(?:ftp|pop3?|irc|imap)\b.{0,40}?)\s{0,3}(?:PASS|:?IDENTIFY) (\S{4,512})",
    re.IGNORECASE,
)
"""What clients of mail, FTP and Redis say."""
_USER_AND_PASSWORD = lazy(
    r"(?<![\w.+/-])(?:[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}|admin|administrator|root|guest)"
    r":([^\s:/@\"',]{6,256})(?=[\s\"',]|$)"
)
"""`me@example.org:X`, `admin:X`: as lists of accounts hold it."""
_PARTS_OF_LOGINS = ("login", "cred", "daten", "identifiants")
_LOGINS = ("credential", "creds", "gangsdaten", "anmeldedaten", "identifiants", "credencial", "login")
_COOKIE_JAR = lazy(r"\s(?:TRUE|FALSE)\s/\S{0,256}\s(?:TRUE|FALSE)\s\d{1,12}\s\S{1,128}\s(\S+)")
"""A line of a cookie file."""


def spans(text: str, small: str) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case."""
    for word in ("authorization", "cookie"):
        if word in small:
            for end in ends(small, word):
                yield from _header(text, end)
    if "bearer " in small:
        for end in ends(small, "bearer "):
            yield from group_of(_BEARER().match(text, end - 1))
    if "auth" in small or ".login(" in small or "credential" in small:
        for match in _LOGIN_PAIR().finditer(text):
            yield match.span(1)
        for match in _AUTH_COMMAND().finditer(text):
            yield match.span(match.lastindex or 0)
    if "onnect" in text or "redential" in text or "__construct(" in text or "ogin(" in text or "PDO(" in text:
        for match in _CONNECTS().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if "PASS " in text or "IDENTIFY " in text or " LOGIN " in text:
        for match in _PASS_COMMAND().finditer(text):
            yield match.span(match.lastindex or 0)
    if "TRUE" in text or "FALSE" in text:
        for match in _COOKIE_JAR().finditer(text):
            yield match.span(1)
    for end in ends(small, "token ") if "token " in small else ():
        behind = _HEADER_WORD().match(text, end)
        if behind is not None and looks_chosen(behind[0]):
            yield behind.span()
    yield from _logins(text, small)


def _logins(text: str, small: str) -> Iterator[Span]:
    if ":" in text and ("@" in text or "admin" in small or "root:" in small or "guest:" in small):
        for match in _USER_AND_PASSWORD().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if holds_any(small, _PARTS_OF_LOGINS):
        for word in _LOGINS:
            for end in ends(small, word):
                yield from group_of(_PAIR().match(text, end))
        for match in _LOGIN_TRIED().finditer(text) if ":" in text or "/" in text else ():
            if (could_be_chosen if match[1] == ":" else _looks_chosen_or_odd)(match[2]):
                yield match.span(2)


def _looks_chosen_or_odd(value: str) -> bool:
    return looks_chosen(value) or (value.isalnum() and could_be_chosen(value) and not value.islower())


def _header(text: str, end: int) -> Iterator[Span]:
    """All of a header's value but its scheme, up to the quote that closes it or the end of the line."""
    match = _HEADER().match(text, end)
    if match is None:
        return
    begin = match.end()
    quote = match[1] or _open_quote(text, end)
    stop = text.find(quote, begin) if quote else -1
    stop = stop if stop >= 0 else len(text)
    if match[2] and match[2].lower() in known().schemes:
        word = _HEADER_WORD().match(text, begin)
        stop = min(stop, word.end()) if word else stop
    if text[begin:stop].strip() and not is_none(text, (begin, stop)):
        yield begin, stop


def _open_quote(text: str, end: int) -> str:
    """The quote within which a place stands: one that was opened before it and not closed."""
    return next((quote for quote in ("'", '"') if text.count(quote, 0, end) % 2), "")
