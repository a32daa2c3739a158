"""Where secrets begin in the words of a command line, whether it is a program's own or told in a text."""

from collections.abc import Iterator, Sequence

from inspector.stream.lazy_pattern import lazy

from . import commands, options, strangers
from .found import Span

_ITEM = r"[bu]?(?:'[^'\n]{0,512}'|\"[^\"\n]{0,512}\")"
_LIST = lazy(rf"[\[(]\s?{_ITEM}(?:,?\s{_ITEM}|,{_ITEM}){{1,200}}\s?[\])]")
_WORD = lazy(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_PREFIXES = 3
"""Words of `sudo -u x mysql` or `env A=1 mysql` behind which the program may stand."""


def begins(words: Sequence[str]) -> dict[int, int]:
    """For the index of each word that is or holds a secret, where in it the secret begins."""
    found: dict[int, int] = {}
    for index in _behind_names(words):
        found.setdefault(index, 0)
    for start in range(min(len(words), _PREFIXES)):
        program = words[start].rpartition("/")[2]
        for index, begin in options.secret_parts(program, words[start + 1 :]):
            if not options.is_harmless(words[start + 1 + index][begin:]):
                found.setdefault(start + 1 + index, begin)
    for index, begin in commands.chosen_parts(words):
        found.setdefault(index, begin)
    for index, begin in strangers.parts(words):
        found.setdefault(index, begin)
    return found


def _behind_names(words: Sequence[str]) -> Iterator[int]:
    """The words behind options that name a secret."""
    follows = many = False
    for index, word in enumerate(words):
        if follows and not options.is_harmless_behind(words[index - 1], word):
            yield index
        goes_on = follows and many and word[:1] != "-"
        follows = goes_on or (
            word[:1] in ("-", "+", "/") and options.may_name_secret(word) and options.takes_secret(word)
        )
        follows |= word[-1:] == "=" and options.may_name_secret(word) and options.takes_secret(f"--{word[:-1]}")
        many = goes_on or (follows and options.MANY().fullmatch(word) is not None)


def spans(text: str) -> Iterator[Span]:
    """Where they lie in command lines that are told as lists: `['sshpass', '-p', 'X', 'ssh', 'host']`."""
    if "'-" not in text and '"-' not in text:
        return
    for match in _LIST().finditer(text):
        places = [word.span(word.lastindex or 0) for word in _WORD().finditer(text, *match.span())]
        words = [text[slice(*place)] for place in places]
        for index, begin in begins(words).items():
            yield places[index][0] + begin, places[index][1]
