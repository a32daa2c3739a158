"""Words that no message has, in a sentence that tells of a password: there, what is not known is not shown.

Everywhere else what looks harmless is shown; here the reverse. Messages of programs are made of some thousand words
(`vocabulary.txt`: those that at least five packages have in common), so a word, alone or in quotes, that is none of
them, no path, no host, no number and no name of somebody (`for bob`) is taken to be the password.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from inspector.stream.lazy_pattern import lazy

from .found import Span, ends, holds_any
from .known import known
from .language_words import language_words

_TELL = (
    "password", "passwd", "passphrase", "passcode", "pass phrase", "credential", "rootpw",
    "bindpw", "masterauth", "requirepass", "psk", "pwd ", "pw ",
)  # fmt: skip
"""Names of what a person types; tokens and keys are mostly known by how they look."""
_PAIRED = ("user-pass", "userpass", "user/pass", "userpwd")
_PASS = (" pass ",)
_LOGS_IN = ("user", "login", "logon", "auth]", "auth:", "account", "attempt", "tried", "sshd", "brute")
TRIGGERS = (*_TELL, *_PAIRED, *_PASS)
"""One of these is in each text that tells of a password."""
_NEAR = 160
"""Characters before and behind such a name in which its password may stand."""
QUOTED = lazy(r"(?<![\w=:\\%])[\"'`]([^\s\"'`\\]{4,64})[\"'`](?!\s?(?:[:=]|=>)|[\w(])")
BARE = lazy(r"(?:(?<=\s)|^)[(\[]?([^\s\"'`(){}\[\]<>,;=]{4,64})(?=[\"')\]]?[.,;:!?]{0,3}(?:\s|$))")
CODE = lazy(
    r"\w\((?![^()\n]{0,40}\)(?:\[\d{1,7}\])?:\s)|[;{]\s*$|\s[:!=]?=\s"
    r"|^\s*(?:def|class|if|for|return|import|from|let|const|var|func|fn) "
)
"""A line of a program: its bare words are names, only what it quotes is text."""
_HARMLESS = lazy(
    r"[^A-Za-z]*|.*[/\\@=%${}<>|*].*|.*\w[:].*|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,6}|(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*"
    r"|[A-Z]{2,6}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|--?[A-Za-z][\w-]*|(?:sha|md|aes|des|rc|argon|pbkdf|blake|ed)-?\d{1,5}\w{0,2}(?:-\w{1,8})*|\w*\[.*|v?\d{1,6}(?:[._]\d+)*[a-z]{0,3}"
)
"""Numbers, paths, addresses, settings, hosts, modules, variables, options, algorithms."""
_JOINED = lazy(r"[\s,;:/_+-]+")
_PIECE = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAMED_BEFORE = lazy(
    r"\b(?:user(?:name)?s?|for|of|account|role|login|on|at|by|in|into|via|host|server|database|db|service|client|peer|"
    r"realm|group|domain|file|module|plugin|option|column|field|key|variable|parameter|property|table|command|"
    r"unit|container|pod|secret|volume|interface|device|network|ssid|named|called|namespace|policy|method|type|as|using)"
    r"[\s:]\s?[\"'(]*$",
    re.IGNORECASE,
)
"""What is called so is somebody or something, no password."""
_COPULA = lazy(r"\b(?:is|was|be|to|ist|lautet|with)\s+[\"'(]*$", re.IGNORECASE)
_LONGEST_BEFORE = 24
_MOST_OF_SHORT, _SHORT_PIECE = 3, 2.5
"""Pieces of a word that are too many for so short ones: `AbCdEfGh`."""


_BEGINS = ("un", "re", "non", "pre", "mis", "dis", "in", "auto", "sub", "multi")
_ENDS = ("s", "es", "ed", "d", "ing", "ly", "er", "able")
"""What words of messages begin and end with."""


_FILE = Path(__file__).with_name("vocabulary.txt").read_bytes()
"""Read at the start: later it may be out of reach (another user, another root), as files of Python's library may be."""


@cache
def _vocabulary() -> frozenset[str]:
    """Taken apart when it is first needed, for few texts tell of a password; by the codec that Python always has."""
    return frozenset(_FILE.decode().split())


def spans(text: str, small: str) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case."""
    names = _TELL if holds_any(small, _TELL) else _of_login(small)
    if not names:
        return
    patterns = (QUOTED(),) if CODE().search(text) is not None else (QUOTED(), BARE())
    for begin, stop in _windows(small, names):
        for pattern in patterns:
            for match in pattern.finditer(text, begin, stop):
                if not is_said(match[1]) and not is_named(text, match.start(1)):
                    yield match.span(1)


def _of_login(small: str) -> tuple[str, ...]:
    """`pass` tells of a password only where somebody logs in: a compiler has other ones."""
    if "user" in small and "pass" in small and holds_any(small, _PAIRED):
        return _PAIRED
    return _PASS if _PASS[0] in small and holds_any(small, _LOGS_IN) else ()


def _windows(small: str, names: tuple[str, ...]) -> Iterator[Span]:
    """What is near the names, each piece once."""
    begin = stop = 0
    for end in sorted(end for name in names if name in small for end in ends(small, name)):
        if end - _NEAR > stop:
            yield begin, stop
            begin = end - _NEAR
        stop = end + _NEAR
    yield begin, stop


def is_said(word: str) -> bool:
    """Whether messages have a word, in any language."""
    return is_known(word) or word.lower().rstrip(".,:;!?") in language_words().messages


def is_named(text: str, begin: int) -> bool:
    """Whether the words before say that it is somebody or something of that name."""
    return _NAMED_BEFORE().search(text, max(0, begin - _LONGEST_BEFORE), begin) is not None


def is_known(word: str) -> bool:
    """Whether a word is one of messages, or by its form no password."""
    word = word.rstrip(".,:;!?")
    if _HARMLESS().fullmatch(word) is not None:
        return True
    if word.isalpha() and holds_any(word.lower(), _TELL):
        return True
    pieces = _PIECE().findall(word)
    if len(pieces) > 2 and any(map(str.isdigit, pieces)):
        return False  # letters and digits mixed, as no word is
    if len(pieces) > _MOST_OF_SHORT and len(pieces) * _SHORT_PIECE >= len(word):
        return False  # so are capitals and small letters
    return all(len(piece) < 4 or piece.isdigit() or is_word(piece.lower()) for piece in pieces)


def is_of_field(value: str) -> bool:
    """Whether each word of a value is one of messages or a name of this field, also with a number: `vulkan`, `phi3`."""
    return all(is_known(word) or _numbered(word) in known().field for word in _JOINED().split(value))


def _numbered(word: str) -> str:
    return word.lower().rstrip("0123456789.")


def is_word(piece: str) -> bool:
    words = _vocabulary()
    if piece in words:
        return True
    begin = next((begin for begin in _BEGINS if piece.startswith(begin)), "")
    stems = (piece, piece[len(begin) :])
    return any(
        stem in words or (stem.endswith(end) and not words.isdisjoint((stem[: -len(end)], stem[: -len(end)] + "e")))
        for stem in stems
        for end in _ENDS
    )
