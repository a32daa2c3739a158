"""Checks regular expressions of users and profiles: only those whose cost is bounded on any text are used.

Python's engine tries one way after the other. What makes it slow is a text that can be divided among parts in many
ways. Refused are repeats within repeats that allow that; for free repeats behind each other the text is cut so far that
the steps stay bounded, and where too little of it were left the pattern is refused as well.
"""

import re
import sys
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

LENGTHS = (4_096, 2_048, 1_024, 512, 256)
"""Characters of a line that a pattern is used on; the longest that costs no more than `_STEPS`."""
_STEPS = 8_000_000
"""Of the engine, for one line: a tenth of a second at worst."""
_LONGEST = 1_000
"""Characters of a pattern."""
_FEW = 16
"""A repeat of at most so often is none."""
_MOST_WAYS = 512
_DEAR = 8
"""A repeat of a group costs so many times what one of a character does."""
Item = tuple[object, object]
"""What the standard library's own reader makes of a piece: its code and what belongs to it."""
_OTHERS = 1 << 128
_ALL = (1 << 129) - 1
"""A set of characters: a bit for each of ASCII, one for all others."""


class PatternError(ValueError):
    """A pattern that is not used; the message says why and what to write instead."""


class _Part(Struct, frozen=True):
    """What is known of the rest of a pattern from some place on."""

    first: int = 0
    """With which characters a match of it may begin."""
    empty: bool = True
    """It may match nothing, so it cannot fail."""
    free: int = 0
    """Repeats whose end is not clear, one behind the other."""
    ways: int = 1
    """In how many ways its alternatives may be tried."""
    run: int = 0
    """Characters of repeats with a clear end at its beginning: what stands before tells whether they are read again."""
    again: bool = False
    """A repeat with a clear end may be read from many places."""


def longest_text(pattern: str) -> int:
    """How many characters of a text this pattern may be used on; PatternError when it is not to be used at all."""
    if len(pattern) > _LONGEST:
        raise PatternError(f"it has more than {_LONGEST} characters")
    try:
        re.compile(pattern)
        tree: tuple[Item, ...] = tuple(parser.parse(pattern))  # type: ignore[arg-type]
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"not a regular expression: {error}") from None
    try:
        whole = _sequence(tree, _Part(), inside=False)
    except RecursionError:
        raise PatternError("its groups are nested too deep") from None
    again = int(whole.again or bool(whole.run and not _is_anchored(tree)))
    for length in LENGTHS:
        if length ** (whole.free + again) * whole.ways * _start_positions(tree, length) <= _STEPS:
            return length
    raise PatternError("too many free repeats one behind the other (.* x .*): say what ends each ([^x]*)")


def _is_anchored(tree: tuple[Item, ...]) -> bool:
    return bool(tree) and tree[0][0] is codes.AT and tree[0][1] in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)


def _start_positions(tree: tuple[Item, ...], length: int) -> int:
    """From how many places of a text the pattern may be tried in earnest: it begins with so many plain characters."""
    if _is_anchored(tree):
        return 1
    plain = next((at for at, (code, _) in enumerate(tree) if code is not codes.LITERAL), len(tree))
    return max(1, length // max(1, plain))


def _sequence(items: Sequence[Item], behind: _Part, *, inside: bool) -> _Part:
    """Items and what follows them, from the last to the first; `inside` a repeat every end must be clear."""
    part = behind
    for code, value in reversed(items):
        part = _item(code, value, part, inside)
    return part


def _item(code: object, value: object, behind: _Part, inside: bool) -> _Part:
    match code:
        case codes.SUBPATTERN:
            return _sequence(tuple(value[3]), behind, inside=inside)  # type: ignore[index]
        case codes.BRANCH:
            return _branch([tuple(each) for each in value[1]], behind, inside)  # type: ignore[index]
        case codes.MAX_REPEAT | codes.MIN_REPEAT:
            least, most = int(value[0]), int(value[1])  # type: ignore[index]
            body = tuple(value[2])  # type: ignore[index]
            return _optional(body, behind, inside) if most == 1 else _repeat(least, most, body, behind, inside)
        case codes.AT:
            return replace(behind, empty=False)
        case codes.LITERAL | codes.NOT_LITERAL | codes.ANY | codes.IN:
            own = _characters(code, value)
            return _Part(own, False, behind.free, behind.ways, 0, behind.again or bool(own & behind.run))
    if str(code).startswith("ASSERT"):
        inner = _sequence(tuple(value[1]), _Part(), inside=inside)  # type: ignore[index]
        free, ways = behind.free + inner.free, behind.ways * inner.ways
        return _Part(behind.first, False, free, ways, behind.run, behind.again or inner.again or bool(inner.run))
    raise PatternError("back-references and conditions are not used: write out what is meant")


def _either(parts: Sequence[_Part], ways: int) -> _Part:
    """One of several."""
    if ways > _MOST_WAYS:
        raise PatternError("too many parts that may be divided in many ways, one behind the other")
    first = run = 0
    for part in parts:
        first, run = first | part.first, run | part.run
    return _Part(
        first=first,
        empty=any(part.empty for part in parts),
        free=max(part.free for part in parts),
        ways=ways,
        run=run,
        again=any(part.again for part in parts),
    )


def _branch(choices: list[tuple[Item, ...]], behind: _Part, inside: bool) -> _Part:
    parts = [_sequence(choice, behind, inside=inside) for choice in choices]
    overlap = any(one.first & other.first for at, one in enumerate(parts) for other in parts[:at])
    if inside and (overlap or sum(part.empty for part in parts) > 1):
        raise PatternError("alternatives within a repeat that begin alike, (a|ab)*: write them so that one fits")
    return _either(parts, sum(part.ways for part in parts) if overlap else max(part.ways for part in parts))


def _repeat(least: int, most: int, body: tuple[Item, ...], behind: _Part, inside: bool) -> _Part:
    alone = _sequence(body, _Part(), inside=True)
    if alone.empty:
        raise PatternError("a repeat of what may be empty, (a*)*: one of the two is enough")
    if _sequence(body, _Part(alone.first | behind.first, False), inside=True).free:
        raise PatternError("a repeat within a repeat whose end is not clear, (a+)+: one of the two is enough")
    unclear = not behind.empty and bool(alone.first & behind.first) and least != most
    if inside and unclear:
        raise PatternError("a repeat within a repeat whose end is not clear, (a+b?a)*: say what ends the inner one")
    plain = len(body) == 1 and body[0][0] in _SINGLE
    own = alone.first if plain else _ALL
    repeated = _Part(
        first=alone.first | (behind.first if least == 0 else 0),
        empty=least == 0 and behind.empty,
        free=behind.free + (unclear and most > _FEW),
        ways=behind.ways * (most - least + 1 if unclear and most <= _FEW else 1) * (1 if plain else _DEAR),
        run=0 if behind.empty or unclear else own | behind.run,
        again=behind.again or bool(own & behind.run),
    )
    return _either([repeated], repeated.ways)


def _optional(body: tuple[Item, ...], behind: _Part, inside: bool) -> _Part:
    """Where all that follows may be empty, nothing fails behind it: what is free in it counts for itself."""
    part = _sequence(body, behind, inside=inside)
    unclear = not behind.empty and bool(part.first & behind.first)
    if inside and unclear:
        raise PatternError("an option within a repeat that is not clear, (a?a)*: say when it is there")
    if behind.empty:
        alone = _sequence(body, _Part(), inside=inside)
        return replace(_either([alone, behind], max(alone.ways, behind.ways)), first=part.first | behind.first)
    return _either([part, behind], part.ways + behind.ways if unclear else max(part.ways, behind.ways))


_SINGLE = (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN)


def _characters(code: object, value: object) -> int:
    match code:
        case codes.LITERAL:
            return _bit(int(value))  # type: ignore[call-overload]
        case codes.NOT_LITERAL:
            return _without(_bit(int(value), exactly=True))  # type: ignore[call-overload]
        case codes.ANY:
            return _ALL
    found, negated = 0, False
    for kind, what in value:  # type: ignore[attr-defined]
        match kind:
            case codes.NEGATE:
                negated = True
            case codes.LITERAL:
                found |= _bit(what, exactly=negated)
            case codes.RANGE:
                low, high = what
                for number in range(low, min(high, 127) + 1):
                    found |= _bit(number, exactly=negated)
                found |= _OTHERS if high > 127 else 0
            case _:
                found |= _category(what)
    return _without(found) if negated else found


def _category(what: object) -> int:
    name = str(what).rpartition("_")[2]
    letter = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}.get(name, "")
    plain = sum(1 << number for number in range(128) if letter and re.match(letter, chr(number)))
    if not letter:
        return _ALL
    return (_ALL & ~plain) if "NOT" in str(what) else plain | _OTHERS


def _bit(number: int, *, exactly: bool = False) -> int:
    """A set that holds the character, in both cases: the pattern may not tell them apart."""
    if number >= 128:
        return _OTHERS
    letter = chr(number)
    return 1 << number if exactly else 1 << number | 1 << ord(letter.lower()) | 1 << ord(letter.upper())


def _without(found: int) -> int:
    """All others; not all characters beyond ASCII are meant when one is."""
    return _ALL & ~(found & ~_OTHERS)
