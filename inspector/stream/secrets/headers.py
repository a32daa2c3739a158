"""Secrets in headers of HTTP, cookies, commands of mail and databases, and pairs of a user and a password."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen
from .found import Span, ends, group, group_of, holds_any, is_none
from .known import known
from .unknown import is_known

_HEADER = lazy(
    r"[\w-]{0,20}\\?[\"']?\s{0,3}[:=]\s{0,3}(\\?[\"'])?(?:([a-z][\w-]{1,40})(?=\s{1,4}\S)\s{1,4})?", re.IGNORECASE
)
_HEADER_WORD = lazy(r"[^\s\"'\\,]+")
_BEARER = lazy(
    r"\s{1,4}[\"']?(?!realm=)([\w.~+/=:-]{8,8192}|(?<=[:=] Bearer )[\w.~+/=:-]{3,8}|[a-z]{5,7}(?![\w.~+/=:-]))",
    re.IGNORECASE,
)
_PAIR = lazy(r"s?\s?[:=]\s?\S{1,64}\s?/\s?(\S{3,512})", re.IGNORECASE)
_OF_RADIUS = lazy(
    r"\blogin (?:ok|incorrect|invalid)[^\[\n]{0,80}: ?\[[^\]/\s]{1,64}/([^\]\n<]{1,256})\]", re.IGNORECASE
)
"""How FreeRADIUS logs what was tried."""
_LOGIN_TRIED = lazy(r"(?<![\w/.:-])[\w.@-]{1,64}([:/])([^\s/\]),\"']{6,256})")
"""`creds admin:X`, `login attempt [root/X]`."""
_TRIED_PAIR = lazy(
    r"\b(?:tried|trying|tries|attempt(?:ed|ing)?(?: with)?|guess(?:ed)?|found|valid|brute\S{0,8}) "
    r"\[?[\w.@-]{1,64}[:/]([^\s/\])\",']{4,256})"
)
_OWN_HEADER = lazy(
    r"(?:[\w]{1,24}-){0,4}(?:token|key|auth|secret|signature|password|access|session)"
    r"[\"']?\s?[:=]\s?[\"']?([^\s\"',;]{4,4096})",
    re.IGNORECASE,
)
"""`X-Subject-Token: X`: headers that services make up, behind their `x-`."""
_LONGER = len(" x-")
_CALLEES = ("connect", "login", "auth", "cred", "wifi", "mysqli", "pdo", "passw", "_bind", "crypt")
_CALL = lazy(
    r"\b((?:[\w.:]|->){0,64}(?:connect|login|auth|cred|wifi|mysqli|pdo|passw|_bind|crypt)(?:[\w.:]|->){0,40})"
    r"\(\s?((?:[^()\"'\n]{0,64}[bu]?(?:\"[^\"\n]{0,256}\"|'[^'\n]{0,256}')){1,8})",
    re.IGNORECASE,
)
_ARGUMENT = lazy(r"(?<![=:\w])\s?[bu]?(?:\"([^\"\s]{4,256})\"|'([^'\s]{4,256})')(?!\s?[:=])")
_TAKES_ONLY_SECRETS = lazy(r"(?:passw(?:or)?d|passphrase|credentials?)$|crypt\w{0,8}$", re.IGNORECASE)
"""`set_password("X")`, `pgp_sym_decrypt(c, 'X')`."""
_HEADS_OF_PAIRS = ("id/p", "id / p", "id pw", "id pass", "user/p", "name/p", "login/p")
_HEADED_PAIR = lazy(
    r"(?:\bid|\b\w{0,16}id|user(?:name)?|login)\s?[/ ]\s?(?:pw|pwd|pass(?:word)?)\b"
    r"[\s:=(-]{1,4}[\w.-]{1,64}\s?[/,: (]{1,2}\s?"
    r"([^\s\"',)]{6,256})",
    re.IGNORECASE,
)
"""`ID/PW: bob/X`, as people note it."""
_TRIES = ("tried ", "trying ", "tries ", "attempt", "guess", "found ", "valid ", "brute")
_LOGIN_PAIR = lazy(
    r"(?:\bauth[\"']?\s?[:=]\s?[(\[]{1,3}|\bcredentials?:?\s?[(\[]|(?:Basic|Digest)Auth\(|\blogin\(|\.auth\(|\.authenticate\()"
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
    r"|\bAUTH LOGIN [\w+/=]{2,512} ([\w+/=]{4,8192})"
    r"|\bAUTH (?:(?:LOGIN|PLAIN|XOAUTH2|OAUTHBEARER|NTLM|CRAM-MD5|SCRAM-[\w-]{1,20}) |default )?"
    r"(?=\S{0,200}[\d=])(\S{6,8192})"
)
_AUTH_ELEMENT = lazy(r"<auth [^<>\n]{0,200}>([^<>\s]{4,1024})", re.IGNORECASE)
"""How XMPP logs in."""
_PASS_COMMAND = lazy(
    r"\b[A-Za-z]{1,4}\d{1,6} LOGIN \S{1,128} \"?([^\s\"]{1,512})"
    r"|(?:[>]|\b[CS]:|\b(?:ftp|pop3?|irc|imap)\b.{0,40}?)\s{0,3}(?:PASS|:?IDENTIFY(?: \S{1,64}(?= \S))?) (\S{4,512})",
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
_NUMBER = lazy(r"(?=[a-f]{0,64}\d)(?=\d{0,64}[a-f])[0-9a-f]{12,128}")
_OF_GOOGLE = lazy(r"\d//?[\w-]{8,512}")
_CODE_OF_GOOGLE = lazy(r"\bcode (\d//?[\w-]{8,512})", re.IGNORECASE)
_QUOTED_TOKEN = lazy(r"\b(?:using|with|auth) token [\"']([^\s\"'<>|]{4,512})[\"'](?! (?:id|at)\b)", re.IGNORECASE)
"""Who uses one; a tokenizer only finds them."""
_COOKIE_JAR = lazy(r"\s(?:TRUE|FALSE)\s/\S{0,256}\s(?:TRUE|FALSE)\s\d{1,12}\s\S{1,128}\s(\S+)")
"""A line of a cookie file."""


_OF_LOGINS = ((_LOGIN_PAIR, ","), (_AUTH_COMMAND, "AUTH"), (_AUTH_COMMAND, '"auth"'), (_AUTH_ELEMENT, "<"))
"""Each with a sign that it needs."""


def spans(text: str, small: str, named: bool) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case."""
    for word, part in (("authorization", "auth"), ("cookie", "cookie")):
        if part in small:
            for end in ends(small, word):
                yield from _header(text, end)
    if "x-" in small:
        for end in ends(small, "x-"):
            if end < _LONGER or not small[end - _LONGER].isalnum():
                yield from (span for span in group_of(_OWN_HEADER().match(text, end)) if not is_none(text, span))
    if "bearer " in small:
        for end in ends(small, "bearer "):
            yield from group_of(_BEARER().match(text, end - 1))
    if "auth" in small or "login(" in small or "credential" in small:
        for pattern, sign in _OF_LOGINS:
            if sign in text:
                yield from (group(match) for match in pattern().finditer(text))
    if "(" in text:
        yield from _called(text, small)
    if "PASS " in text or "IDENTIFY " in text or " LOGIN " in text:
        for match in _PASS_COMMAND().finditer(text):
            yield group(match)
    if "TRUE" in text or "FALSE" in text:
        for match in _COOKIE_JAR().finditer(text):
            yield match.span(1)
    if named or "session id " in small or "code " in small:
        yield from _tokens(text, small)
    yield from _logins(text, small)


def _called(text: str, small: str) -> Iterator[Span]:
    """What functions that connect or log in are given, but for the first of it and for known words."""
    if holds_any(text, ("onnect", "redential", "__construct(", "ogin(", "PDO(")):
        for match in _CONNECTS().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if holds_any(small, _CALLEES):
        for match in _CALL().finditer(text):
            given = [word.span(word.lastindex or 0) for word in _ARGUMENT().finditer(text, *match.span(2))]
            alone = _TAKES_ONLY_SECRETS().search(match[1]) is not None
            for span in given if alone else given[text[match.start(2)] in "\"'" :]:
                if not is_known(text[slice(*span)]):
                    yield span


def _tokens(text: str, small: str) -> Iterator[Span]:
    """What stands directly behind `token`, the name of a session or `code`."""
    for word in ("token ", "session id "):
        for end in ends(small, word) if word in small else ():
            behind = _HEADER_WORD().match(text, end)
            if behind is not None and _is_behind_token(behind[0]):
                yield behind.span()
    if "/" in text and "code " in small:
        for match in _CODE_OF_GOOGLE().finditer(text):
            yield match.span(1)
    if "h token " in small or "g token " in small:
        for match in _QUOTED_TOKEN().finditer(text):
            yield match.span(1)


def _logins(text: str, small: str) -> Iterator[Span]:
    if ":" in text and ("@" in text or "admin" in small or "root:" in small or "guest:" in small):
        for match in _USER_AND_PASSWORD().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if ("pw" in small or "/pass" in small or "id pass" in small) and holds_any(small, _HEADS_OF_PAIRS):
        for match in _HEADED_PAIR().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if holds_any(small, _PARTS_OF_LOGINS):
        for word in _LOGINS:
            for end in ends(small, word):
                yield from group_of(_PAIR().match(text, end))
        if "[" in text and "login " in small:
            yield from (match.span(1) for match in _OF_RADIUS().finditer(text))
        if holds_any(small, _TRIES):
            yield from (match.span(1) for match in _TRIED_PAIR().finditer(text) if could_be_chosen(match[1]))
        for match in _LOGIN_TRIED().finditer(text) if ":" in text or "/" in text else ():
            if (could_be_chosen if match[1] == ":" else _looks_chosen_or_odd)(match[2]):
                yield match.span(2)


def _is_behind_token(value: str) -> bool:
    return (
        looks_chosen(value)
        or (value.startswith(known().prefixes) and could_be_chosen(value))
        or _NUMBER().fullmatch(value) is not None
        or _OF_GOOGLE().fullmatch(value) is not None
    )


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
