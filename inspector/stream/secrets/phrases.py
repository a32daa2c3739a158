"""Bare words that a person chose, told by the sentence alone: `password is open sesame`, `PASS tiger`."""

import re
from collections.abc import Iterator

from inspector.stream.lazy_pattern import lazy

from .blocks import SECRET_KEY
from .chosen import could_be_chosen
from .found import QUOTED, Span, ends, group, holds_any, unless_told
from .known import known
from .language_words import language_words
from .naming import is_neutral
from .options import is_harmless

_PHRASE = lazy(r"[\w'-]{1,24}(?:(?: |, ?)[\w'-]{1,24}){1,23}(?=\s*[\"'.;)\]}]?\s*$|[\"'])")
_LONGEST_NAME = 64
_LEAST_WORDS = 4
"""Words from which on a phrase may begin with a word that tells how something is: `correct horse battery staple`."""
_PAIR_OF_WORDS = 2
"""Behind `=`, one more word is as likely one of the sentence: `password=X ok`."""
_SPOKEN = lazy(
    r"\s(?:was )?\(?([^\W\d_]{4,64})\)?(?=[.,;!)]?$|[,;)]|\s(?:accepted|rejected|refused|ok|okay|failed|denied|"
    r"incorrect|invalid|wrong|entered|given|typed|mismatch|provided|expired|connected|"
    r"loaded|too|worked|works|matched|matches|verified|does|did|for user|was)\b)"
)
"""A word of letters alone, directly behind `password`, that ends the sentence or is judged by the next word."""
_TOLD = lazy(
    r"[\w-]{0,20}(?:\s[\w@.'-]{1,64}){0,4}?\s?"
    r"(?:\b(?:is|was|will be|set to|changed to|reset to|ist|lautet|est|es|jest)\b:?|=|:)\s{1,3}"
    rf"(?:now )?(?:{QUOTED}|([^\s\"',;()\[\]{{}}<>]{{3,256}}))",
)
"""`password for bob is X`, `the secret key is X`."""
_OF_NOUNS = ("ed", "ion", "ity", "ment", "ness", "ance", "ence")
"""What words of messages end with: `password authentication`, `password required`."""
_NAMES = {
    "pass": ("password", "passphrase", "pass phrase", "pass-phrase", "passwort", "passcode"),
    "kennwort": ("kennwort",),
    "pwd": ("pwd",),
    "pw ": ("pw",),
    "secret": ("secret",),
    "api": ("api key", "api-key"),
    "access": ("access key", "access token"),
    "private key": ("private key",),
    "cookie": ("session cookie", "login cookie"),
}
"""Names of secrets that sentences are about, each behind a part that is quick to look for."""
_SPOKEN_OF = ("pass", "kennwort")
_JUDGED = (" accepted", " rejected", " mismatch", " loaded")
_STILL_ITSELF = frozenset(
    ("key", "phrase", "string", "value", "header", "cookie", "token", "word", "code", "number", "text")
)
_OF_WHOM = frozenset(("for", "of", "on", "to", "at", "from", "in", "für", "von", "pour", "de"))
_COPULA = lazy(r"\s(?:is|was|will be|set to|changed to|reset to|ist|lautet|est|es|jest)\b|[=:]")
_FROM_TO = lazy(r"(?: was)?(?: changed)? from [\"']?([^\s\"'].{0,64}?)[\"']? to [\"']?([^\s\"',;][^\"',;\n]{0,64})")
_VARIABLE = lazy(
    r"(?:(?:^|; ?|&& ?)(?=[A-Z0-9]{1,32}_)|(?:\bexport|\bsetx?|\benv|--env|-e|\bENV|\bARG|\+)\s)"
    r"([A-Z][A-Z0-9_]{2,64})[= ][\"']?([^\s\"']{1,512})"
)
"""Variables as shells, Dockerfiles and traces of scripts set them."""
_SAID_TO_PROGRAM = lazy(
    r"\b[Ss](?:ending|ent|end) (?:PASS|AUTH) (\S{3,256})$"
    r"|\b(?:ftp|lftp|sftp|imap|pop3?)>\suser \S{1,64} (\S{3,256})"
    r"|(?:^|[>\]:]\s{1,3}|\b[CS]: )(?:PASS|AUTH|RCON|IDENTIFY|pass) ([^\s:]\S{3,256})"
    r"(?=\s*$|\s(?:failed|ok|rejected|accepted))"
)
"""What a client says to a server of mail, FTP or Redis."""
_IDENTIFIED = lazy(r"\bIDENTIFIED BY (?:PASSWORD )?(?:'([^'\n]{1,256})'|\"([^\"\n]{1,256})\")")
_PAIR = lazy(
    r"(?:s|en)?"
    r"(?: (?:for|of|loaded|are|is|as|with|using|rejected|accepted|refused|tried|invalid|wrong))?"
    r"[ :=]{1,3}[\"'(\[]?[\w.@-]{1,64}(?::|\s/\s)"
    r"((?![^\W\d]{0,8}//|\d{1,5}\b)[^\s:/,\"')\]]{4,256})"
)
"""`credentials alice:X`."""
_OTHER_NAMES = ("kennwort", "pwd", "cookie", "cred", "daten", "identifiants")
_FIRST_NAMES = ("pass", "secret", "api", "access", "private key", "input_value=", *_OTHER_NAMES)
"""With one of `known.NAMES`, one of these is in what is told here."""
_BEGINS_WITH_VARIABLE = lazy(r"[A-Z0-9]{1,32}_[A-Z0-9_]{1,64}=")
_INPUT = lazy(rf"\binput_value=(?:{QUOTED})")
"""How pydantic tells of a field that it did not like."""
_SET_VARIABLES = ("export ", "set ", "setx ", "env ", "-e ", "ENV ", "ARG ", "+ ")
_COMMANDS = ("PASS ", "AUTH ", "RCON ", "IDENTIF", "> user ")
_IS_THE_PASSWORD = lazy(
    r"(?<!\S)[\"'(]?([^\s\"']{6,64}?)[\"')]? is (?:the|your|my|his|her|our|its) (?:\w{1,16} ){0,2}"
    r"(?:password|passphrase|passcode|secret|pin|token|api key)\b",
    re.IGNORECASE,
)
_IS_OURS = (" is the ", " is your ", " is my ", " is our ", " is his ", " is her ", " is its ")
_OF_PAIRS = ("credential", "creds", "zugangsdaten", "anmeldedaten", "identifiants")


def whole(text: str, found: Span) -> Span:
    """All words of a passphrase that a value begins, if nothing but words goes on to the end."""
    match = _PHRASE().match(text, found[0])
    if match is None or match.end() <= found[1]:
        return found
    words = match[0].lower().replace(",", " ").split()
    if len(words) == _PAIR_OF_WORDS and text[found[0] - 1] == "=":
        return found
    if any(map(_explains, words[1:])) or (_explains(words[0]) and len(words) < _LEAST_WORDS):
        return found
    return match.span()


def _explains(word: str) -> bool:
    return word.endswith(_OF_NOUNS) or word in known().telling or word in language_words().messages


def told(text: str, end: int) -> Iterator[Span]:
    """What a sentence says that the secret is whose name ends there."""
    match = _TOLD().match(text, end)
    if match is not None:
        begin, stop = group(match)
        about = _COPULA().split(text[end:begin], maxsplit=1)[0].lower().split()
        goes_on = text[stop - 2 : stop + 1] == "ly "  # `the secret value was originally provided`
        assigned = not about and text[end:begin].strip()[:1] in "=:"
        is_path = text[begin] in "/~"
        if _is_about_itself(about) and not goes_on and not assigned and not is_path:
            yield from unless_told(text, (begin, stop))
    if (match := _FROM_TO().match(text, end)) is not None:
        yield from (match.span(1), match.span(2))


def told_elsewhere(text: str, end: int) -> Iterator[Span]:
    """The same for names in other languages, whose words between tell nothing to us."""
    if (match := _TOLD().match(text, end)) is not None:
        yield from unless_told(text, group(match))


def _is_about_itself(words: list[str]) -> bool:
    """Whether words behind the name of a secret only say whose it is, not another thing: `secret sauce is X`."""
    if words and words[0] in _OF_WHOM:
        return not _explains(words[-1])
    if words and not all(map(str.isascii, words)):
        return True
    return _STILL_ITSELF.issuperset(words)


def spans(text: str, small: str, named: bool) -> Iterator[Span]:
    """Where they lie; `small` is the text in lower case, `named` whether one of `known.NAMES` is in it."""
    if holds_any(small, _FIRST_NAMES if named else _OTHER_NAMES):
        yield from _named(text, small)
    if named and "=" in text and (holds_any(text, _SET_VARIABLES) or _BEGINS_WITH_VARIABLE().match(text)):
        for match in _VARIABLE().finditer(text):
            if SECRET_KEY().search(match[1]) and not is_neutral(match[1]) and not is_harmless(match[2]):
                yield match.span(2)
    if holds_any(text, _COMMANDS):
        for match in _SAID_TO_PROGRAM().finditer(text):
            if not _explains(text[slice(*group(match))].lower()):
                yield group(match)
        for match in _IDENTIFIED().finditer(text):
            yield group(match)


def _named(text: str, small: str) -> Iterator[Span]:
    if "input_value=" in text:
        for match in _INPUT().finditer(text):
            names_before = text[max(0, match.start() - _LONGEST_NAME) : match.start()].split()
            if any(map(SECRET_KEY().search, names_before)):
                yield group(match)
    for part, names in _NAMES.items():
        for name in names if part in small else ():
            for end in ends(small, name):
                yield from told(text, end)
                if part in _SPOKEN_OF:
                    yield from _spoken(text, end)
    if "secret " in small and holds_any(small, _JUDGED):
        for end in ends(small, "secret"):
            yield from (span for span in _spoken(text, end) if text[span[1] :].strip(".,;)"))
    if " is " in small and holds_any(small, _IS_OURS):
        for match in _IS_THE_PASSWORD().finditer(text):
            if could_be_chosen(match[1]):
                yield match.span(1)
    for name in _OF_PAIRS:
        for end in ends(small, name) if name in small else ():
            yield from (match.span(1) for match in [_PAIR().match(text, end)] if match is not None)


def _spoken(text: str, end: int) -> Iterator[Span]:
    match = _SPOKEN().match(text, end)
    if match is not None and not _explains(match[1].lower()):
        yield match.span(1)
