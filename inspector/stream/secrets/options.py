"""Options by which well-known programs take a password, as their manual pages say; and how options look otherwise."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from string import ascii_letters

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen, looks_drawn
from .found import holds_any
from .known import known
from .naming import is_unnamed_number
from .opaque import UUID

_Judge = Callable[[str], bool]
_LONG_OPTION = 4
"""Characters from which on a value is not joined to an option without `=`."""

_NAME = (
    r"(?![\w.-]{0,40}?(?:bos|eos|eot|pad|unk|sep|cls|mask|image|stop|sort|group|order|label|text|prompt|column|recv)[-_](?:key|token)\b)"
    r"(?:[\w.-]*[-_.:])?"
    r"(?:\w{0,20}(?:password|passwd|passphrase|secret|credentials?|api_?key|api-key|apikey|authkey|authtoken|apitoken|"
    r"accesskey|secretkey|storepass|keypass|requirepass|masterauth)\w{0,8}|pass|pwd|pw|key|token|auth|authorization|"
    r"passwort|kennwort|senha|contrase(?:n|ñ)a|mot-?de-?passe|geheim\w{0,8}|parole|parola|wachtwoord|salasana|lösenord|"
    r"mnemonic|(?:\w{1,20}[-_])?seed[-_]phrase|signing[-_]seed|"
    r"cookie|\w{1,20}Token|\w{1,20}Key|pat|psk|pin|otp|bearer|jwt|creds|webdav-pass|(?<=sonar\.)login)"
)
_PARTS_OF_NAMES = (
    "pass", "secret", "cred", "key", "auth", "token", "pwd", "pw", "cookie", "pat", "psk", "pin", "otp", "bearer",
    "jwt", "login", "kennwort", "senha", "contrase", "geheim", "parol", "wachtwoord", "salasana", "senord",
    "mnemonic", "seed",
)  # fmt: skip
"""One of these is in each name: most arguments have none, and need no expression."""
OPTION = lazy(rf"--?{_NAME}$", re.IGNORECASE)
"""An option whose value is the next argument: `--token`, `--hf-token`, `-api_key`."""
ASSIGNED = lazy(rf"((?:--?|-D|\+|/)?{_NAME}[=:])(.+)", re.IGNORECASE | re.DOTALL)
"""`password=X`, `--token=X`, `-Ddb.password=X`."""
OPTION_ASSIGNED = lazy(rf"(?:^|[\s'\"])--?{_NAME}=[\"']?([^\s\"'&;|<>]+)", re.IGNORECASE)
"""`--api-key=X` inside a text."""
SPACED = lazy(
    rf"(?:^|[\s'\"])--?{_NAME}\s{{1,9}}(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'&;|<>-][^\s\"'&;|<>]*))", re.IGNORECASE
)
"""`--token X` inside one argument, as in `sh -c "..."`."""
_SHORT = lazy(r"(?:^|(?<=[\s'\"]))-(?:pw|[pPwW])(?!ass)(?:\s{1,9}|=)?[\"']?([^\s\"']{6,256})")
"""`-p X`, `-pX`: the password's option in many programs, another thing in more of them; the value's shape decides."""
_LETS_IN = ("login", "auth", "authenticate")
_USERS = ("-u", "-U", "--user", "--username", "--login", "--credentials", "--proxy-user", "--license", "--licence")
"""Behind these stands `user:password`, or what lets somebody in; the shape decides."""
_JOINED_USER = lazy(r"(?:--(?:user|username|login|credentials|proxy-user|licen[cs]e)=|/[pP]:)(?:[^:/]{1,64}:)?(.+)")
_NAMES_USER = lazy(r"-[A-Za-z]?[uU]|/r?u(?:ser)?|-l|--(?:user|username|login|credentials|proxy-user)")
_USERS_JOINED = ("--user=", "--username=", "--login=", "/u:")
_USER = lazy(r"(?!-)[\w@.\\-]{1,64}(?<!\.py)")
_OF_A_LOGIN = lazy(
    r"--?[\w-]{0,40}(?:auth|user|login)|--?(?:[\w-]{0,40}[-_])?(?:wifi|wlan|ssid|user|username|login|account|auth|basic|proxy|ftp|smtp|imap|mqtt|ldap|sasl|"
    r"vpn|ppp|eap|radius|admin|root|sudo|db)"
)
"""Options behind which a user and a password may stand as one word."""
_PAIR = lazy(r"(?!https?:)[^,:%;\s]{1,64}(?:[,:%;]|::)([^,/\s]{6,256})")
"""`user:X`, `ssid,X`, `user%X`."""
_SLASHED = lazy(r"(?:[a-z]\w{0,30}/){1,2}([^/]{10,256})")
"""`user/X`, `oracle/user/X`; paths look so as well, hence only what is drawn by lot."""
_THREE_KINDS = lazy(r"(?=[A-Za-z]*\d)(?=[A-Z\d]*[a-z])(?=[a-z\d]*[A-Z])[A-Za-z0-9]{6,64}")
_TELLS = lazy(
    r"(?:[\w.-]{0,40}[-_.])?(?:\w{0,20}passw(?:or)?d|passphrase|secret|credential|token|key|\w{0,20}auth|"
    r"(?:api|auth|pass|access|private)-?key|pass|pw|psk|pin|passcode|cred)s?|unlock|unseal|login|(?:en|de)crypt|(?:http-)?(?:basic|digest)(?:\.\w+)?|addauth",
    re.IGNORECASE,
)
_TELLS_SURELY = lazy(
    r"passw|passphrase|\w[-_]secret|cred|user|unlock|unseal|login|crypt|basic|digest|pass|pw|psk|passcode|addauth|authkey|apikey|"
    r"\w[-_](?:key|token)s?$",
    re.IGNORECASE,
)
_ADDS_USER = lazy(r"(?:add|create|new|set)[-_]user|user[-_](?:add|mod)", re.IGNORECASE)
_LONG_NUMBER = lazy(r"[0-9a-f]{24,128}")
_MIXED = lazy(r"(?=[a-z\d]*[A-Z])(?=[A-Z\d]*[a-z])[A-Za-z0-9]{4,64}")
"""A password of letters of both sizes, where somebody logs in."""
_KEY_NUMBER = lazy(r"[0-9a-f]{32,128}")
_WORDS_TOLD, _WORDS_BEHIND_OPTION = 4, 2
_SHORT_OPTIONS = ("-p", "-P", "-w", "-W", "-pw")
_BEFORE_PASSWORDS = frozenset(
    (
        *_SHORT_OPTIONS,
        "/p",
        "/rp",
        "/pw",
        *(f"-{first}{last}" for first in ascii_letters for last in "pPwW"),
    )
)
"""Behind these a password stands as a word of its own, if it looks like one."""
_BEFORE_KEYS = frozenset(f"-{which}" for which in "kKsSaAxXtTH")
"""Behind these as well, but more often a size, a place or a time."""
_LISTED = lazy(rf"[\"']--?{_NAME}\\?[\"'],\s?\\?[\"']([^\"'\\]+)", re.IGNORECASE)
"""`"--token", "X"`: an argument list that is told as one."""
_HARMLESS = lazy(
    r"|[+-]?\d{1,6}(?:\.\d*)?|true|false|yes|no|on|off|none|null|auto|/[^\s:@]*|<[^<>\s]{1,40}>|\(hidden\)",
    re.IGNORECASE,
)
"""Values that are no secrets: switches, numbers, paths of files, a tokenizer's `<s>`."""
_PARTS_OF_TELLING = (*_PARTS_OF_NAMES, "user", "lock", "seal", "crypt", "basic", "digest")
_BEGINNINGS = (
    " -", "\"-", "'-", "\t-", "authtoken ", "login ", "password ", "/p:", "psk ", "key s:", "sqlplus ", "impdp ",
    "expdp ", "wpa_passphrase ",
)  # fmt: skip
"""An option, or what stands in command lines that give a password away without one."""
_ODD_DASH = lazy(r"[^\S \t]-")
_WORDS = lazy(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|[;|&\n()]+|[^\s'\";|&()]+")


def may_name_secret(word: str) -> bool:
    """Whether an argument may be OPTION or ASSIGNED: asked first, for it costs less."""
    return holds_any(word.casefold(), _PARTS_OF_NAMES)


def is_harmless(value: str) -> bool:
    """Whether the value of an option or variable with a secret-looking name is none."""
    return _HARMLESS().fullmatch(value) is not None


def secret_parts(program: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each word of a program's arguments that is or holds a password, and where in it the secret begins."""
    for known_as in known().programs.get(program, ()):
        needed = known_as.only_with.split()
        if not needed or not set(needed).isdisjoint(words):
            yield from _behind_options(known_as.options.split(), words)
            last = range(max(0, len(words) - known_as.last_words), len(words))
            yield from ((index, 0) for index in last)
            if known_as.login_with_slash:
                for index, word in enumerate(words):
                    if "/" in word[1:] and word[0] not in "-/":
                        yield index, word.index("/") + 1


def chosen_parts(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The same for a program that nobody knows: behind `-p` what has the shape of a password, a UUID behind `login`."""
    named = _names_a_user(words)
    is_password = could_be_chosen if named else looks_chosen
    told = _Told()
    before = ""
    for index, word in enumerate(words):
        if (
            (before in _BEFORE_PASSWORDS and (is_password(word) or (named and _MIXED().fullmatch(word) is not None)))
            or (before in _BEFORE_KEYS and "@" not in word and (looks_chosen(word) or _KEY_NUMBER().fullmatch(word)))
            or (before in _LETS_IN and UUID().fullmatch(word))
            or (before[:2] == "--" and _KEY_NUMBER().fullmatch(word) and is_unnamed_number(before, word))
        ):
            yield index, 0
        elif (
            (begin := _begin_of_joined(word, is_password)) >= 0
            or (begin := told.begin_in(word)) >= 0
            or (begin := _begin_of_login(before, word, is_password)) >= 0
        ):
            yield index, begin
        told.hear(word)
        before = word


def _begin_of_joined(word: str, is_password: _Judge) -> int:
    """Where the password begins that is joined to a short option; -1 for none."""
    if word[:2] not in _SHORT_OPTIONS or len(word) < _LONG_OPTION or word[2:5] == "ass":
        return -1
    begin = 2 + (word[2] == "=")
    return begin if is_password(word[begin:]) or _THREE_KINDS().fullmatch(word, begin) is not None else -1


def _begin_of_login(before: str, word: str, is_password: _Judge) -> int:
    """Where the password begins in a word that holds a user and a password; -1 for none."""
    if before in _USERS:
        pair = _PAIR().fullmatch(word)
        if pair is not None and could_be_chosen(pair[1]):
            return pair.start(1)
        return word.rfind(":") + 1 if looks_chosen(word.rpartition(":")[2]) else -1
    if before in _SHORT_OPTIONS and ":" in word:
        user, _, password = word.rpartition(":")
        return len(user) + 1 if _USER().fullmatch(user) is not None and could_be_chosen(password) else -1
    if ":" not in word and "/" not in word and "," not in word and "=" not in word and "%" not in word:
        return -1
    if before[:1] == "-" and (pair := _PAIR().fullmatch(word)) is not None and _OF_A_LOGIN().fullmatch(before):
        return pair.start(1) if could_be_chosen(pair[1]) else -1
    if (joined := _JOINED_USER().fullmatch(word)) is not None:
        return joined.start(1) if is_password(joined[1]) else -1
    slashed = _SLASHED().fullmatch(word) if "/" in word else None
    return slashed.start(1) if slashed is not None and looks_drawn(slashed[1]) else -1


def _names_a_user(words: Sequence[str]) -> bool:
    """Whether somebody logs in: then `-p` is a password. Python's -u is none of a user."""
    return any(
        option[:1] in "-/" and _NAMES_USER().fullmatch(option) is not None and _USER().fullmatch(user) is not None
        for option, user in pairwise(words)
    ) or any(word.startswith(_USERS_JOINED) for word in words)


class _Told:
    """A bare word that names a secret tells of those behind it: `set-password bob X`, `-n key -v X`, `chpasswd u:X`."""

    def __init__(self) -> None:
        self._left = 0
        """Words of which it still tells."""
        self._surely = False

    def begin_in(self, word: str) -> int:
        """Where the secret begins in the next word; -1 if it is none."""
        if not self._left or (word[:1] == "-" and "=" not in word):
            return -1
        begin = max(word.rfind("="), word.find(":")) + 1
        value = word[begin:]
        surely = self._surely or begin > 0
        is_secret = could_be_chosen(value) if surely else looks_chosen(value) or _LONG_NUMBER().fullmatch(value)
        return begin if is_secret else -1

    def hear(self, word: str) -> None:
        """The next word was this one."""
        self._left = max(0, self._left - 1)
        if (tells := _tells(word)) is not None:
            self._left, self._surely = tells


@lru_cache(4096)
def _tells(word: str) -> tuple[int, bool] | None:
    """Of how many words an argument tells that they may be secret, and whether surely; the same ones come again."""
    if not holds_any(word.casefold(), _PARTS_OF_TELLING):
        return None
    name = word.lstrip("-").rpartition("/")[2]
    if _TELLS().fullmatch(name) is None and _ADDS_USER().fullmatch(name) is None:
        return None
    if word[:1] == "-" and "crypt" not in word:
        return _WORDS_BEHIND_OPTION, False
    return _WORDS_TOLD, _TELLS_SURELY().search(name) is not None


def _behind_options(options: Sequence[str], words: Sequence[str]) -> Iterator[tuple[int, int]]:
    following = ""
    for index, word in enumerate(words):
        if following and word[:1] == "-" and following[0] not in "-/":
            continue  # `login --relogin X`: the options of a command come before what it is given
        if following:
            yield index, _begin_of(word)
        following = word if word in options else ""
        if not following:
            for option in options:
                if word.startswith(option) and len(option) < _LONG_OPTION and option[0] in "-/":
                    yield index, len(option) + _begin_of(word[len(option) :])


def _begin_of(word: str) -> int:
    """Behind the user of `user:password`, `user%password`, `user,password`; `pass:X` and `env:X` are openssl's."""
    for mark in (":", "%", ","):
        if mark in word:
            return word.index(mark) + 1
    return 1 if word[:1] == "=" else 0


_PIPED = lazy(
    r"(?:echo|printf)\s+(?:-n\s+)?(?:'([^']+)'|\"([^\"]+)\"|([^\s|;&\"']+))\s*\|\s*(?:sudo|su|passwd|chpasswd|docker|podman|"
    r"openssl|gpg|gpg2|kinit|cryptsetup|smbpasswd|helm|gh|glab|vault|ssh-add|zip|mysql|runuser|htpasswd|skopeo|oras|npm)\b"
    r"|\bsend(?:line)?\s*(?:\(\s*)?[\"']([^\"']+)(?:\\[rn]|[\"'])"
)
"""A password given to the input of a program, by a pipe or by expect(1)."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords lie in command lines within a text."""
    if text[:1] != "-" and not holds_any(text, _BEGINNINGS) and ("-" not in text or _ODD_DASH().search(text) is None):
        return
    if "|" in text or "send" in text:
        yield from (match.span(match.lastindex or 0) for match in _PIPED().finditer(text))
    for match in OPTION_ASSIGNED().finditer(text) if "=" in text else ():
        if not is_harmless(match[1]):
            yield match.span(1)
    for match in _LISTED().finditer(text) if "'" in text or '"' in text else ():
        if not is_harmless(match[1]):
            yield match.span(1)
    if holds_any(text, _SHORT_OPTIONS):
        yield from (match.span(1) for match in _SHORT().finditer(text) if looks_chosen(match[1]))
    if len(text.split(None, 1)) > 1:
        yield from _in_commands(text)


def _in_commands(text: str) -> Iterator[tuple[int, int]]:
    """Behind options and programs that take a password as one of the next words."""
    for match in SPACED().finditer(text):
        assert match.lastindex is not None
        if not is_harmless(match[match.lastindex]):
            yield match.span(match.lastindex)
    for match in _programs().finditer(text):
        places: list[re.Match[str]] = []
        for word in _WORDS().finditer(text, match.end()):
            if word[0][0] in ";|&\n()" or len(places) > 200:
                break
            places.append(word)
        plain = [_unquoted(word[0]) for word in places]
        for index, begin in secret_parts(match[1], plain):
            start, stop = places[index].span()
            quoted = places[index][0][0] in "'\""
            if not is_harmless(plain[index][begin:]):
                yield start + quoted + begin, stop - quoted


@cache
def _programs() -> re.Pattern[str]:
    """A program that takes passwords, where a command may begin."""
    return re.compile(rf"(?:^|[\s;|&('\"`/])({'|'.join(map(re.escape, known().programs))})\s")


def _unquoted(word: str) -> str:
    return word[1:-1] if word[0] in "'\"" and len(word) > 1 else word
