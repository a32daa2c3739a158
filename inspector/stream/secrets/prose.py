"""Secrets as sentences tell them, and commands that give somebody an account: `login bob password X`."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen
from .found import QUOTED, Span, ends, group, holds_any, unless_told
from .known import NAMES, known
from .unknown import is_of_field

_NAMED = lazy(
    r"(?:(?:with|using|login \S{1,64}|user \S{1,64}|connect \S{1,64}|new|old|temporary|default) "
    r"(?:the )?(?:password|passphrase|secret|pin)|(?:login|user(?:name)?) \S{1,64} (?:pass|pw))"
    rf"\s{{1,3}}(?:{QUOTED}|(\S{{3,512}}))",
    re.IGNORECASE,
)
"""`login bob password X`, `with password X`."""
_PROSE = lazy(
    r"(?:(?<!no )(?:key|token|password|secret)s? "
    r"(?:provided|used|given|sent|received|supplied|for (?:user )?"
    r"(?!(?:user|the|this|that|your|my|our|an?|any|each|every|invalid|illegal) )[\w.-]{1,64}\b(?: is)?)"
    r"|\b(?:using|encryption|signing|hmac|aes|master|shared|link|pairing|session|network|group|root|wrapping|recovery)"
    r"(?: the)? key(?= \S{16})|\bpassword changed from"
    r"|\b(?:requirepass|masterauth)|\bunseal key(?: \d{1,2})?(?=:)|\blog ?in (?:with|as|using) \S{1,64} /"
    r"|\b(?:seed|recovery|secret) phrase|\bmnemonic|\b(?:backup|recovery) codes(?=: )|"
    r"\bprivate exponent|\bpassword [057]|\bpw(?= \S*\d))"
    rf"\s?[:=]?\s{{0,3}}(?:{QUOTED}|((?<=phrase: ).{{8,400}}|(?<=codes: ).{{4,400}}|\S{{4,8192}}))",
    re.IGNORECASE,
)
"""Keys, codes and phrases as messages tell them."""
_OF_NETWORK = lazy(
    r"\b(?:radius|tacacs|isakmp|ssid|wi-?fi|wpa|wep|wlan|ipsec|ike|vpn|bluetooth)\d?\b[^\n]{0,60}? key(?: \d)?:? "
    r"\"?([^\s\"]{6,64})",
    re.IGNORECASE,
)
"""How routers and access points are told a key."""
_COMMUNITY = lazy(
    r"\br[ow]community6? (\S{3,64})"
    r"|\bcommunity (?:string )?[\"']?([^\s\"':=]{3,64})[\"']? (?:r[ow]|view|ipv4)\b",
    re.IGNORECASE,
)
"""How SNMP is told its password: snmpd.conf(5), routers."""
_OF_ROUTERS = lazy(
    r"\b(?:isakmp|(?:tacacs|radius)-server)(?: host \S{1,64})? key (?:[067] )?\"?([^\s\"]{1,128})"
    r"|\benable (?:secret|password) (?:level \d{1,2} )?(?:[05789] )?([^\s\"]{3,128})$"
    r"|\bpre-shared-(?:secret|key)s? (?:\S{1,64} key )?\"?([^\s\"]{3,128})"
    r"|\bauth (?:md5|sha[\w-]{0,6}) ([^\s\"]{4,128})",
    re.IGNORECASE,
)
_HEXDUMP = lazy(r"\bhexdump\w{0,8}\(len=\d{1,5}\):?((?: [0-9a-f]{2}){4,512})")
_PRIVACY = lazy(r"\bpriv (?:des|3des|aes(?:[ -]?\d{3})?) ([^\s\"]{4,128})", re.IGNORECASE)
"""How routers are told a secret, as their manuals say."""
_NETWORKS = (
    "radius",
    "tacacs",
    "isakmp",
    "ssid",
    "wi-fi",
    "wifi",
    "wpa",
    "wep",
    "wlan",
    "ipsec",
    "ike",
    "vpn",
    "bluet",
)
_PROMPTS = ("passphrase for ", "password for ", "passphrase ", "password ")
_PATH = lazy(r"[/~][^\s:@]*")
_PROMPT = lazy(
    r"(?:passphrase for [^:\n]{1,128}|password for (?:user )?\S{1,128}"
    r"|(?:passphrase|password) (?:accepted|entered|used|tried)):\s{1,3}(\S.{0,1023})",
    re.IGNORECASE,
)
"""A passphrase that was typed is several words: all that follows."""
_TYPED = lazy(
    r"(?:passphrase|password|passcode|secret)(?: (?:was )?(?:read|entered|typed|given|taken)(?: \w{1,9}){0,3}: "
    rf"|(?: \w{{1,16}}){{1,5}} (?:with|as) )(?:{QUOTED})",
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
_BEHIND_NAMES = (" provided", " used", " given", " sent", " received", " supplied", " for ")
"""Directly behind one of the names, one of these is what `_PROSE` finds; to ask first is ten times as fast."""
_KINDS_OF_KEYS = (
    "using", "using the", "encryption", "signing", "hmac", "aes", "master", "shared", "link", "pairing", "session",
    "network", "group", "root", "wrapping", "recovery", " the",
)  # fmt: skip
_ALONE = ("codes: ", "phrase", "mnemonic", "exponent", " pw ", "login ", "log in ")
"""Or one of these."""
_WITH_NAMES = ("changed from", "requirepass", "masterauth", "unseal", "password 0", "password 5", "password 7")
"""Or one of these beside the names."""
_ON_ROUTERS = ("isakmp", "-server", "enable ", "pre-shared-")
_PARTS_OF_ACCOUNTS = ("user ", "identified by", "securestring")
_OF_ACCOUNTS = ("identified by", "setuser ", "createuser ", "securestring", "set password")
_OF_SEEDS = ("seed", "mnemonic", "phrase", "wallet", "recovery")


def spans(text: str, small: str, named: bool) -> Iterator[Span]:
    """Where sentences tell secrets; `small` is the text in lower case."""
    if (named and _tells(small)) or holds_any(small, _ALONE):
        for match in _PROSE().finditer(text):
            value = text[slice(*group(match))]
            if value.strip(".,:;!").lower() not in known().telling and _PATH().fullmatch(value) is None:
                yield group(match)
    if " key" in small and holds_any(small, _NETWORKS):
        for match in _OF_NETWORK().finditer(text):
            if could_be_chosen(match[1]) or not is_of_field(match[1]):
                yield match.span(1)
    if (named and holds_any(small, _ON_ROUTERS)) or " priv " in small:
        yield from (group(match) for match in _OF_ROUTERS().finditer(text))
        yield from (match.span(1) for match in _PRIVACY().finditer(text))
    if "community" in small:
        yield from (group(match) for match in _COMMUNITY().finditer(text))
    if "hexdump" in small and (named or "psk" in small):
        yield from (match.span(1) for match in _HEXDUMP().finditer(text))
    asked = named and ("pass" in small or "secret" in small)
    if asked and holds_any(small, _PROMPTS):
        for match in _PROMPT().finditer(text):
            if match[1].split()[0].lower() not in known().telling:
                yield from unless_told(text, match.span(1))
    if (asked or holds_any(small, _PARTS_OF_ACCOUNTS)) and holds_any(small, _OF_ACCOUNTS):
        for match in _ACCOUNT().finditer(text):
            yield group(match)
    if asked or " pin " in small:
        for pattern in (_NAMED, _TYPED):
            for match in pattern().finditer(text):
                if match[match.lastindex or 0] not in known().processes:
                    yield from unless_told(text, group(match))
    if len(small) > _LEAST_SEED and holds_any(small, _OF_SEEDS):
        for match in _WORDS_OF_SEED().finditer(text):
            yield match.span()


def _tells(small: str) -> bool:
    """Whether something stands beside a name of secrets that `_PROSE` knows."""
    for name in NAMES:
        for end in ends(small, name) if name in small else ():
            if small.startswith(_BEHIND_NAMES, end + (small[end : end + 1] == "s")):
                return True
            if name == "key" and small.endswith(_KINDS_OF_KEYS, 0, max(0, end - len(" key"))):
                return True
    return holds_any(small, _WITH_NAMES)
