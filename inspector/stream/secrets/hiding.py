"""Texts, log lines, arguments and variables as they may be shown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from inspector.stream.lazy_pattern import lazy

from . import (
    access,
    addresses,
    arguments,
    assigned,
    codes,
    commands,
    denied,
    headers,
    in_paths,
    languages,
    naming,
    options,
    people,
    phrases,
    plain,
    prose,
    reading,
    settings,
    sql,
    strangers,
    unknown,
)
from .blocks import SECRET_KEY, Blocks
from .chosen import has_signs, is_made_up, looks_chosen, looks_drawn
from .found import Span, holds_any, one_of
from .known import NAMES, SHORTEST, known
from .opaque import LEAST, UUID, is_opaque
from .tokens import CRYPTED, END_OF_KEY, FORMS, LEAST_OF_FORMS, OF_DIRECTORY, PRIVATE_KEY, is_token

HIDDEN = "(hidden)"
_LONG_WORD = lazy(r"[A-Za-z0-9_$?][A-Za-z0-9_.~=%$+:-]{9,}")
_COMMON = ("pass", "code", "user", "auth", "cred", "pw", "codi", "kode", "nummer", "zahl")
"""Parts that many of the words have which tell of secrets: the fewer are looked for, the quicker."""
_TIME = lazy(r"(?:time=|ts=|\[)?\"?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\"?\]?(?=\s)")
"""What most lines begin with, and what costs most to judge of them."""
_JOINT = lazy(r"[-.=%+:_]+")
_LONG = 512
"""Characters of a name that is not kept in mind."""
_ENOUGH = 160
"""Characters that tell a token."""
_GOES_ON = lazy(r"[A-Za-z0-9+/=_%.~-]*[A-Za-z0-9+=_-]")
_BASE64 = lazy(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/])")
_CURVE_KEY = lazy(r"(?<![\w+])[\w+]{43}=(?![\w=])")
"""A key of 32 bytes in base64, as WireGuard writes it; names of files hold no such sign."""
_SIGN_INSIDE = lazy(r"\w[!#^][\w@$%&*!#^]")
_WITH_SIGNS = lazy(r"(?<![^\s:=(,])[A-Za-z0-9][\w!#^&$*%@]{6,63}(?![^\s),;.:])")
_FOLDER = lazy(r"(?:^|/)[a-z]{3,}(?:/|$)")
"""A piece between slashes that is a word: no token in base64 has one."""
_FILE_OF_DIGEST = lazy(r"/[0-9a-f]{32,128}$")
_PUBLIC = ("AAAAB3NzaC", "AAAAC3NzaC", "AAAAE2VjZHNh")
"""How public keys of SSH begin."""
_DIGEST = lazy(
    r"(?:\b(?:sha-?\d{1,3}|md5|blake\w{1,3})[:=-]\s?|\b(?:fingerprint|etag|integrity)\W{1,3})$", re.IGNORECASE
)
_LINE_OF_KEY = lazy(r"(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2,3}={0,2})?|[A-Za-z0-9+/]{2,}={1,2}")
_SMALL = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_MEMBER = lazy(r"([\"'](?:\w*_)?(?:token|key|auth|pass)[\"']\s?:\s?)[\"']([^\"']{1,1024})[\"']", re.IGNORECASE)
_LOGIN = lazy(r"(?:admin|administrator|root|guest|user|test):(?=[^/\s]*[A-Za-z])[^/\s:]{4,64}")
"""A variable that is a user and a password."""
_PAIR_OF_LOGIN = lazy(r"[\w.@\\-]{1,64}:(?!\d{1,5}$|//)[^\s:/]{3,256}")
_PIN = lazy(r"\d{4,12}")
_SCHEMED = lazy(r"bearer \S{3,4096}|(?:basic|digest|apikey) (?=\S{0,64}[\d=]|\S{16})\S{3,4096}", re.IGNORECASE)
"""A variable that is a header."""
_NO_SECRET_KEYS = frozenset(("PWD", "OLDPWD"))


def hide(text: str) -> str:
    """A text with what is plainly secret in it replaced; any other text as it is."""
    if len(text) < 6:
        return text
    if (time := _TIME().match(text)) is not None:
        return time[0] + hide(text[time.end() :])
    found = _found(text)
    return _without(text, found) if found else text


def _found(text: str) -> list[Span]:
    """Where secrets lie in a text, also those that only who decodes it reads."""
    plain = text.isascii()
    if (not plain or not text.isprintable()) and (clear := reading.without_marks(text)) is not None:
        return [clear.back(span) for span in _found(clear.text)]
    found = _found_as_written(text, _small(text))
    if (not plain or "%" in text or "\\" in text or "&" in text) and (read := reading.decoded(text)) is not None:
        found += [read.back(span) for span in _found_as_written(read.text, _small(read.text))]
    return found


def _small(text: str) -> str:
    """The text in lower case, each letter where it was: a few capitals of other alphabets become two letters."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_SMALL)


def _found_as_written(text: str, small: str) -> list[Span]:
    named = holds_any(small, NAMES)
    told = not text.isascii() or _TOLD().search(small) is not None
    abroad = told and languages.may_name(text, small)
    found = [
        *assigned.spans(text, small, named, abroad),
        *headers.spans(text, small, named),
        *addresses.spans(text),
        *options.spans(text),
        *arguments.spans(text),
        *naming.spans(text),
        *denied.spans(text),
        *_by_form(text),
    ]
    if told:
        found += codes.spans(text, small, named)
        found += people.spans(text, small)
        found += access.spans(text, small)
    if " " in text or "\t" in text:  # sentences are of several words
        found += prose.spans(text, small, named)
        found += phrases.spans(text, small, named)
        if named or told:
            found += access.behind_names(text, small)
        if told:
            found += unknown.spans(text, small)
        if abroad:
            found += languages.spans(text, small)
        if named or " >" in text or "insert" in small:
            found += sql.spans(text, small)
    return found


_TOLD = one_of(
    (
        *_COMMON,
        *access.TRIGGERS,
        *codes.TRIGGERS,
        *codes.NAMED_TRIGGERS,
        *languages.TRIGGERS,
        *people.TRIGGERS,
        *unknown.TRIGGERS,
    )
)
"""What most lines have none of: asked once, instead of by each that looks for some of these."""


def hide_names(text: str) -> str:
    """A path or a name with the tokens in it replaced: nothing is assigned in it, and parts of it may look odd."""
    return text if len(text) < 16 else _hide_names(text) if len(text) < _LONG else _hide_names.__wrapped__(text)


@lru_cache(4096)
def _hide_names(text: str) -> str:
    """The same paths come again and again."""
    found = [*_tokens(text, _odd_words(text)), *(in_paths.spans(text) if "/" in text or "\\" in text else ())]
    if "=" in text:
        found += [match.span() for match in _CURVE_KEY().finditer(text)]
    return _without(text, found) if found else text


def hide_lines(lines: Sequence[str], inside: bool = False) -> tuple[list[str], bool]:
    """Lines that follow each other: a private key is hidden over all its lines.

    `inside` tells whether a key had begun before them; the second answer, whether one goes on behind them.
    """
    shown: list[str] = []
    blocks = Blocks()
    for line in lines:
        begins = "-----" in line and PRIVATE_KEY().search(line)
        ends = "-----" in line and END_OF_KEY().search(line)
        if ends and not begins and not inside:
            _hide_back(shown)
        if inside and not begins:
            word = line.strip().rpartition(" ")[2]
            inside = not ends and (_LINE_OF_KEY().fullmatch(word) is not None or ":" in line or not line.strip())
            shown.append(HIDDEN if inside else hide(line))
        else:
            told = blocks.spans(line)
            shown.append(_without(line, [*told, *_found(line)]) if told else hide(line))
            inside = bool(begins) and not ends
    return shown, inside


def _hide_back(shown: list[str]) -> None:
    """A key ends whose beginning was not seen: its last lines stand directly before."""
    for index in range(len(shown) - 1, -1, -1):
        if not _LINE_OF_KEY().fullmatch(shown[index].strip().rpartition(" ")[2]) and shown[index] != HIDDEN:
            return
        shown[index] = HIDDEN


def shown_value(key: str, value: str) -> str:
    """The value of an environment variable as it may be shown."""
    if _SCHEMED().fullmatch(value) is not None and not unknown.is_of_field(value.rpartition(" ")[2]):
        return HIDDEN
    if _PAIR_OF_LOGIN().fullmatch(value) is not None and naming.is_of_login(key):
        return HIDDEN
    if UUID().fullmatch(value) is not None and naming.is_unnamed(key):
        return HIDDEN
    if naming.is_code(key) and _PIN().fullmatch(value) is not None:
        return HIDDEN
    if key not in _NO_SECRET_KEYS and SECRET_KEY().search(key) and not options.is_harmless(value):
        if naming.is_neutral(key):
            return HIDDEN if looks_drawn(value) or is_opaque(value) or has_signs(value) else hide(value)
        return HIDDEN if naming.is_certain(key) or not unknown.is_of_field(value) else hide(value)
    if naming.is_unnamed_number(key, value) or _LOGIN().fullmatch(value) is not None:
        return HIDDEN
    if "LICEN" in key.upper() and looks_chosen(value):
        return HIDDEN
    if has_signs(value):
        return HIDDEN
    if (" " in value and value[:1] == "-") or not (settings.is_setting(key) or plain.is_plain(value)):
        return _of_unknown(value)
    if value.startswith("{"):
        value = _MEMBER().sub(lambda match: match[1] + HIDDEN, value)
    return hide(value)


def _of_unknown(value: str) -> str:
    """The value of a variable that nobody knows, which is not plain: settings within it are."""
    if value[0] in "{[(<" or "=" in value or value[0] == "-":
        return _without(value, [*_found(value), *strangers.within(f"{value}")])
    return HIDDEN


def shown_arguments(words: Iterable[str]) -> list[str]:
    """An argument list as it may be shown: values of secret options replaced, wherever they stand."""
    given = list(words)
    secret = arguments.begins(given)
    return [word[: secret[index]] + HIDDEN if index in secret else _argument(word) for index, word in enumerate(given)]


def _argument(word: str) -> str:
    assigns = ("=" in word or ":" in word) and options.may_name_secret(word)
    match = options.ASSIGNED().fullmatch(word) if assigns else None
    name, is_set, value = word.partition("=")
    if is_set and ":" in value and naming.is_of_login(name) and _PAIR_OF_LOGIN().fullmatch(value):
        return f"{name}={HIDDEN}"
    if match is not None and "://" not in match[1] and not options.is_harmless_behind(match[1].rstrip("=:"), match[2]):
        return match[1] + HIDDEN
    if " " in word and word[0] not in "{[(<" and (commands.may_tell(word) or "=" in word):
        return _without(word, [*_found(word), *commands.parts_within(word), *strangers.within(word)])
    return hide(word)


def _by_form(text: str) -> Iterator[tuple[int, int]]:
    """Words that are secret by their form, wherever they stand."""
    words = _odd_words(text)
    yield from _tokens(text, words)
    for match in words:
        for begin, end in _pieces(match) if not _in_path(text, match.start()) else ():
            piece = text[begin:end]
            if (looks_drawn(piece) or is_opaque(piece)) and not _is_digest(text, begin):
                yield begin, end
    if "/" in text or "+" in text or "==" in text:
        for match in _BASE64().finditer(text):
            if is_opaque(match[0]) and not _is_of_file(match[0]) and not _is_digest(text, match.start()):
                yield match.span()
    if ("#" in text or "^" in text or "!" in text) and _SIGN_INSIDE().search(text) is not None:
        for match in _WITH_SIGNS().finditer(text):
            if is_made_up(match[0]):
                yield match.span()
    if "-----BEGIN" in text:
        for match in PRIVATE_KEY().finditer(text):
            end_of_key = END_OF_KEY().search(text, match.end())
            yield match.end(), end_of_key.start() if end_of_key is not None else len(text)


def _odd_words(text: str) -> list[re.Match[str]]:
    """The long words of a text that need a closer look."""
    if all(map(_is_plain_word if len(text) < _LONG else _is_plain, _LONG_WORD().findall(text))):
        return []
    return [match for match in _LONG_WORD().finditer(text) if not _is_plain(match[0])]


def _is_plain(word: str) -> bool:
    """Whether no secret is in a word, wherever it stands."""
    return _is_plain_word(word) if len(word) < _LONG else _is_plain_word.__wrapped__(word)


@lru_cache(8192)
def _is_plain_word(word: str) -> bool:
    """The same words come again and again."""
    beginnings = known().beginnings
    if word[:SHORTEST] in beginnings:
        return False
    long = len(word) >= LEAST
    if not (word.isalpha() or word.isdigit()):
        for joint in _JOINT().finditer(word):
            begin = joint.end()
            if word[begin : begin + SHORTEST] in beginnings or (long and FORMS().match(word, begin) is not None):
                return False
        if (long and FORMS().match(word) is not None) or (
            not word.islower() and not word.isupper() and any(map(looks_drawn, _ends_cut(word)))
        ):
            return False
    return not long or not any(map(is_opaque, _ends_cut(word)))


def _ends_cut(word: str) -> list[str]:
    return [piece.rstrip(":=.") for piece in _split(word)]


def _split(word: str) -> list[str]:
    if ":" not in word and "=" not in word:
        return [word]
    return re.split(r"(?<=[:=])", word)


def _is_of_file(piece: str) -> bool:
    return _FOLDER().search(piece) is not None or _FILE_OF_DIGEST().search(piece) is not None


def _is_digest(text: str, begin: int) -> bool:
    return text.startswith(_PUBLIC, begin) or _DIGEST().search(text, max(0, begin - 16), begin) is not None


def _pieces(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """A long word and, when something is assigned in it, its parts: `id=GPU-1` is no word."""
    begin = match.start()
    for piece in _split(match[0]):
        yield begin, begin + len(piece.rstrip(":=."))
        begin += len(piece)


def _tokens(text: str, words: Iterable[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """Tokens of known providers, also as a part of a longer word: `upload-npm_X.log`."""
    for match in words:
        end = match.end()
        for begin in (match.start(), *[joint.end() for joint in _JOINT().finditer(text, *match.span())]):
            if _begins_token(text, begin, end):
                yield begin, _end_of_token(text, end)
                break
    if "$" in text:
        for match in CRYPTED().finditer(text):
            yield match.span()
    if "{" in text and "}" in text and ("SHA" in text or "MD5" in text or "CRYPT" in text):
        for match in OF_DIRECTORY().finditer(text):
            yield match.span()


def _begins_token(text: str, begin: int, end: int) -> bool:
    """Whether a token stands there, in a word that ends at `end`; asked of every piece of every line."""
    enough = min(begin + _ENOUGH, end)
    if text[begin : begin + SHORTEST] in known().beginnings and (
        is_token(text[begin:enough]) or _is_base64_token(text, begin, end)
    ):
        return True
    return end - begin >= LEAST_OF_FORMS and FORMS().match(text, begin, enough) is not None


def _is_base64_token(text: str, begin: int, end: int) -> bool:
    """The beginning of a token in base64 whose first piece is too short to tell."""
    if text[end : end + 1] not in ("/", "+") or not text.startswith(known().prefixes, begin):
        return False
    whole = text[begin : min(begin + _ENOUGH, _end_of_token(text, end))]
    return is_token(whole) and is_opaque(whole)


def _end_of_token(text: str, end: int) -> int:
    """A token in base64 may go on behind a slash or a plus."""
    match = _GOES_ON().match(text, end)
    return match.end() if match is not None else end


def _in_path(text: str, at: int) -> bool:
    """A folder or file of a path may look as odd as it likes: a cache, a digest."""
    return at > 0 and text[at - 1] == "/" and (at < 2 or text[at - 2] not in ":/")


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    shown, end = "", 0
    for begin, stop in sorted(spans):
        if begin >= stop:
            continue
        if begin >= end:
            shown += text[end:begin] + HIDDEN
        end = max(end, stop)
    return shown + text[end:]
