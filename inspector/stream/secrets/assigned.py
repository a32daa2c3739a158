"""Values that stand behind a word which names a secret: `password=X`, `"apiKey": "X"`, `the password is X`."""

import re
from collections.abc import Callable, Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import looks_chosen
from .known import known

Span = tuple[int, int]
_Judge = Callable[[str], bool]

_QUOTED = (
    r"\\[\"']([^\"'\\]{1,1024})\\[\"']"  # in a text that is quoted itself
    r"|\"((?:[^\"\\]|\\.){1,1024})\"|'((?:[^'\\]|\\.){1,1024})'|`([^`]{1,1024})`"
)
_PLAIN = r"([^\s\"'`,;&<>{}()\[\]|][^\s\"'`,;&<>|\]})]{0,1023})"
_TO = (
    r"[\w.-]{0,40}(?:\[[^\]\s\"']{1,32}\])?(?:\\?[\"'\]]){0,2}\s{0,9}(?:=>|:=|==?|-{1,2}>|:|：|\b(?:is|was|ist|est|es|are)\b\s{0,3}(?:now\b\s?)?:?"
    r"|\bto(?=\s[\"'])|[\"']?\svalue\s?=|,\s?\\?[\"']value\\?[\"']\s?:|>(?=[^\s<]))\s{0,9}"
    r"(?:\w{1,20}\((?=[\"'])|(?:\(\w{1,20}\)\s?)?\w{0,20}\((?:len=)?\d{1,6}\)\s?(?=[\"'])|\[\s?(?=[\"'])"
    r"|\"\"(?=\")|''(?='))?"
)
_ASSIGNED = lazy(rf"s?{_TO}(?:\[\[([^\]]{{1,1024}})\]\]|{_QUOTED}|{_PLAIN})", re.IGNORECASE)
_PAIRED = lazy(rf"[\"']?,\s?(?:{_QUOTED})\s?[)}}]")
"""The second of two: `{password,"X"}`, `('password', 'X')`."""
_MADE = lazy(rf"\w{{0,20}}\(\s?(?:{_QUOTED})")
"""`SecretStr('X')`: a thing that is called by the word."""
_WITH_DIGIT = r"[^\s\"'`,;:<>(){}\[\]]*\d[^\s\"'`,;<>)}\]]*"
_BEHIND = lazy(rf"[\w-]{{0,20}}\s{{1,3}}(?:is\s|was\s|of\s)?(?:{_QUOTED}|({_WITH_DIGIT}))")
"""A quoted text or a word with a digit directly behind: `passphrase 'X'`, `api key X1`."""
_NAMED = lazy(
    r"(?:(?:with|using|login \S{1,64}|user \S{1,64}|connect \S{1,64}|new|old|temporary|default) "
    r"(?:the )?(?:password|passphrase|secret|pin)|(?:login|user(?:name)?) \S{1,64} (?:pass|pw))"
    rf"\s{{1,3}}(?:{_QUOTED}|(\S{{3,512}}))",
    re.IGNORECASE,
)
"""`login bob password X`, `with password X`."""
_PROSE = lazy(
    r"(?:(?:key|token|password|secret)s? "
    r"(?:provided|used|given|sent|received|supplied|for (?:user )?[\w.-]{1,64}(?: is)?)"
    r"|\b(?:using|encryption|signing|hmac|aes|master|shared)(?: the)? key(?= \S{16})|\bpassword changed from"
    r"|\b(?:requirepass|masterauth)|\bunseal key(?: \d{1,2})?(?=:)|\blog ?in (?:with|as|using) \S{1,64} /"
    r"|\b(?:pin|otp|totp|2fa|mfa|(?:verification|recovery|backup|one-time|login|security) code)(?: code)?"
    r"(?: for \S{1,64}?)?(?: is| was)?"
    r"(?=[\s:=]{1,3}\S{0,9}\d)"
    r"|\b(?:seed|recovery|secret) phrase|\bmnemonic|\bprivate exponent|\bpassword [057]|\bpw(?= \S*\d))"
    rf"\s?[:=]?\s{{0,3}}(?:{_QUOTED}|((?<=phrase: ).{{8,400}}|\S{{4,8192}}))",
    re.IGNORECASE,
)
"""Keys, codes and phrases as messages tell them."""
_PROMPT = lazy(r"passphrase for [^:\n]{1,128}:\s{1,3}(\S.{0,1023})", re.IGNORECASE)
"""A passphrase that was typed is several words: all that follows."""
_TYPED = lazy(
    r"(?:passphrase|password|passcode|secret) (?:was )?(?:read|entered|typed|given|taken)(?: \w{1,9}){0,3}: "
    rf"(?:{_QUOTED})",
    re.IGNORECASE,
)
_ACCOUNT = lazy(
    rf"\b(?:user|role|to) \S{{1,130}} identified (?:with \S{{1,64}} )?by(?: password)?\s{{1,3}}"
    rf"(?:{_QUOTED}|([^\s'\",;]{{1,256}}))"
    r"|\bsetuser \S{1,64}(?: [^\s>]\S{0,63}){0,8} >(\S{1,256})"
    r"|\bcreateuser (?:-e \S{1,64} )?\S{1,64} (?:md5|sha[\w-]{0,8}) (\S{1,256}(?: (?:des|aes[\w-]{0,8}) \S{1,256})?)"
    rf"|\bsecurestring[ (]\s?(?:{_QUOTED})",
    re.IGNORECASE,
)
"""How databases, daemons and PowerShell are given an account: SQL, Redis, snmpd.conf(5)."""
_HEADER = lazy(
    r"[\w-]{0,20}\\?[\"']?\s{0,3}[:=]\s{0,3}(\\?[\"'])?(?:([a-z][\w-]{1,40})(?=\s{1,4}\S)\s{1,4})?", re.IGNORECASE
)
_HEADER_WORD = lazy(r"[^\s\"'\\,]+")
_BEARER = lazy(r"\s{1,4}[\"']?(?!realm=)([\w.~+/=:-]{8,8192})", re.IGNORECASE)
_PAIR = lazy(r"s?\s?[:=]\s?\S{1,64}\s?/\s?(\S{3,512})", re.IGNORECASE)
_LOGIN_PAIR = lazy(
    r"(?:\bauth\s?=\s?\(|(?:Basic|Digest)Auth\(|\.login\()\s?[\"'][^\"']{0,128}[\"'],\s?[\"']([^\"']{1,512})[\"']"
)
"""`auth=("bob", "X")`, as tracebacks quote it."""
_COOKIE_JAR = lazy(r"\s(?:TRUE|FALSE)\s/\S{0,256}\s(?:TRUE|FALSE)\s\d{1,12}\s\S{1,128}\s(\S+)")
"""A line of a cookie file."""
_MIXED_OR_LONG = lazy(r"(?=\S{0,8191}\d)(?=\S{0,8191}[A-Za-z])\S{8,}|[A-Za-z0-9+/_-]{16,}={0,2}\Z")
_ADDRESS = lazy(r"0[xX][0-9a-fA-F]{1,16}[\])}.]?")
"""A number of 64 bits: `cache key: 0x1f2e3d4c`."""
_OF_FILE = lazy(r"s?[-_.]?(?:file|path|dir|folder)s?\b", re.IGNORECASE)
_NO_SECRET = lazy(
    r"(?:\(hidden\)|true|false|yes|no|on|off|null|none|nil|undefined|empty|\*+|x+|<[^>]*>|\$\{?\w+\}?|%\w+%|"
    r"[+-]?\d{1,6}(?:\.\d*)?%?)[.:!?]*",
    re.IGNORECASE,
)
"""What stands there when there is no secret."""


_LONGEST = 1024
"""Characters of a value that are looked at to judge it; what goes on is hidden with it."""
_REST = lazy(r"[^\s\"'`,;&<>|]*")
_PARTS_OF_PROSE = (
    "provided", "used", "given", "received", "supplied", "sent", " for ", "pin", "otp", "2fa", "mfa", "code", "phrase",
    "mnemonic", "exponent", "password ", " pw ", " key ", "unseal", "requirepass", "masterauth", "login ", "log in ",
)  # fmt: skip
"""One of these is in each; to look for them one by one is ten times as fast as an expression."""
_OF_ACCOUNTS = (
    "identified by",
    "setuser ",
    "createuser ",
    "securestring",
    " read",
    " entered",
    " typed",
    " given",
    " taken",
)


def spans(text: str, small: str) -> Iterator[Span]:
    """Where secrets lie in a text; `small` is the same in lower case."""
    for part, words in known().strong.items():
        if part in small:
            for word in words:
                yield from _each(text, small, word, _no_path if word == "pwd" else _any)
                for end in _ends(small, word):
                    yield from _directly_behind(text, end)
                    yield from _enclosed(text, end - len(word), end)
    for word, judge in _WEAK.items():
        if word in small:  # most lines have none: to ask costs less than to begin to look
            yield from _each(text, small, word, judge, whole=True)
    for word in ("authorization", "cookie"):
        if word in small:
            for end in _ends(small, word):
                yield from _header(text, end)
    for end in _ends(small, "bearer "):
        yield from _group_of(_BEARER().match(text, end - 1))
    if "auth" in small or ".login(" in small:
        for match in _LOGIN_PAIR().finditer(text):
            yield match.span(1)
    if "TRUE" in text or "FALSE" in text:
        for match in _COOKIE_JAR().finditer(text):
            yield match.span(1)
    for end in _ends(small, "token "):
        behind = _HEADER_WORD().match(text, end)
        if behind is not None and looks_chosen(behind[0]):
            yield behind.span()
    for end in _ends(small, "credential"):
        yield from _group_of(_PAIR().match(text, end))
    if holds_any(small, _PARTS_OF_PROSE):
        for match in _PROSE().finditer(text):
            if text[slice(*_group(match))].strip(".,:;!").lower() not in known().how_it_is:
                yield _group(match)
    if "passphrase for " in small:
        for match in _PROMPT().finditer(text):
            yield from _unless_told(text, match.span(1))
    if holds_any(small, _OF_ACCOUNTS):
        for match in _ACCOUNT().finditer(text):
            yield _group(match)
    if "pass" in small or "secret" in small or " pin " in small:
        for pattern in (_NAMED, _TYPED):
            for match in pattern().finditer(text):
                yield from _unless_told(text, _group(match))


def holds_any(text: str, parts: tuple[str, ...]) -> bool:
    """Whether one of these stands in a text."""
    for part in parts:  # noqa: SIM110 - a generator would cost more than the looking
        if part in text:
            return True
    return False


def _ends(small: str, word: str) -> Iterator[int]:
    """Where a word ends, each time it stands there."""
    at = small.find(word)
    while at >= 0:
        yield at + len(word)
        at = small.find(word, at + 1)


def _each(text: str, small: str, word: str, judge: _Judge, whole: bool = False) -> Iterator[Span]:
    """What is assigned to each standing of a word, or (`whole`) where it is no mere end of another word."""
    done = 0
    for end in _ends(small, word):
        begin = end - len(word)
        if (whole or word[0] in "_-.") and _goes_on(text, end):
            continue
        if begin >= done and (not whole or begin == 0 or text[begin].isupper() or not text[begin - 1].islower()):
            for first, last in _assigned(text, end, judge):
                done = _REST().match(text, last).end() if last - first >= _LONGEST else last  # type: ignore[union-attr]
                yield first, done


def _goes_on(text: str, end: int) -> bool:
    """Whether a word is the beginning of another one: `authority`, `keyboard`, `passing`."""
    capitals = text[end - 1].isupper()
    end += text[end : end + 1] in ("s", "S")
    following = text[end : end + 1]
    return following.islower() or (capitals and following.isupper())


def _assigned(text: str, end: int, judge: _Judge) -> Iterator[Span]:
    """What is assigned to a word that ends there, if it can be a secret."""
    match = _ASSIGNED().match(text, end)
    if match is None:
        return
    found = _group(match)
    if _names_a_file(text, end, found[0]):
        return
    if not judge(text[slice(*found)]):
        return
    if any(word in text[end : found[0]].lower() for word in (" is", " was", " es", " are")):
        yield from _unless_told(text, found)
    elif not _is_none(text, found):
        yield found


def _names_a_file(text: str, end: int, begin: int) -> bool:
    """`--password-file=/run/x` and `/etc/passwd: Permission denied` tell of files."""
    if text[begin : begin + 1] == "/" and _OF_FILE().match(text, end):
        return True
    word = end - 1
    while word > 0 and (text[word - 1].isalnum() or text[word - 1] in "_-."):
        word -= 1
    return text[word - 1 : word] == "/" and text[end : end + 2] == ": "


def _no_path(value: str) -> bool:
    """`pwd=/home/me` is a folder."""
    return not value.startswith(("/", "~"))


def _any(value: str) -> bool:
    return True


def _mixed_or_long(value: str) -> bool:
    return _MIXED_OR_LONG().match(value) is not None and _ADDRESS().fullmatch(value) is None


def _no_result(value: str) -> bool:
    return len(value) > 3 and value.lower() not in known().results


_WEAK: dict[str, _Judge] = {
    "key": _mixed_or_long, "token": _mixed_or_long, "auth": _mixed_or_long, "sig": _mixed_or_long,
    "signature": _mixed_or_long, "jwt": _mixed_or_long, "pass": _no_result, "pw": _no_result,
}  # fmt: skip
"""Everyday words in the logs of language models (`EOG token = 128001`): only what could be a secret behind them is."""


def _directly_behind(text: str, end: int) -> Iterator[Span]:
    for found in _group_of(_BEHIND().match(text, end)):
        if not _is_none(text, found):
            yield found


def _enclosed(text: str, begin: int, end: int) -> Iterator[Span]:
    """The second of a pair whose first is the word, and what a thing of that name is made of."""
    before = text[max(0, begin - 2) : begin]
    if before[-1:] in ("(", "{") or before in ("('", '("', "{'", '{"'):
        yield from _group_of(_PAIRED().match(text, end))
    if text[begin].isupper() and not before[-1:].isalnum():
        yield from _group_of(_MADE().match(text, end))


def _unless_told(text: str, found: Span) -> Iterator[Span]:
    """A secret in prose, unless the word tells how it is: `the password is required`."""
    if text[slice(*found)].strip(".,:;!").lower() not in known().how_it_is and not _is_none(text, found):
        yield found


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
    if text[begin:stop].strip() and not _is_none(text, (begin, stop)):
        yield begin, stop


def _open_quote(text: str, end: int) -> str:
    """The quote within which a place stands: one that was opened before it and not closed."""
    return next((quote for quote in ("'", '"') if text.count(quote, 0, end) % 2), "")


def _group_of(match: re.Match[str] | None) -> Iterator[Span]:
    if match is not None:
        yield _group(match)


def _group(match: re.Match[str]) -> Span:
    assert match.lastindex is not None
    return match.span(match.lastindex)


def _is_none(text: str, found: Span) -> bool:
    return _NO_SECRET().fullmatch(text[slice(*found)]) is not None
