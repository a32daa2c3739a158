"""Lines about who is let in, and by what: there a word that messages do not have is not shown.

`denied for bob/X`, `got shared word "X"`, `handshake code is X`. `unknown` does the same where a line names a password.
"""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .assigned import OF_OBJECT
from .found import Span, holds_any, one_of
from .known import NAMES
from .plain import begin_of_secret, is_plain
from .unknown import BARE, CODE, QUOTED, is_named, is_said

_LETS_IN = (
    "login", "logon", "log in", "logged in", "logging in", "sign in", "signed in", "authen", "auth ", "auth:", "auth(",
    "authori", "credential", "denied for", "unlock", "unseal", "enrol", "kinit", " psk", " ssid", "wifi", "wi-fi",
    "ldap", "vnc:", " vnc ", "rcon", "passcode", "admin ", "admin/", "handshake", "wallet", "pairing",
    "paired", "oauth", "sshd", "crypted with", "connecting as", "sasl", "(pin", "changed it to", " mfa", " 2fa",
    "one-time", "magic link", " typed ", "keypad", "disarm", "passkey", "two-factor", "keyboard-interactive", "preauth",
    "incorrect", "rejected", "denied", "identity ", "snmp", "kerberos", "autherr",
)  # fmt: skip
"""One of these is in a line about somebody who wants in."""
_NAMES = (
    "code ", "key ", "ticket ", "word ", "phrase ", "secret ", "invitation ", "invite ", "gate ", "answer ", "proof ",
    "claim ", "spell ", "token ", "guard ", "cookie ",
)  # fmt: skip
"""Names of what lets somebody in, and of other things: only what stands directly behind them is looked at."""
TRIGGERS = (*(name.lstrip() for name in _LETS_IN), *(name for name in _NAMES if not holds_any(name, NAMES)))
"""One of these is in each such line, or one of `known.NAMES`; none begins with a space, the commonest letter."""
_BEHIND_NAMES = one_of(_NAMES)
_DIRECTLY = lazy(
    r"((?:number )?(?:(?:is|was|of|for \S{1,64} is) )?(?:[:=] ?)?[\"'`(]?)"
    r"([^\W_][^\s\"'`(){}\[\]<>,;=]{3,64})(?=([\"'`)\].,;!?]{0,3})(?:\s|$))"
)
_CALL = lazy(r"(?:auth|log_?[io]n|sign_?in|authenticate|connect|unlock|unseal)\w{0,12}\(([^()\n]{4,256})\)")
_GIVEN = lazy(r"[^\s,\"']{4,64}")
_BY = (" using", " as", " with", " by")
"""A word in quotes behind one of these is more often what somebody logs in by than who it is."""
_NEAR = 24
_PREFIX = lazy(r"(?:[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d|\S{1,40}T\d\d:\d\d:\d\d\S{0,16}) \S+ ")
"""When and on which host, as syslog begins its lines."""
_OF_PROGRAM = lazy(r"_?[a-z\d]+(?:_[a-z\d]+){2,16}|[A-Za-z]+(?:[A-Z][a-z]+){2,8}")
"""Names of functions and classes; a password of several words has no such joints in a message."""


def spans(text: str, small: str) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case."""
    if holds_any(small, _LETS_IN):
        prefix = _PREFIX().match(text)
        quoted = QUOTED()
        patterns = (quoted,) if CODE().search(text) is not None else (quoted, BARE())
        for pattern in patterns:
            for match in pattern.finditer(text, prefix.end() if prefix is not None else 0):
                if not _is_name(text, match, pattern is quoted):
                    yield from _unless_plain(text, match.start(1), match[1])
        for call in _CALL().finditer(small) if "(" in small else ():
            for given in _GIVEN().finditer(text, *call.span(1)):
                yield from _unless_plain(text, given.start(), given[0])


def behind_names(text: str, small: str) -> Iterator[Span]:
    """What stands directly behind a name of what lets somebody in."""
    if _BEHIND_NAMES().search(small) is not None:
        for name in _BEHIND_NAMES().finditer(small):
            if not small[name.start() - 1 : name.start()].isalnum() or name.start() == 0:
                yield from _directly_behind(text, small, name.end())


def _directly_behind(text: str, small: str, at: int) -> Iterator[Span]:
    match = _DIRECTLY().match(small, at)
    if match is None or match[2][-1] == ":" or OF_OBJECT().match(text, match.end(2)) is not None:
        return  # `secret "X" not found`
    goes_on = not match[1] and not match[3] and match.end() < len(text)
    if not goes_on or not match[2].isalpha():  # else `the secret sauce is batching`
        yield from _unless_plain(text, match.start(2), text[match.start(2) : match.end(2)])


def _is_name(text: str, match: re.Match[str], is_quoted: bool) -> bool:
    """Whether a word is a program's at the beginning (`sshd: …`), or somebody's or something's."""
    begin, end = match.span(1)
    if begin_of_secret(match[1]):
        return False
    if not is_quoted and ((begin == 0 and match[1].isalpha()) or text[end : end + 1] == ":" or text[end - 1] == ":"):
        return True
    before = text[max(0, begin - _NEAR) : begin].rstrip(" \"'`([")
    return is_named(text, begin) and not (is_quoted and before.endswith(_BY))


def _unless_plain(text: str, begin: int, word: str) -> Iterator[Span]:
    word = word.rstrip(".,:;!?")
    if not is_plain(word) and _OF_PROGRAM().fullmatch(word) is None:
        start = begin_of_secret(word)
        if not is_said(word[start:]):
            yield begin + start, begin + len(word)
