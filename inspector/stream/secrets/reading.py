"""A text as who receives it reads it: colours and invisible marks dropped, escapes decoded, look-alikes made plain.

A password under `p%61ssword` or full-width letters is one as well. What is found in the reading is hidden in the text.
"""

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterator

import msgspec

from inspector.stream.lazy_pattern import lazy

_MARKS = lazy(
    r"(?:\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,1024}(?:\x07|\x1b\\)|[@-Z\\^_=>])"
    r"|[\x00-\x08\x0e-\x1a\x7f\xad\u034f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef])+"
)
"""Colours and moves of a terminal, and characters that are not seen."""
_ESCAPES = lazy(
    r"%(?:25){0,4}([2-7][0-9A-Fa-f])|\\{1,4}(?:u00|x)([2-7][0-9A-Fa-f])|\\{1,4}u\{([2-7][0-9A-Fa-f])\}"
    r"|&#[xX]0{0,4}([2-7][0-9A-Fa-f]);|&#0{0,4}(\d{2,3});|&(quot|apos|colon|equals|amp|lt|gt);"
)
_NAMED = {"quot": '"', "apos": "'", "colon": ":", "equals": "=", "amp": "&", "lt": "<", "gt": ">"}
_WIDE = lazy(
    "[\xa0\xaa\xb2\xb3\xb9\xba\xab\xbb\u2000-\u200a\u2018-\u201f\u202f\u2070-\u209c\u2100-\u214f\u2160-\u217f\u2460-\u24ff"
    "\u3000\ufb00-\ufb06\ufe13\ufe30-\ufe6f\uff01-\uff5e\U0001d400-\U0001d7ff]"
)
"""Characters that are others in another dress: full width, bold, superscript, odd quotes."""
_MIXED = lazy("[A-Za-z][\u0370-\u04ff\u0500-\u052f]|[\u0370-\u04ff\u0500-\u052f][A-Za-z]")
"""A word of two alphabets, of which one only looks like the other."""
_QUOTES = str.maketrans("“”„‟«»‘’‚‛", 6 * '"' + 4 * "'")
_ALIKE = str.maketrans(
    "аеорсухіѕԁјһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТХοανρ",
    "aeopcyxisdjhqwABEZHIKMNOPTYXABEKMHOPCTXoavp",
)


def _undressed(match: re.Match[str]) -> str:
    quote = match[0].translate(_QUOTES)
    plain = unicodedata.normalize("NFKC", quote)
    return plain if len(plain) == 1 and plain.isascii() else match[0]


class Reading(msgspec.Struct):
    """What is read, and where in the text its pieces stand."""

    text: str
    at: list[int]
    """Where in the reading each piece begins."""
    spans: list[tuple[int, int, bool]]
    """Where in the text it begins and ends, and whether it is the same there."""

    def back(self, span: tuple[int, int]) -> tuple[int, int]:
        """A span of the reading as one of the text."""
        begin, end = span
        if begin >= end:
            return 0, 0
        first, last = bisect(self.at, begin) - 1, bisect(self.at, end - 1) - 1
        start, _, same = self.spans[first]
        start += begin - self.at[first] if same else 0
        from_here, stop, same = self.spans[last]
        return start, from_here + end - self.at[last] if same else stop


def without_marks(text: str) -> Reading | None:
    """The text without what is not seen of it; None if that is nothing."""
    return _read(text, ((*match.span(), "") for match in _MARKS().finditer(text)))


def decoded(text: str) -> Reading | None:
    """The text with its escapes decoded and its look-alikes plain; None if it has none."""
    plain = text
    if not text.isascii():
        plain = _WIDE().sub(_undressed, text)
        if _MIXED().search(plain) is not None:
            plain = plain.translate(_ALIKE)
    if ("%" in plain or "\\" in plain or "&" in plain) and (reading := _read(plain, _unescaped(plain))) is not None:
        return reading
    return Reading(plain, [0], [(0, len(text), True)]) if plain != text else None


def _unescaped(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _ESCAPES().finditer(text):
        said = match[match.lastindex or 0]
        if match.lastindex == 6:
            yield *match.span(), _NAMED[said]
        elif 32 <= (number := int(said, 10 if match.lastindex == 5 else 16)) < 127:
            yield *match.span(), chr(number)


def _read(text: str, changes: Iterator[tuple[int, int, str]]) -> Reading | None:
    """With each of these pieces replaced."""
    pieces: list[str] = []
    at: list[int] = []
    spans: list[tuple[int, int, bool]] = []
    done = place = 0
    for begin, end, plain in changes:
        if begin > done:
            pieces.append(text[done:begin])
            at.append(place)
            spans.append((done, begin, True))
            place += begin - done
        if plain:
            pieces.append(plain)
            at.append(place)
            spans.append((begin, end, False))
            place += len(plain)
        done = end
    if not done:
        return None
    if done < len(text):
        pieces.append(text[done:])
        at.append(place)
        spans.append((done, len(text), True))
    return Reading("".join(pieces), at, spans)
