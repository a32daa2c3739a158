"""What the name beside a value says of it: its last word is what it is, and some words name numbers of things."""

import re
from collections.abc import Iterator
from functools import lru_cache

from inspector.stream.lazy_pattern import lazy

from .found import Span
from .known import known

_WORD = lazy(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|[A-Z]")
_HEX = lazy(r"(?=[a-fA-F]*\d)(?=\d*[a-fA-F])(?:[0-9a-f]{20,512}|[0-9A-F]{20,512})")
_CERTAIN = lazy(
    r"pass|pwd|secret|cred|cookie|pin|otp|seed|phrase|psk|api|auth|access|private|sign|crypt|master|account|licen[cs]e|"
    r"bearer|session|user|kennwort|contrase|senha|geheim|parol|wachtwoord|hook|jwt|salt|pepper|hmac|fernet|clave|"
    r"pw$|^(?:\w+_)?(?:token|pat|dsn|sas|sk)$",
    re.IGNORECASE,
)
_LIKELY = lazy(
    r"(?:^|_)(?:ACCESS|LOGIN|PRIV|API|SIGNING|WALLET|UNLOCK|RECOVERY|LICEN[CS]E|COMMUNITY|PHRASE|PASSE|JAAS)$",
    re.IGNORECASE,
)
"""Names of secrets and of other things alike: `GRAPHICS_API=vulkan`."""
_EACH = 8
_FOUR_HEX = lazy(r"[0-9a-fA-F]{4}")
_LONG_HEX = lazy(r"[0-9a-fA-F]{32}")
_ASSIGNED_HEX = lazy(
    r"(?<![\w./-])([A-Za-z][\w.-]{0,64})[\"']?\s?(?:=>|[=:])\s?[\"']?(?:0x)?"
    r"((?:[0-9a-f]{32,512}|[0-9A-F]{32,512})(?![\w-]))"
    r"|\b(?:key|seed|secret|session|token|macaroon)\s(?:0x)?((?:[0-9a-f]{32,512}|[0-9A-F]{32,512})(?![\w-]))"
)
"""`name=X` with a long number, and such a number directly behind what may name a secret."""


_BYTES = lazy(r"(?:key|seed|secret|keypair)[\"']?\s?[:=]?\s?\[\s?((?:\d{1,3},\s?){15,63}\d{1,3})\s?\]", re.IGNORECASE)
_LENGTHS_OF_KEYS = (16, 32, 64)


@lru_cache(2048)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name: `NodeID`, `node_id` and `NODE-ID` have the same two."""
    return tuple(word.lower() for word in _WORD().findall(name))


def is_neutral(name: str) -> bool:
    """Whether a name that holds the name of a secret ends with what is none: `token_limit`, `secretName`."""
    words = words_of(name)
    return len(words) > 1 and words[-1] in known().heads


def is_certain(name: str) -> bool:
    """Whether a name says by more than `key`, `token` or the like that its value is a secret."""
    return _CERTAIN().search(name) is not None and _LIKELY().search(name) is None


_LET_IN = frozenset(
    (
        "pin",
        "unlock",
        "access",
        "pairing",
        "recovery",
        "backup",
        "verification",
        "security",
        "activation",
        "door",
        "login",
    )
)
_OF_LOGINS = frozenset(("login", "auth", "userpass", "userpwd", "credentials", "creds", "cred", "basic", "account"))
_NUMBERED_SO = frozenset(
    ("device", "devices", "visible", "index", "uuids", "ids", "run", "domain", "realm", "tenant", "host")
)


def is_of_login(name: str) -> bool:
    """Whether a user and a password stand together under that name: `ADMIN_LOGIN=bob:X`."""
    return not _OF_LOGINS.isdisjoint(words_of(name))


def is_unnamed(name: str) -> bool:
    """Whether a name tells of no digest, commit, identifier or device."""
    words = words_of(name)
    return known().digests.isdisjoint(words) and _NUMBERED_SO.isdisjoint(words)


def is_code(name: str) -> bool:
    """Whether a number of that name lets somebody in: `DOOR_PIN`."""
    words = words_of(name)
    if words[-1:] == ("code",):
        return not _LET_IN.isdisjoint(words)
    return len(words) > 0 and words[-1] in ("pin", "puk", "otp", "totp", "passcode", "mfa")


def is_unnamed_number(name: str, value: str) -> bool:
    """Whether a value is a long hexadecimal number and its name tells of no digest, commit or identifier."""
    return _HEX().fullmatch(value) is not None and known().digests.isdisjoint(words_of(name))


def spans(text: str) -> Iterator[Span]:
    """Where long hexadecimal numbers are assigned to what names no digest, commit or identifier, and keys in bytes."""
    if text.count(",") >= min(_LENGTHS_OF_KEYS) - 1 and "[" in text:
        for match in _BYTES().finditer(text):
            numbers = [int(number) for number in match[1].split(",")]
            if len(numbers) in _LENGTHS_OF_KEYS and max(numbers) < 256:
                yield match.span(1)
    if _FOUR_HEX().search(text[_EACH - 1 :: _EACH]) is None or _LONG_HEX().search(text) is None:
        return  # as nearly all lines: each long number shows four of its digits here
    for match in _ASSIGNED_HEX().finditer(text):
        if match[1] is None:
            yield match.span(3)
        elif is_unnamed_number(match[1], match[2]):
            yield match.span(2)
