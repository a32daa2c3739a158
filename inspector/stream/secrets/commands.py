"""What the words of an argument list tell of those behind them: `set-password bob X`, `config set db.password X`."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, is_plainly_chosen, looks_chosen
from .found import Span, holds_any
from .known import known
from .logins import (
    BEFORE_PASSWORDS,
    USER_AND_WORD,
    begin_of_joined,
    begin_of_login,
    is_beside_user,
    is_code,
    names_a_user,
)
from .naming import is_unnamed_number, words_of
from .opaque import UUID
from .options import PARTS_OF_NAMES, is_harmless
from .unknown import is_known, is_of_field

_LETS_IN = ("login", "auth", "authenticate")
_TELLS = lazy(
    r"(?:[\w.-]{0,40}[-_.])?(?:\w{0,20}passw(?:or)?d|passphrase|secret|credential|token|key|\w{0,20}auth|"
    r"(?:api|auth|pass|access|private)-?key|pass|pw|psk|pin|passcode|cred)s?|unlock|unseal|login|(?:en|de)crypt|"
    r"(?:http-)?(?:basic|digest)(?:\.[\w.-]+)?|addauth|\w{1,20}(?:Pass|Password|Secret|Token)",
    re.IGNORECASE,
)
_TELLS_SURELY = lazy(
    r"passw|passphrase|\w[-_]secret|cred|user|unlock|unseal|login|crypt|basic|digest|pass|pw|psk|passcode|addauth|"
    r"authkey|apikey|\w[-_](?:key|token)s?$",
    re.IGNORECASE,
)
_ADDS_USER = lazy(r"(?:add|create|new|set)[-_:]user|users?[-_:](?:add|mod|create|new|register)", re.IGNORECASE)
_GIVES_PASSWORD = lazy(
    r"(?:\w{1,40}[.:])?(?:add|create|new|set|change|reset|update|authenticate|verify|login)[-_](?:user|passw\w{0,8}|pass|pwd)|(?:users?|passw\w{0,8})[-_:](?:add|set|change|create|new|register|passw\w{0,8})"
)
"""A command that is told a user and a password, or (of the `initial` one) the password alone."""
_GIVES_FIRST = lazy(r"(?:set|change|reset)[-_](?:initial|root|admin|master|default)[-_]passw\w{0,8}")
_CERTAIN = frozenset(("password", "passwd", "passphrase", "pass", "pw", "pwd", "secret", "psk"))
_NOT_TOLD = ("test", "no", "get", "create")
_HOLDS_SECRETS = lazy(r"secrets?|keyvault|secretsmanager|securestring|set-password", re.IGNORECASE)
_VALUES = ("--value", "--secret-string", "--secret-value", "--plaintext")
"""Options of commands on a secret behind which it stands."""
_NO_PORT = lazy(r"\d{6,12}")
_EXACT = frozenset(("password", "passphrase", "psk", "wpa-psk"))
"""Words of a command behind which stands what they name."""
_WAITING = frozenset(("token", "auth", "apikey", "api-key", "authtoken", "unlock", "passcode", "licence", "license"))
"""Words of a command behind which a secret may stand, or what is done with it: `token list`."""
_SCHEMES = ("digest", "basic")
_ACCOUNTS = [{what, how} for what in ("user", "users", "account") for how in ("add", "create", "new", "register")]
_USERS = frozenset(("user", "users", "account", "adduser", "useradd", "createuser"))
_USER_AND_PASSWORD = 2
_SETS = frozenset(("set", "put", "store", "update", "change"))
_LONG_NUMBER = lazy(r"[0-9a-f]{24,128}")
_CODE = lazy(r"\d{4,12}")
_MIXED = lazy(r"(?=[a-z\d]*[A-Z])(?=[A-Z\d]*[a-z])[A-Za-z0-9]{4,64}")
"""A password of letters of both sizes, where somebody logs in."""
_KEY_NUMBER = lazy(r"[0-9a-f]{32,128}|[0-9A-F]{32,128}")
_OPTIONS_OF_PASSWORDS = frozenset(("-p", "-P"))
_BARE_WORD = lazy(r"[A-Za-z]{4,32}(?:-[A-Za-z]{2,32}){0,4}\d{0,4}")
_BEFORE_KEYS = frozenset(f"-{which}" for which in "kKsSaAxXtTH")
"""Behind these a password may stand as well, but more often a size, a place or a time."""
_PARTS_OF_TELLING = (*PARTS_OF_NAMES, "user", "lock", "seal", "crypt", "basic", "digest")
_WORDS_TOLD, _WORDS_BEHIND_OPTION = 4, 2
_WORD = lazy(r"'[^']*'|\"[^\"]*\"|[^\s'\";]+")
_LONGEST, _MOST_WORDS = 1024, 64
"""Characters and words of an argument that is a command line of its own; what is longer is a text."""


def chosen_parts(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each word that is or holds a secret, in a program that nobody knows, and where in it that begins."""
    named = names_a_user(words)
    is_password = could_be_chosen if named else looks_chosen
    windows = any(word[:2] in ("/u", "/U") and ":" in word for word in words)
    plain = not known().partitions.isdisjoint(word.rpartition("/")[2] for word in words[:3])
    told = _Told()
    before = ""
    for index, word in enumerate(words):
        if (
            (before in _OPTIONS_OF_PASSWORDS and not plain and _is_no_setting(words, index))
            or (before in BEFORE_PASSWORDS and (is_password(word) or (named and _suits_user(words, index))))
            or (before in _BEFORE_KEYS and "@" not in word and (looks_chosen(word) or _KEY_NUMBER().fullmatch(word)))
            or (before in _LETS_IN and UUID().fullmatch(word))
            or (before[:1] in ("-", "+") and (is_code(before, word) or _is_number_of(before, word)))
            or (index and is_plainly_chosen(word))
            or (word[:1] == ">" and len(word) > 1 and before in ("on", "off", "reset", "~*"))
            or (windows and word[:1] not in "-/" and "\\" not in word and could_be_chosen(word))
            or (before == "-P" and _NO_PORT().fullmatch(word))
        ):
            yield index, 0
        elif (
            (begin := begin_of_joined(word, is_password)) >= 0
            or (begin := told.begin_in(word)) >= 0
            or (begin := begin_of_login(before, word, is_password)) >= 0
        ):
            yield index, begin
        told.hear(word)
        before = word


def may_tell(text: str) -> bool:
    """Whether an argument of several words may hold a secret as an argument list does."""
    return len(text) < _LONGEST and (" -" in text or holds_any(text.casefold(), _PARTS_OF_TELLING))


def parts_within(text: str) -> Iterator[Span]:
    """The same for an argument that is a command line of its own: `-q "addprinc -pw X bob"`."""
    places = [match.span() for match in _WORD().finditer(text)]
    if 1 < len(places) <= _MOST_WORDS:
        words = [text[begin:end].strip("\"'") for begin, end in places]
        for index, begin in chosen_parts(["", *words]):
            start, end = places[index - 1]
            quoted = text[start] in "\"'"
            yield start + quoted + begin, end - quoted


def _suits_user(words: Sequence[str], index: int) -> bool:
    return _MIXED().fullmatch(words[index]) is not None or is_beside_user(words, index)


def _is_no_setting(words: Sequence[str], index: int) -> bool:
    """Whether a bare word behind `-p` of an unknown program is no word of messages and no name of this field."""
    word = words[index]
    return _BARE_WORD().fullmatch(word) is not None and not is_of_field(word)


def _is_number_of(option: str, word: str) -> bool:
    """Whether a long number stands behind an option that names no digest."""
    return (
        (option[0] == "+" or option[:2] == "--")
        and _KEY_NUMBER().fullmatch(word) is not None
        and is_unnamed_number(option, word)
    )


class _Told:
    """What the words so far tell of the next one."""

    def __init__(self) -> None:
        self._left = 0
        """Words of which a name of secrets still tells."""
        self._surely = False
        self._certain_in = 0
        """After so many words that are no options comes a secret, whatever it looks like; 0 for none."""
        self._waits = 0
        """So many words may be between a command that is told a secret and the secret, all of them known ones."""
        self._only_next = False
        """What is certain stands behind the value of an option: `--secret db_pass --device X` tells of none."""
        self._on_secrets = False
        """A command on a secret, whose value stands behind `--value`."""
        self._value = False
        self._before = ""
        self._sets = False
        """The word before was `set` or the like."""
        self._user = 0
        """Behind `user` the first word is its name, the second may be its password: `net user bob X`."""

    def begin_in(self, word: str) -> int:
        """Where the secret begins in the next word; -1 if it is none."""
        if self._value:
            return -1 if is_harmless(word) else 0
        if word[:1] == "-" and "=" not in word:
            return -1
        if (
            self._certain_in == 1
            and not is_harmless(word)
            and word[:1] != "$"
            and word.rstrip("?!.,:;") not in known().telling
        ):
            return 0
        if self._waits and not is_known(word):
            return 0
        if self._user == 1 and word[:1] not in "/$" and could_be_chosen(word):
            return 0
        if self._before in _SCHEMES and (pair := USER_AND_WORD().fullmatch(word)) is not None:
            return pair.start(1)
        if not self._left:
            return -1
        begin = max(word.rfind("="), word.find(":")) + 1
        value = word[begin:]
        surely = self._surely or begin > 0
        is_secret = could_be_chosen(value) if surely else looks_chosen(value) or _LONG_NUMBER().fullmatch(value)
        return begin if is_secret else -1

    def hear(self, word: str) -> None:
        """The next word was this one."""
        self._left = max(0, self._left - 1)
        self._value = self._on_secrets and word in _VALUES
        if word[:1] == "-" and self._only_next:
            self._certain_in = 0
        if word[:1] != "-" and not (self._certain_in == 1 and (word.isdigit() or word in _SETS)):
            self._certain_in = max(0, self._certain_in - 1)
        self._user = (
            _USER_AND_PASSWORD if word in _USERS else self._user - 1 if self._user and not is_known(word) else 0
        )
        if word in _EXACT and self._before[:1] != "-":
            self._certain_in = 1
        if {word, self._before} in _ACCOUNTS:
            self._left, self._surely = 2, True
        behind_option, self._before = self._before[:2] == "--" and "=" not in self._before, word
        self._waits = 0 if not is_known(word) else max(0, self._waits - 1)
        if word in _WAITING and not behind_option:
            self._waits = _WORDS_TOLD
        sets, self._sets = self._sets, word in _SETS
        if (tells := _tells(word)) is not None:
            self._left, self._surely, certain, on_secrets = tells
            self._surely |= sets
            self._certain_in = certain or self._certain_in
            self._waits = _WORDS_TOLD if certain == 1 and not behind_option else self._waits
            self._only_next = behind_option and certain == 1
            self._on_secrets |= on_secrets


@lru_cache(4096)
def _tells(word: str) -> tuple[int, bool, int, bool] | None:
    """Of how many words an argument tells that they may be secret, whether surely, and which is one for certain."""
    if not holds_any(word.casefold(), _PARTS_OF_TELLING):
        return None
    name = word.lstrip("-+").rpartition("/")[2]
    if name.startswith("test_"):
        return None
    on_secrets = _HOLDS_SECRETS().fullmatch(name) is not None
    gives = _GIVES_PASSWORD().fullmatch(name) is not None
    if _TELLS().fullmatch(name) is None and _ADDS_USER().fullmatch(name) is None and not gives:
        return (0, False, 0, on_secrets) if on_secrets else None
    if word[:1] == "-" and "crypt" not in word:
        return _WORDS_BEHIND_OPTION, False, 0, on_secrets
    return _WORDS_TOLD, _TELLS_SURELY().search(name) is not None, _certain_behind(word, name, gives), on_secrets


def _certain_behind(word: str, name: str, gives: bool) -> int:
    """Which word behind a name of secrets is one, whatever it looks like; 0 for none."""
    if word == "+login" or (gives and "/" not in word):
        return 2
    if _GIVES_FIRST().fullmatch(name) is not None:
        return 1
    words = words_of(name)
    return int(
        len(words) > 1 and words[-1] in _CERTAIN and words[0] not in ("test", "no", "get", "create") and "/" not in word
    )
