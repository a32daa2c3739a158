"""Words of an argument list that let somebody in: `-u bob -p X`, `--auth bob:X`, `--otp 493021`, `DOM/bob:X@host`."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from string import ascii_letters

from inspector.stream.lazy_pattern import lazy

from .chosen import could_be_chosen, looks_chosen, looks_drawn
from .known import known
from .unknown import is_of_field

_Judge = Callable[[str], bool]
_LONG_OPTION = 4
"""Characters from which on a value is not joined to an option without `=`."""
_USERS = ("-u", "-U", "--user", "--username", "--login", "--credentials", "--proxy-user", "--license", "--licence")
"""Behind these stands `user:password`, or what lets somebody in; the shape decides."""
_JOINED_USER = lazy(r"(?:--(?:user|username|login|credentials|proxy-user|licen[cs]e)=|/[pP]:)(?:[^:/]{1,64}:)?(.+)")
_NAMES_USER = lazy(r"-[A-Za-z]?[uU]|/r?u(?:ser)?|-l|--(?:user|username|login|credentials|proxy-user)")
_USERS_JOINED = ("--user=", "--username=", "--login=", "/u:")
_USER = lazy(r"(?!-)[\w@.\\-]{1,64}(?<!\.py)")
_OF_A_LOGIN = lazy(
    r"--?[\w-]{0,40}(?:auth|user|login)|--?(?:[\w-]{0,40}[-_])?(?:wifi|wlan|ssid|user|username|login|account|auth|"
    r"basic|proxy|ftp|smtp|imap|mqtt|ldap|sasl|vpn|ppp|eap|radius|admin|root|sudo|db)"
)
"""Options behind which a user and a password may stand as one word."""
_LOGS_IN = lazy(
    r"--?(?:[\w-]{0,40}[-_])?(?:\w{0,12}auth|login|creds?|credentials?|basic|userpass|(?:proxy|ftp|http|smtp|api)-?user)",
    re.IGNORECASE,
)
"""Options behind which nothing else does."""
USER_AND_WORD = lazy(r"[\w.@\\-]{1,64}:(?!//|\d{1,5}\b)([^\s:/]\S{2,255})")
_AT_HOST = lazy(r"[\w.\\-]{1,64}/[\w.$-]{1,64}:([^\s@/]{1,256})@(?!sha\d)[\w.-]+")
"""`DOMAIN/user:X@host`; an image has a digest there."""
_PAIR = lazy(r"(?!https?:)[^,:%;\s]{1,64}(?:[,:%;]|::)([^,/\s]{6,256})")
"""`user:X`, `ssid,X`, `user%X`."""
_SLASHED = lazy(r"(?:[a-z]\w{0,30}/){1,2}([^/]{10,256})")
"""`user/X`, `oracle/user/X`; paths look so as well, hence only what is drawn by lot."""
_OF_PAIRS = ("-a", "-u", "-U", "-l")
_TWO_WORDS = lazy(r"[A-Za-z][\w.@-]{1,63}:(?!//)([A-Za-z][^\s:/]{3,255})")
"""`-a user:X`."""
_THREE_KINDS = lazy(r"(?=[A-Za-z]*\d)(?=[A-Z\d]*[a-z])(?=[a-z\d]*[A-Z])[A-Za-z0-9]{6,64}")
_CODE_ASKED = lazy(r"--?(?:[\w-]{0,40}[-_])?(?:otp|totp|pin|puk|mfa|2fa|passcode|\w{2,16}[-_]?code)(?:-code)?")
_CODE = lazy(r"\d{4,12}")
_NO_CODE = lazy(
    r"(?:error|exit|status|return|country|lang\w*|zip|postal|area|op|by?te|qr|bar|color|source|unit)[-_]?code"
)
_ASKS_COMMAND = lazy(r"--?[\w-]*(?:pass|secret|token|cred|key)[\w-]*")
_ECHOES = lazy(r"(?:/\w+)*(?:echo|printf)\s+(?:-n\s+)?[\"']?(.+?)[\"']?")
SHORT_OPTIONS = ("-p", "-P", "-w", "-W", "-pw")
BEFORE_PASSWORDS = frozenset(
    (*SHORT_OPTIONS, "/p", "/rp", "/pw", *(f"-{first}{last}" for first in ascii_letters for last in "pPwW"))
)
"""Behind these a password stands as a word of its own, if it looks like one."""
_BESIDE_USER = lazy(r"-[A-Za-z]?[uU]|/r?u")
_BARE_WORD = lazy(r"[a-z]{4,64}")


def names_a_user(words: Sequence[str]) -> bool:
    """Whether somebody logs in: then `-p` is a password. Python's -u is none of a user."""
    return any(
        option[:1] in "-/" and _NAMES_USER().fullmatch(option) is not None and _USER().fullmatch(user) is not None
        for option, user in pairwise(words)
    ) or any(word.startswith(_USERS_JOINED) for word in words)


def is_beside_user(words: Sequence[str], index: int) -> bool:
    """Whether a word of letters is what `-p` is given directly beside `-u bob`; for Slurm that is a partition."""
    if _BARE_WORD().fullmatch(words[index]) is None or words[index - 1][-1:] not in "pP":
        return False
    program = words[0].rpartition("/")[2]
    if program in known().partitions or words[index] in known().processes:
        return False
    before, behind = words[max(0, index - 3) : index - 1], words[index + 1 : index + 3]
    return any(
        len(beside) == 2 and _BESIDE_USER().fullmatch(beside[0]) and _USER().fullmatch(beside[1])
        for beside in (before, behind)
    )


def is_code(before: str, word: str) -> bool:
    """Whether a number is the code that an option asks for."""
    return (
        before[:1] == "-"
        and _CODE().fullmatch(word) is not None
        and _CODE_ASKED().fullmatch(before) is not None
        and _NO_CODE().search(before) is None
    )


def begin_of_joined(word: str, is_password: _Judge) -> int:
    """Where the password begins that is joined to a short option; -1 for none."""
    if word[:2] not in SHORT_OPTIONS or len(word) < _LONG_OPTION or word[2:5] == "ass":
        return -1
    begin = 2 + (word[2] == "=")
    return begin if is_password(word[begin:]) or _THREE_KINDS().fullmatch(word, begin) is not None else -1


def begin_of_login(before: str, word: str, is_password: _Judge) -> int:
    """Where the password begins in a word that holds a user and a password; -1 for none."""
    if before[:1] == "-" and (begin := _begin_behind(before, word)) >= 0:
        return begin
    if before in _OF_PAIRS and (told := _TWO_WORDS().fullmatch(word)) is not None and not is_of_field(told[1]):
        return told.start(1)
    if before in _USERS:
        pair = _PAIR().fullmatch(word)
        if pair is not None and could_be_chosen(pair[1]):
            return pair.start(1)
        return word.rfind(":") + 1 if looks_chosen(word.rpartition(":")[2]) else -1
    if before in SHORT_OPTIONS and ":" in word:
        user, _, password = word.rpartition(":")
        return len(user) + 1 if _USER().fullmatch(user) is not None and could_be_chosen(password) else -1
    if ":" not in word and "/" not in word and "," not in word and "=" not in word and "%" not in word:
        return -1
    if before[:1] == "-" and (pair := _PAIR().fullmatch(word)) is not None and _OF_A_LOGIN().fullmatch(before):
        return pair.start(1) if could_be_chosen(pair[1]) else -1
    if (joined := _JOINED_USER().fullmatch(word)) is not None:
        return joined.start(1) if is_password(joined[1]) else -1
    if "/" not in word:
        return -1
    if "@" in word and (at_host := _AT_HOST().fullmatch(word)) is not None:
        return at_host.start(1)
    slashed = _SLASHED().fullmatch(word)
    return slashed.start(1) if slashed is not None and looks_drawn(slashed[1]) else -1


def _begin_behind(option: str, word: str) -> int:
    """Where a secret begins that the name of an option makes one, whatever it looks like; -1 for none."""
    if ":" in word and _LOGS_IN().fullmatch(option) is not None:
        pair = USER_AND_WORD().fullmatch(word)
        return pair.start(1) if pair is not None else -1
    if " " in word and (said := _ECHOES().fullmatch(word)) is not None and _ASKS_COMMAND().fullmatch(option):
        return said.start(1)
    return -1
