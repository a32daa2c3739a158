"""Addresses that hold credentials: `user:password@host`, query parameters that grant or sign, hooks."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen
from .found import Span
from .known import known
from .naming import words_of
from .opaque import is_opaque
from .unknown import is_known

_END = lazy(r"[\s\"'<>`|\\^{}]|$")
_AUTHORITY_END = lazy(r"[/\s\"'<>`?#]|$")
_GRANTS = lazy(
    r"[?&#;](?:amp;)?([\w.%-]{0,40}?(?:sig|signature|token|key|apikey|auth|authkey|password|passwd|pwd|pass|secret|code|"
    r"credential|session|sessionid|sid|ticket|otp|hmac|jwt|assertion|ssid|verifier|nonce|invite|hash))=([^&\s\"'#;<>]+)",
    re.IGNORECASE,
)
_QUERY = lazy(r"[?&]([\w.%\[\]-]{1,40})=([^&\s\"'#;<>=]{6,256})")
_HEX = lazy(r"[0-9a-f-]+|[0-9A-F-]+")
_LINKS = frozenset((
    "login", "signin", "reset", "invite", "invitation", "verify", "confirm", "activate", "activation", "magic",
    "join", "recover", "unsubscribe", "share",
))  # fmt: skip
"""Folders of links that were sent to one person: what stands behind lets somebody in."""
_NO_LINK = lazy(r"(?:o?auth|saml|v|step|phase)\d+", re.IGNORECASE)
_PASSWORD_FILE = lazy(
    r"(?:^|(?<=[\s\"']))(?:[a-z][\w.-]{0,63}|\*):(?:\d{4,5}|\*):[\w*-]{1,64}:[\w*.-]{1,64}:(\S{4,256})$"
)
"""A line of PostgreSQL's file of passwords."""
_LOGIN = lazy(
    r"(?:(?<![\w.+/:-])|(?<=\w//))[\w.+-]{1,64}:([^\s:@/\"'<>]{1,512})@(?!sha\d|\d{1,8}(?![\w.-]))(?:[\w.-]+|(?=/\w))"
)
_ORACLE = lazy(r"(?<![\w/])[\w$-]{1,64}/([^\s/@]{1,512})@")
_OF_WEB = ("http://", "https://")
_USER = lazy(r"[a-z_][a-z_.-]{0,31}\d{0,2}|(?:[A-Z]?[a-z]{2,16}){1,4}")
_NO_LOGIN = ("mailto:", "sip:", "sips:", "xmpp:", "acct:")
_HOOK = lazy(r"/with/key/|hooks?[./]|webhooks?[\w-]*/|/bot\d+:|/services/T", re.IGNORECASE)
_NUMBER = lazy(r"\d{1,7}|true|false|null|none|\(hidden\)", re.IGNORECASE)
_LEAST_CODE = 8
_NAME = lazy(r"[a-z]+(?:[-_.][a-z0-9]+){2,}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""Of a file, a model, a constant."""
_MIXED_HEX = lazy(r"(?=\d{0,63}[a-fA-F])(?=[a-fA-F]{0,63}\d).{8}")


def spans(text: str) -> Iterator[Span]:
    """Where secrets lie in the addresses of a text."""
    at = text.find("://")
    while at >= 0:
        begin = at + 3
        end = _search(_END(), text, begin)
        yield from _in_url(text, begin, end)
        at = text.find("://", end)
    if "@" in text and ":" in text:
        for match in _LOGIN().finditer(text):
            if not match[0].lower().startswith(_NO_LOGIN) and match[1] != "(hidden)":
                yield match.span(1)
    if ("ORA-" in text or "oracle" in text) and "@" in text:
        yield from (match.span(1) for match in _ORACLE().finditer(text))
    if "=" in text and ("?" in text or "&" in text or "#" in text):
        for match in _GRANTS().finditer(text):
            short_code = match[1].lower() in ("code", "hash", "key", "sid") and len(match[2]) < _LEAST_CODE
            if not short_code and not _NUMBER().fullmatch(match[2]):
                yield match.span(2)
        for match in _QUERY().finditer(text):
            words = words_of(match[1])
            plain = not known().plain_parameters.isdisjoint(words)
            if _HEX().fullmatch(match[2]):
                harmless = plain or not known().digests.isdisjoint(words)
                is_secret = not harmless and "-" not in match[2] and _MIXED_HEX().match(match[2]) is not None
            else:
                plain |= _NAME().fullmatch(match[2]) is not None
                is_secret = (looks_chosen if plain else could_be_chosen)(match[2])
            if is_secret:
                yield match.span(2)
    if text.count(":") > 3:
        for match in _PASSWORD_FILE().finditer(text):
            if not is_known(match[1]):
                yield match.span(1)


def _in_url(text: str, begin: int, end: int) -> Iterator[Span]:
    authority = _search(_AUTHORITY_END(), text, begin)
    login = text.rfind("@", begin, max(authority, begin))
    if login < 0 and authority < end and text[authority] in "/#?":
        odd = text.find("@", authority, end)  # a password with a slash in it
        login = odd if odd > 0 and ":" in text[begin:authority] and not _has_port(text[begin:authority]) else -1
    if login > begin:
        if text[begin:login] != "(hidden)" and not _is_user(text[begin:login], of_web=text.endswith(_OF_WEB, 0, begin)):
            yield begin, login
        authority = max(authority, login)
    path = text[authority:end]
    if _HOOK().search(text, begin, end) and len(path) > 1:
        yield authority + 1, end
        return
    place, folder = authority, ""
    for part in path.partition("?")[0].split("/"):
        if is_opaque(part) or (_is_of_link(folder) and could_be_chosen(part) and not _NO_LINK().fullmatch(part)):
            yield place, place + len(part)
        place += len(part) + 1
        folder = part.lower()


def _is_user(login: str, of_web: bool) -> bool:
    """Whether what stands before a host is a user alone: `ssh://git@host`; on the web a token stands there as well."""
    if ":" in login:
        return False
    return is_known(login) if of_web else _USER().fullmatch(login) is not None and not looks_chosen(login)


def _is_of_link(folder: str) -> bool:
    return not _LINKS.isdisjoint(folder.split("-"))


def _has_port(authority: str) -> bool:
    return authority.rpartition(":")[2].isdigit()


def _search(pattern: re.Pattern[str], text: str, begin: int) -> int:
    match = pattern.search(text, begin)
    return match.start() if match is not None else len(text)
