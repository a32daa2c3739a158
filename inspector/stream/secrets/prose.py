"""Secrets as sentences tell them, and commands that give somebody an account: `login bob password X`."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen
from .found import QUOTED, Span, group, holds_any, unless_told
from .known import known

_NAMED = lazy(
    r"(?:(?:with|using|login \S{1,64}|user \S{1,64}|connect \S{1,64}|new|old|temporary|default) "
    r"(?:the )?(?:password|passphrase|secret|pin)|(?:login|user(?:name)?) \S{1,64} (?:pass|pw))"
    rf"\s{{1,3}}(?:{QUOTED}|(\S{{3,512}}))",
    re.IGNORECASE,
)
"""`login bob password X`, `with password X`."""
_PROSE = lazy(
    r"(?:(?<!no )(?:key|token|password|secret)s? "
    r"(?:provided|used|given|sent|received|supplied|for (?:user )?(?!user )[\w.-]{1,64}\b(?: is)?)"
    r"|\b(?:using|encryption|signing|hmac|aes|master|shared|link|pairing|session|network|group|root|wrapping|recovery)"
    r"(?: the)? key(?= \S{16})|\bpassword changed from"
    r"|\b(?:requirepass|masterauth)|\bunseal key(?: \d{1,2})?(?=:)|\blog ?in (?:with|as|using) \S{1,64} /"
    r"|\b(?:pin|otp|totp|2fa|mfa"
    r"|(?:verification|recovery|backup|one-time|login|security|pairing|activation) code)(?: code)?"
    r"(?: for \S{1,64}?)?(?: is| was)?[\"']?"
    r"(?=[\s:=]{1,3}\S{0,9}\d)"
    r"|\b(?:seed|recovery|secret) phrase|\bmnemonic|\b(?:backup|recovery) codes(?=: )|"
    r"\bprivate exponent|\bpassword [057]|\bpw(?= \S*\d))"
    rf"\s?[:=]?\s{{0,3}}(?:{QUOTED}|((?<=phrase: ).{{8,400}}|(?<=codes: ).{{4,400}}|\S{{4,8192}}))",
    re.IGNORECASE,
)
"""Keys, codes and phrases as messages tell them."""
_OF_NETWORK = lazy(
    r"\b(?:radius|tacacs|isakmp|ssid|wi-?fi|wpa)\d?\b[^\n]{0,60}? key(?: [07])?:? \"?([^\s\"]{6,64})", re.IGNORECASE
)
"""How routers and access points are told a key."""
_NETWORKS = ("radius", "tacacs", "isakmp", "ssid", "wi-fi", "wifi", "wpa")
_PATH = lazy(r"[/~][^\s:@]*")
_PROMPT = lazy(r"passphrase for [^:\n]{1,128}:\s{1,3}(\S.{0,1023})", re.IGNORECASE)
"""A passphrase that was typed is several words: all that follows."""
_TYPED = lazy(
    r"(?:passphrase|password|passcode|secret) (?:was )?(?:read|entered|typed|given|taken)(?: \w{1,9}){0,3}: "
    rf"(?:{QUOTED})",
    re.IGNORECASE,
)
_ACCOUNT = lazy(
    rf"\b(?:user|role|to) \S{{1,130}} identified (?:with \S{{1,64}} )?by(?: password)?\s{{1,3}}"
    rf"(?:{QUOTED}|([^\s'\",;]{{1,256}}))"
    r"|\bsetuser \S{1,64}(?: [^\s>]\S{0,63}){0,8} >(\S{1,256})"
    r"|\bcreateuser (?:-e \S{1,64} )?\S{1,64} (?:md5|sha[\w-]{0,8}) (\S{1,256}(?: (?:des|aes[\w-]{0,8}) \S{1,256})?)"
    rf"|\bset password(?: for \S{{1,130}})?\s?=\s?(?:{QUOTED})"
    rf"|\bsecurestring[ (]\s?(?:{QUOTED})",
    re.IGNORECASE,
)
"""How databases, daemons and PowerShell are given an account: SQL, Redis, snmpd.conf(5)."""
_WORDS_OF_SEED = lazy(r"(?<![\w'])(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8}(?![\w'])")
_LEAST_SEED = 52
_NAMES = ("key", "token", "pass", "secret")
_BESIDE_NAMES = (
    "provided", "used", "given", "received", "supplied", "sent", " for ", " key ", "unseal", "requirepass", "password ",
)  # fmt: skip
"""With one of the names, one of these is in what `_PROSE` finds; to look for them one by one is ten times as fast."""
_ALONE = (
    "pin",
    "otp",
    "2fa",
    "mfa",
    "code",
    "phrase",
    "mnemonic",
    "exponent",
    " pw ",
    "masterauth",
    "login ",
    "log in ",
)
"""Or one of these."""
_OF_ACCOUNTS = ("identified by", "setuser ", "createuser ", "securestring", "set password")
_OF_SEEDS = ("seed", "mnemonic", "phrase", "wallet", "recovery")


def spans(text: str, small: str) -> Iterator[Span]:
    """Where sentences tell secrets; `small` is the text in lower case."""
    named = holds_any(small, _NAMES)
    if (named and holds_any(small, _BESIDE_NAMES)) or holds_any(small, _ALONE):
        for match in _PROSE().finditer(text):
            value = text[slice(*group(match))]
            if value.strip(".,:;!").lower() not in known().how_it_is and _PATH().fullmatch(value) is None:
                yield group(match)
    if " key" in small and holds_any(small, _NETWORKS):
        for match in _OF_NETWORK().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    if named and "passphrase for " in small:
        for match in _PROMPT().finditer(text):
            yield from unless_told(text, match.span(1))
    if holds_any(small, _OF_ACCOUNTS):
        for match in _ACCOUNT().finditer(text):
            yield group(match)
    if (named and ("pass" in small or "secret" in small)) or " pin " in small:
        for pattern in (_NAMED, _TYPED):
            for match in pattern().finditer(text):
                yield from unless_told(text, group(match))
    if len(small) > _LEAST_SEED and holds_any(small, _OF_SEEDS):
        for match in _WORDS_OF_SEED().finditer(text):
            yield match.span()
