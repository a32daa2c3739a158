"""The text of unit files, as systemd reads it: lines, sections, quoting (systemd.syntax(7)).

Whatever systemd would ignore is ignored here too, and told as trouble: it is what a person overlooks.
"""

import re
from collections.abc import Iterator

import msgspec

WHITESPACE = " \t\n\r"
_COMMENTS = "#;"
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}
_NUMERIC_ESCAPE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Directive(msgspec.Struct, frozen=True):
    """`Key=value` in a section."""

    section: str
    key: str
    value: str
    line: int
    """Where it begins, from 1."""


class Trouble(msgspec.Struct, frozen=True):
    """Something that systemd ignores or misreads, in words."""

    line: int
    words: str


class Words(msgspec.Struct, frozen=True):
    """A value split into words."""

    words: list[str]
    damage: str = ""
    """Why the rest of the value is ignored, empty when it is not."""


class UnitText(msgspec.Struct):
    """What one unit file says."""

    directives: list[Directive] = msgspec.field(default_factory=list)
    trouble: list[Trouble] = msgspec.field(default_factory=list)


def parse_unit(text: str) -> UnitText:
    """All directives of a unit file in order."""
    found = UnitText()
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            if line.endswith("]"):
                section = line[1:-1]
            else:
                found.trouble.append(Trouble(number, f"damaged section header {line!r}"))
            continue
        key, equals, value = line.partition("=")
        if not equals:
            found.trouble.append(Trouble(number, "a line without '=' is ignored"))
        elif not section:
            found.trouble.append(Trouble(number, f"{key.strip()}= stands before any [Section]: it is ignored"))
        else:
            found.directives.append(Directive(section, key.strip(WHITESPACE), value.strip(WHITESPACE), number))
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, those ended by a backslash joined; each with the number of its first one."""
    pending, begin = "", 0
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if raw.lstrip(WHITESPACE)[:1] in tuple(_COMMENTS):
            continue
        begin = begin if pending else number
        joined = pending + raw
        backslashes = len(joined) - len(joined.rstrip("\\"))
        if backslashes % 2:
            pending = joined[:-1] + " "
            continue
        pending = ""
        if line := joined.strip(WHITESPACE):
            yield begin, line
    if line := pending.strip(WHITESPACE):
        yield begin, line


def split_words(value: str) -> Words:
    """Words by systemd's rules: blanks part them, quotes of both kinds may stand anywhere, C escapes are undone.

    As `extract_first_word` of systemd with EXTRACT_UNQUOTE and EXTRACT_CUNESCAPE (src/basic/extract-word.c): an open
    quote or an unknown escape ends the reading, the words before it stay.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    at = 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            plain, size = _unescape(value, at + 1)
            if not size:
                return Words(words, f"unknown escape {value[at : at + 2]!r}")
            word = (word or "") + plain
            at += size
        elif quote:
            word = (word or "") + (char if char != quote else "")
            quote = quote if char != quote else ""
        elif char in "\"'":
            quote, word = char, word or ""
        elif char in WHITESPACE:
            words += [word] if word is not None else []
            word = None
        else:
            word = (word or "") + char
        at += 1
    if quote:
        return Words(words, f"a quote {quote} is never closed")
    return Words(words + ([word] if word is not None else []))


def _unescape(value: str, at: int) -> tuple[str, int]:
    """The character that an escape stands for, and how many characters follow its backslash; 0 for an unknown one."""
    plain = _ESCAPES.get(value[at : at + 1])
    if plain is not None:
        return plain, 1
    match = _NUMERIC_ESCAPE.match(value, at)
    if match is None:
        return "", 0
    code = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
    if code == 0 or code > 0x10FFFF:
        return "", 0
    return chr(code), len(match[0])


def assignment(word: str) -> tuple[str, str] | None:
    """Key and value of one environment assignment, None when it is none (systemd ignores it)."""
    key, equals, value = word.partition("=")
    return (key, value) if equals and _KEY.fullmatch(key) else None
