"""Parts of paths that say that they are secret: `/run/token=X/a`, `/mnt/user:X@host`, `/cache/api_key-X.json`."""

from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from . import assigned, denied, unknown
from .chosen import could_be_chosen, looks_drawn
from .found import Span, holds_any
from .opaque import is_opaque
from .plain import is_plain

_PART_OF_PATH = lazy(r"[^/\\\s]{8,}")
_LOGIN_IN_PATH = lazy(r"(?<![\w.+-])[\w.+-]{1,64}:([^\s:@/]{4,256})@")
_USER_AND_PERCENT = lazy(r"[A-Za-z][\w.-]{1,63}%(?![0-9A-Fa-f]{2})([^%\s]{4,64})")
"""As clients of SMB write them."""
_NAMED_IN_PATH = lazy(
    r"(?i:(passw(?:or)?d|passphrase|passcode|pwd|(?<![A-Za-z])pw)|secret|token|cookie|api_?key|(?<![A-Za-z])pass|(?<![A-Za-z])(?:psk|tok))"
    r"[-_=.:~]([A-Za-z0-9!$&+-]{4,64}?)(?=\.[a-z0-9]{1,5}$|[^A-Za-z0-9!$&+-]|$)"
)
_TELLS_IN_PATH = lazy(
    r"(?<![a-z])(?:login|secrets?|passw(?:or)?d|passphrase|pwd?|pass|api_?key|psk|creds?|credentials?|otp|invite|"
    r"unlock|auth|cookie)(?![a-z])"
)
_PIECE_OF_PATH = lazy(r"[^-_.=:~@\s]{4,64}")
"""What such a word of a part tells of: `login_bob_X.log`."""
_NAMES_IN_PATHS = ("pass", "pwd", "pw", "secret", "token", "tok", "cookie", "apikey", "api_key", "psk")
_ALNUM = lazy(r"[A-Za-z0-9]{10,}")
_SHORT = 5
"""Letters that name something more often than they are a secret."""


def spans(text: str) -> Iterator[Span]:
    """Where they lie."""
    for part in _PART_OF_PATH().finditer(text):
        begin, small = part.start(), part[0].lower()
        if "=" in small or ":" in small:
            if "=" in small:
                yield from ((begin + first, begin + last) for first, last in denied.spans(part[0]))
            yield from (
                (begin + first, begin + last) for first, last in assigned.spans(part[0], small, named=True, abroad=True)
            )
        if "@" in small and (login := _LOGIN_IN_PATH().search(part[0])) is not None and not unknown.is_known(login[1]):
            yield begin + login.start(1), begin + login.end(1)
        if "%" in small and (login := _USER_AND_PERCENT().fullmatch(part[0])) and not unknown.is_known(login[1]):
            yield begin + login.start(1), begin + login.end(1)
        for word in _TELLS_IN_PATH().finditer(small):
            for piece in _PIECE_OF_PATH().finditer(text, begin + word.end(), part.end()):
                if (len(piece[0]) > _SHORT or not piece[0].isalpha()) and not is_plain(piece[0]):
                    yield piece.span()
        for told in _NAMED_IN_PATH().finditer(part[0]) if holds_any(small, _NAMES_IN_PATHS) else ():
            if not unknown.is_known(told[2]) and (told[1] or could_be_chosen(told[2])):
                yield begin + told.start(2), begin + told.end(2)
        if holds_any(small, ("key", "token", "secret", "passw", "cred", "sess")):
            for piece in _ALNUM().finditer(text, *part.span()):
                if looks_drawn(piece[0]) or is_opaque(piece[0]):
                    yield piece.span()
