"""Addresses that hold credentials: `user:password@host`, query parameters that grant or sign, hooks."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen, looks_drawn
from .found import Span, holds_any
from .known import known
from .naming import words_of
from .opaque import is_opaque
from .unknown import is_known, is_of_field

_END = lazy(r"[\s\"'<>`|\\^{}]|$")
_AUTHORITY_END = lazy(r"[/\s\"'<>`?#]|$")
_GRANTS = lazy(
    r"[?&#;](?:amp;)?([\w.%-]{0,40}?(?:sig|signature|token|key|apikey|auth|authkey|password|passwd|pwd|pass|secret|code|access|"
    r"credential|session|sessionid|sid|ticket|otp|hmac|jwt|assertion|ssid|verifier|nonce|invite|hash))=([^&\s\"'#;<>]+)",
    re.IGNORECASE,
)
_USER_IN_QUERY = lazy(r"[?&;](?:u|usr|user|user_?name|uname|login|email|account|acct)=[^&\s]", re.IGNORECASE)
_BESIDE_USER = lazy(r"[?&;](?:p|pw|pwd|pass|ps|k|key|t|token|code)=([^&\s\"'#;<>]{3,256})", re.IGNORECASE)
"""What is said of a user in a query beside its name."""
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
_SECRETS_OF_PPP = lazy(
    r"\s*(?:[\w.@\\-]{1,64}|\*|\"[^\"\n]{0,64}\")\s{1,9}(?:[\w.-]{1,64}|\*|\"[^\"\n]{0,64}\")\s{1,9}"
    r"(\"[^\"\n]{3,256}\")\s{1,9}\*"
)
"""A line of the file of passwords of pppd(8): client, server, secret, addresses."""
_LOGIN = lazy(
    r"(?:(?<![\w.+/:-])|(?<=\w//))[\w.+-]{1,64}:([^\s:@/\"'<>]{1,512})@(?!sha\d|\d{1,8}(?![\w.-]))(?:[\w.-]+|(?=/\w))"
)
_ORACLE = lazy(r"(?<![\w/])[\w$-]{1,64}/([^\s/@]{1,512})@")
_OF_WEB = ("http://", "https://")
_USER = lazy(r"[a-z_][a-z_.-]{0,31}\d{0,2}|(?:[A-Z]?[a-z]{2,16}){1,4}")
_NO_LOGIN = ("mailto:", "sip:", "sips:", "xmpp:", "acct:")
_HOOK = lazy(r"/with/key/|hooks?[./]|webhooks?[\w-]*/|/bot\d+:|/services/T", re.IGNORECASE)
_REQUESTED = lazy(r"\b(?:GET|POST|PUT|DELETE|PATCH|HEAD|CONNECT) (/[^\s\"'<>?]{1,1024})")
_REQUESTS = ("GET /", "POST /", "PUT /", "DELETE /", "PATCH /", "HEAD /", "CONNECT /")
_SENT_LINKS = ("link", "invit", "reset")
_LAST_OF_LINK = lazy(
    r"(?i:magic|reset|invit\w{1,6}|share|sign-?in|log-?in|one-time|activation|confirmation|recovery|verification|"
    r"unsubscribe)[ -](?i:link|url)\b"
    r"[^\n]{0,40}?https?://[^\s\"'<>]{1,256}/([\w.~=-]{6,256})(?=[\s\"'<>?]|$)"
)
"""What a link that was sent to one person ends with."""
_TO_HOOK = lazy(
    r"\b(?:GET|POST|PUT|DELETE|PATCH|HEAD) /(?:[\w.-]{1,64}/){0,6}(?:web)?hooks?/((?=[^\s?/]{0,64}\d)[^\s?]{12,512})"
)
"""The path of a hook without its host."""
_NUMBER = lazy(r"\d{1,7}|true|false|null|none|\(hidden\)", re.IGNORECASE)
_LEAST_CODE = 8
_NAME = lazy(r"[a-z]+(?:[-_.][a-z0-9]+){2,}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""Of a file, a model, a constant."""
_MIXED_HEX = lazy(r"(?=\d{0,63}[a-fA-F])(?=[a-fA-F]{0,63}\d).{8}")


def spans(text: str) -> Iterator[Span]:
    """Where secrets lie in the addresses of a text."""
    at = text.find("://")
    if at >= 0 or " /" in text:
        yield from _requested(text)
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
        yield from _in_query(text)
    if text.endswith("*") and (line := _SECRETS_OF_PPP().fullmatch(text)) is not None:
        yield line.span(1)
    if text.count(":") > 3:
        for match in _PASSWORD_FILE().finditer(text):
            if not is_known(match[1]):
                yield match.span(1)


def _in_query(text: str) -> Iterator[Span]:
    """Query parameters that grant or sign, what stands beside a user, and what is not plainly harmless."""
    for match in _GRANTS().finditer(text):
        short_code = match[1].lower() in ("code", "hash", "key", "sid") and len(match[2]) < _LEAST_CODE
        short_code = short_code and is_of_field(match[2])
        if not short_code and not _NUMBER().fullmatch(match[2]):
            yield match.span(2)
    if _USER_IN_QUERY().search(text) is not None:
        yield from (told.span(1) for told in _BESIDE_USER().finditer(text) if not _NUMBER().fullmatch(told[1]))
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


def _requested(text: str) -> Iterator[Span]:
    """Paths that are asked of a server, and links that were sent to one person."""
    if "hook" in text:
        yield from (match.span(1) for match in _TO_HOOK().finditer(text))
    if holds_any(text, _REQUESTS):
        for match in _REQUESTED().finditer(text):
            yield from _in_url(text, *match.span(1))
    if holds_any(text, _SENT_LINKS):
        for match in _LAST_OF_LINK().finditer(text):
            if could_be_chosen(match[1]) or not is_of_field(match[1]):
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
        if (
            is_opaque(part)
            or looks_drawn(part)
            or (_is_of_link(folder) and could_be_chosen(part) and not _NO_LINK().fullmatch(part))
        ):
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
