"""Options by which well-known programs take a password, as their manual pages say; and how options look otherwise."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from inspector.stream.lazy_pattern import lazy

from .chosen import looks_chosen
from .found import holds_any
from .known import known
from .logins import SHORT_OPTIONS
from .naming import words_of
from .unknown import is_of_field

_LONG_NAMES = frozenset(
    ("password", "passwd", "pass", "passphrase", "prompt", "port", "protocol", "profile", "progress")
)
"""Options that some programs write with one dash: no value is joined to a shorter one."""
_LONG_OPTION = 4
"""Characters from which on a value is not joined to an option without `=`."""

_NAME = (
    r"(?![\w.-]{0,40}?(?:bos|eos|eot|pad|unk|sep|cls|mask|image|stop|sort|group|order|label|text|prompt|column|recv)[-_](?:key|token)\b)"
    r"(?:[\w.-]*[-_.:])?"
    r"(?:\w{0,20}(?:password|passwd|passphrase|secret|credentials?|api_?key|api-key|apikey|authkey|authtoken|apitoken|"
    r"accesskey|secretkey|storepass|keypass|requirepass|masterauth)\w{0,8}|pass|pwd|(?!no)\w{0,8}pw|key|token|auth|authorization|salt|pepper|hmac|community|"
    r"(?:invit\w{1,5}|unlock|access|activation|recovery|backup|verification|security|pairing|licen[cs]e)[-_]?code|"
    r"(?:nt|lm|ntlm)[-_]?hash|passwort|kennwort|senha|contrase(?:n|ñ)a|mot-?de-?passe|geheim\w{0,8}|parole|parola|wachtwoord|salasana|lösenord|"
    r"phrase|mnemonic|seed[-_]words?|\w{0,20}passcode|(?:\w{1,20}[-_])?seed[-_]phrase|(?:signing|totp|otp|wallet|master|recovery|hd)[-_]seed|"
    r"cookie|\w{1,20}Token|\w{1,20}Key|pat|psk|pin|otp|bearer|jwt|creds|webdav-pass|(?<=sonar\.)login)"
)
PARTS_OF_NAMES = (
    "pass", "secret", "cred", "key", "auth", "token", "pwd", "pw", "cookie", "pat", "psk", "pin", "otp", "bearer",
    "jwt", "login", "kennwort", "senha", "contrase", "geheim", "parol", "wachtwoord", "salasana", "senord",
    "phrase", "mnemonic", "seed", "salt", "pepper", "nt-hash", "lm-hash", "nt_hash", "lm_hash", "nthash", "lmhash",
    "hmac", "community", "code",
)  # fmt: skip
"""One of these is in each name: most arguments have none, and need no expression."""
OPTION = lazy(rf"(?:--?|\+{{1,2}}){_NAME}$|/(?:password|pass|pwd|pw)$", re.IGNORECASE)
"""An option whose value is the next argument: `--token`, `--hf-token`, `-api_key`."""
_GOES_ON = lazy(
    r"(?:--?|\+{1,2})[\w.-]{0,40}?(?:passw(?:or)?d|passphrase|passcode|secret|credential|\w{2,8}pass)s?[-_.][\w.-]{1,40}$",
    re.IGNORECASE,
)
"""A name of a secret that goes on: what it ends with tells whether it is one still."""
_SWITCHES = frozenset((
    "no", "ask", "gen", "genkey", "generate", "show", "list", "print", "without", "disable", "enable", "skip",
    "allow",
))  # fmt: skip
"""What options begin with that take no secret, only tell of one."""
_NAMES_ONE = frozenset((
    "id", "ids", "arn", "stdin", "fd", "prompt", "command", "cmd", "label", "generator", "box", "hash",
    "encryption", "rotation", "engine",
))  # fmt: skip
"""What a name of a secret goes on with if it tells where or which the secret is."""
_PUBLIC = frozenset(("public", "pub", "pubkey", "publickey"))
MANY = lazy(r"--?[\w-]*(?:keys|tokens|passwords|secrets|user-?pass)")
"""An option with several values, up to the next one."""
ASSIGNED = lazy(rf"((?:--?|-D|\+|/)?{_NAME}(?:=|:(?!:)))(.+)", re.IGNORECASE | re.DOTALL)
"""`password=X`, `--token=X`, `-Ddb.password=X`."""
OPTION_ASSIGNED = lazy(rf"(?:^|[\s'\"])--?{_NAME}=[\"']?([^\s\"'&;|<>]+)", re.IGNORECASE)
"""`--api-key=X` inside a text."""
SPACED = lazy(
    rf"(?:^|[\s'\"])--?{_NAME}\s{{1,9}}(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'&;|<>-][^\s\"'&;|<>]*))", re.IGNORECASE
)
"""`--token X` inside one argument, as in `sh -c "..."`."""
_SHORT = lazy(r"(?:^|(?<=[\s'\"]))-(?:pw|[pPwW])(?!ass)(?:\s{1,9}|=)?[\"']?([^\s\"']{6,256})")
"""`-p X`, `-pX`: the password's option in many programs, another thing in more of them; the value's shape decides."""
_LISTED = lazy(rf"[\"']--?{_NAME}\\?[\"'],\s?\\?[\"']([^\"'\\]+)", re.IGNORECASE)
"""`"--token", "X"`: an argument list that is told as one."""
_HARMLESS = lazy(
    r"|[+-]?\d{1,6}(?:\.\d*)?|\d{1,2}(?:[-,]\d{1,2}){1,16}|true|false|yes|no|on|off|none|null|auto|/[^\s@]*|<[^<>\s]{1,40}>|\(hidden\)",
    re.IGNORECASE,
)
"""Values that are no secrets: switches, numbers, paths of files, a tokenizer's `<s>`."""
_OPTION_OR_FILE = lazy(
    r"-[A-Za-z]?|-[a-z][a-z-]{1,24}|--[a-z][\w-]{0,40}"
    r"|(?:\.{1,2}|~)/[^\s:@]*|(?!\w+://)@?(?:[\w.~-]{1,64}/){0,16}[\w.~-]{1,64}"
    r"\.(?:pem|key|pub|crt|cer|der|p12|pfx|jks|keystore|gpg|asc|age|txt|json|ya?ml|toml|conf|cfg|env|ini|kdbx|pass|secret)"
    r"|(?:env|file|fd|stdin|keyring|prompt):[\w./-]{0,128}"
)
"""The next option, behind one that is a switch here, and files that hold the secret."""
_OF_PROGRAM = lazy(
    r"(?=[^_]{0,64}_)[a-z_]\w{0,64}(?:\.[a-z_0-9]\w{0,64}){1,16}|(?!\w*(?:pass|secret|key))[a-z]+(?:_[a-z]+)+"
)
_NO_PROGRAM = lazy(r"api|auth|access|secret|private|sign|encrypt|master|account|license", re.IGNORECASE)
_BEGINNINGS = (
    " -", "\"-", "'-", "\t-", "authtoken ", "login ", "password ", "/p:", "psk ", "key s:", "sqlplus ", "impdp ",
    "expdp ", "wpa_passphrase ", "<<<",
)  # fmt: skip
"""An option, or what stands in command lines that give a password away without one."""
_ODD_DASH = lazy(r"[^\S \t]-")
_WORDS = lazy(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|[;|&\n()]+|[^\s'\";|&()]+")


def may_name_secret(word: str) -> bool:
    """Whether an argument may be OPTION or ASSIGNED: asked first, for it costs less."""
    return holds_any(word.casefold(), PARTS_OF_NAMES)


def takes_secret(option: str) -> bool:
    """Whether the argument behind an option is a secret: `--smtp-pass`, `--passwd-string`; not `--no-password`."""
    words = words_of(option)
    if not words or words[0] in _SWITCHES or words[-1] in known().heads or not _PUBLIC.isdisjoint(words):
        return False
    if OPTION().match(option) is not None:
        return True
    return option[0] in "-+" and words[-1] not in _NAMES_ONE and _GOES_ON().match(option) is not None


def is_harmless(value: str) -> bool:
    """Whether the value of an option or variable with a secret-looking name is none."""
    return _HARMLESS().fullmatch(value) is not None


def is_harmless_behind(option: str, value: str) -> bool:
    """The same for what stands behind an option: `--layer-key self_attn.q_proj` names a thing in a program."""
    if is_harmless(value) or (option.endswith("pass") and value in known().results):
        return True
    if option in ("--key", "-key") and value.isalpha() and is_of_field(value):
        return True  # of a table, a cache, a set of data
    if _OPTION_OR_FILE().fullmatch(value) is not None:
        return True
    return (
        option.endswith("key") and _OF_PROGRAM().fullmatch(value) is not None and _NO_PROGRAM().search(option) is None
    )


def secret_parts(program: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each word of a program's arguments that is or holds a password, and where in it the secret begins."""
    for known_as in known().programs.get(program, ()):
        needed = known_as.only_with.split()
        if not needed or not set(needed).isdisjoint(words):
            yield from _behind_options(known_as.options.split(), words, known_as.joined)
            yield from _behind_logins(known_as.logins.split(), words)
            last = range(max(0, len(words) - known_as.last_words), len(words))
            yield from ((index, 0) for index in last)
            places = [index for index, word in enumerate(words) if word[:1] != "-"] if known_as.positions else []
            yield from ((places[int(at) - 1], 0) for at in known_as.positions.split() if int(at) <= len(places))
            if known_as.login_with_slash:
                for index, word in enumerate(words):
                    if "/" in word[1:] and word[0] not in "-/":
                        yield index, word.index("/") + 1


def _behind_logins(options: Sequence[str], words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Behind the user, where a password stands beside it: `-u bob:X`, `-Ubob%X`, `--user=bob,X`."""
    before = ""
    for index, word in enumerate(words):
        start = 0 if before in options else next((len(o) for o in options if word.startswith(o) and word != o), -1)
        if start >= 0 and (begin := _begin_of(word[start:])) > (word[start : start + 1] == "="):
            yield index, start + begin
        before = word


def _behind_options(options: Sequence[str], words: Sequence[str], joined: bool) -> Iterator[tuple[int, int]]:
    following = ""
    for index, word in enumerate(words):
        if following and word[:1] == "-" and following[0] not in "-/":
            continue  # `login --relogin X`: the options of a command come before what it is given
        if following:
            yield index, _begin_of(word)
        following = word if word in options else ""
        if joined and not following and word[1:] not in _LONG_NAMES:
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
    r"(?:echo|printf)\s+(?:-n\s+|['\"]%s(?:\\n)?['\"]\s+)?(?:'([^']+)'|\"([^\"]+)\"|([^\s|;&\"']+))\s*\|\s*"
    r"(?:sudo|su|passwd|chpasswd|docker|podman|openssl|gpg|gpg2|kinit|cryptsetup|smbpasswd|helm|gh|glab|vault|ssh-add|"
    r"zip|mysql|runuser|htpasswd|skopeo|oras|npm)\b"
    r"|\bsend(?: --)?\s{1,3}\\?[\"']([^\s\"']{3,256}?)\\{1,2}[rn]|\bsendline\s*\(?\s*[\"']([^\"'\n]{1,256})[\"']"
)
_HERE = lazy(r"(?:read -\w{0,4}s|passw|login|secret)[^\n<]{0,200}<<<\s{0,3}[\"']?([^\s\"']{1,256})")
"""A password given to the input of a program, by a pipe or by expect(1)."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords lie in command lines within a text."""
    if "send" in text or ("|" in text and ("echo " in text or "printf " in text)):
        yield from (match.span(match.lastindex or 0) for match in _PIPED().finditer(text))
    if text[:1] != "-" and not holds_any(text, _BEGINNINGS) and ("-" not in text or _ODD_DASH().search(text) is None):
        return
    if "<<<" in text:
        yield from (match.span(1) for match in _HERE().finditer(text))
    for match in OPTION_ASSIGNED().finditer(text) if "=" in text else ():
        if not is_harmless(match[1]):
            yield match.span(1)
    for match in _LISTED().finditer(text) if "'" in text or '"' in text else ():
        if not is_harmless(match[1]):
            yield match.span(1)
    if holds_any(text, SHORT_OPTIONS):
        yield from (match.span(1) for match in _SHORT().finditer(text) if looks_chosen(match[1]))
    if len(text.split(None, 1)) > 1:
        yield from _in_commands(text)


def _in_commands(text: str) -> Iterator[tuple[int, int]]:
    """Behind options and programs that take a password as one of the next words."""
    for match in SPACED().finditer(text) if may_name_secret(text) else ():
        assert match.lastindex is not None
        value = match[match.lastindex]
        if not is_harmless(value) and value.lower() not in known().how_it_is:
            yield match.span(match.lastindex)
    if known().programs.keys().isdisjoint(_BEFORE_PROGRAM().split(text)):
        return  # to take the text apart costs a tenth of looking for hundreds of names
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


_BEFORE = r"[\s;|&('\"`/]"
_BEFORE_PROGRAM = lazy(_BEFORE)


@cache
def _programs() -> re.Pattern[str]:
    """A program that takes passwords, where a command may begin."""
    return re.compile(rf"(?:^|{_BEFORE})({'|'.join(map(re.escape, known().programs))})\s")


def _unquoted(word: str) -> str:
    return word[1:-1] if word[0] in "'\"" and len(word) > 1 else word
