"""Sentences of other languages that tell a password or a code: `das Passwort von bob ist X`, `hasło dla boba: X`.

The words between differ too much to be listed, so the reverse is asked: behind the name of a password, what is no word
of messages (`languages.toml`, and those of English) and says of nobody whose it is, is taken to be the password.
"""

from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from . import phrases
from .found import QUOTED, Span, ends, group, holds_any, is_none, one_of
from .known import known
from .language_words import language_words
from .unknown import is_known

TRIGGERS = (*language_words().parts, *language_words().codes_in_ascii)
"""One of these is in each such name in ASCII."""
_ANY_NAME = one_of(language_words().all())
_REACH = 96
"""Characters behind a name in which its password may stand."""
_LEAST, _MOST_WORDS = 3, 6
"""Characters of a password; words between its name and the sign that it follows."""
_WORD = lazy(r"[^\s:：=,;.!?()\"'„“”«»「」『』<>]{1,64}(?:[.!?'-][^\s:：=,;()\"'„“”«»「」『』<>]{1,64})*")
_END = lazy(r"[.;](?=\s|$)|\s[|]\s")
_SIGN = lazy(r"\s{0,3}[:：=]\s{0,3}|\s(?:[-–—]|->|=>)\s")
_VALUE = lazy(rf"{QUOTED}|[„“”«「『]([^„“”»」』]{{1,256}})[“”»」』]|([^\s\"',;、。]{{1,256}})")
_QUOTED_ODDLY = lazy(r"[„“”«「『]([^\s„“”»」』]{3,256})[“”»」』]")
_OF_ASCII = lazy(r"[!-&*-+./-9:;=?-Z^-z~]{4,256}")
_CODE = lazy(r"(?<![\w.])(?:\d{2,5}(?:[ -]\d{2,5}){1,4}|\d{4,10}|(?=[A-Z]{0,9}\d)[A-Z0-9]{5,10})(?!\w|[.:]\w)")
_GOES_ON = lazy(r"[\w]*")


def may_name(text: str, small: str) -> bool:
    """Whether a text may name a password or code in another language: asked first, for it costs less."""
    return holds_any(small, TRIGGERS) if text.isascii() else _ANY_NAME().search(small) is not None


def spans(text: str, small: str) -> Iterator[Span]:
    """Where they lie, in a text that may have such a name; `small` is the text in lower case."""
    words = language_words()
    for name in words.names:
        for end in ends(small, name) if name in small else ():
            yield from _behind(text, small, end)
    if not text.isascii():
        for name in words.others:
            for end in ends(small, name) if name in small else ():
                yield from _behind(text, small, end)
                yield from _in_other_letters(text, end)
    for code in words.codes_in_ascii if text.isascii() else words.codes:
        for end in ends(small, code) if code in small else ():
            told = _CODE().search(text, end, end + _REACH)
            sign = _SIGN().search(text, end, end + _REACH)
            if told is not None:
                yield told.span()
            elif sign is not None:
                yield from _assigned(text, sign.end())


def _behind(text: str, small: str, end: int) -> Iterator[Span]:
    """What is told behind a name that ends there, to the end of the sentence."""
    end = _GOES_ON().match(text, end).end()  # type: ignore[union-attr]
    over = _END().search(text, end, end + _REACH)
    stop = over.start() if over is not None else min(len(text), end + _REACH)
    for match in _QUOTED_ODDLY().finditer(text, end, stop):
        if not _is_of_messages(match[1]):
            yield match.span(1)
    sign = _SIGN().search(text, end, stop)
    if sign is not None and len(text[end : sign.start()].split()) <= _MOST_WORDS:
        yield from _assigned(text, sign.end())
    elif text[end : end + 1].isspace():
        yield from _among(text, small, end, stop)


def _assigned(text: str, begin: int) -> Iterator[Span]:
    match = _VALUE().match(text, begin)
    if match is not None:
        found = group(match)
        value = text[slice(*found)]
        if len(value) >= _LEAST and value[0] not in "/~" and not _is_of_messages(value) and not is_none(text, found):
            yield phrases.whole(text, found)


def _among(text: str, small: str, begin: int, stop: int) -> Iterator[Span]:
    """The words that no message has; directly behind a copula also words that things have."""
    told = of_whom = False
    for number, match in enumerate(_WORD().finditer(text, begin, stop)):
        word = small[match.start() : match.end()]
        if number > 2 * _MOST_WORDS:
            return
        if word in language_words().copulas:
            told, of_whom = True, False
        elif word in language_words().of_whom:
            told, of_whom = False, True
        elif _is_of_messages(word) or is_none(text, match.span()):
            told = of_whom = False
        elif of_whom and not told:
            of_whom = False
        elif len(word) >= _LEAST and (told or not _is_thing(match[0])):
            yield match.span()
            told = False


def _in_other_letters(text: str, end: int) -> Iterator[Span]:
    """In scripts that put no spaces between words."""
    for match in _OF_ASCII().finditer(text, end, end + _REACH):
        if not is_known(match[0]) and not _is_of_messages(match[0]):
            yield match.span()


def _is_of_messages(word: str) -> bool:
    small = word.lower().strip(".,!?")
    return small in language_words().messages or small in language_words().copulas or small in known().how_it_is


def _is_thing(word: str) -> bool:
    """Whether a word is known from messages in English, or is a number, a path or a host."""
    return is_known(word) if word.isascii() else False
