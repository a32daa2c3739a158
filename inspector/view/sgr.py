"""Stretches of cells as bytes for a terminal, with the fewest changes of place and colour. Pure."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

NEAR = 6
"""Equal cells between two differing ones that are cheaper to send again than to jump over."""


class Stretch(NamedTuple):
    """Cells beside each other that are to be drawn."""

    y: int
    x: int
    texts: list[str]
    codes: list[str]
    whole: bool = False
    """To the end of a line, and in one go: the terminal may count its cells otherwise than we do."""
    last: bool = False
    """It ends with the line."""


class _Look(NamedTuple):
    """An SGR code taken apart."""

    attributes: str
    colour: str
    background: str


@lru_cache(maxsize=4096)
def _look(code: str) -> _Look:
    """Attributes, foreground and background of a code, each as SGR parameters."""
    parts: dict[str, list[str]] = {"attributes": [], "colour": [], "background": []}
    numbers = code.split(";") if code else []
    while numbers:
        first = numbers[0]
        length = {"2": 5, "5": 3}.get(numbers[1], 1) if first in ("38", "48") and len(numbers) > 1 else 1
        background = len(first) == 3 or (len(first) == 2 and first[0] == "4")
        kind = "background" if background else "colour" if len(first) == 2 and first[0] in "39" else "attributes"
        parts[kind] += numbers[:length]
        numbers = numbers[length:]
    return _Look(*(";".join(part) for part in parts.values()))


@lru_cache(maxsize=4096)
def _change(old_code: str, code: str) -> str:
    """The bytes that lead from one code to the other: only what differs between two looks."""
    old, new = _look(old_code), _look(code)
    if old.attributes != new.attributes or not code:
        return f"\x1b[0;{code}m" if code else "\x1b[0m"
    changed = []
    if old.colour != new.colour:
        changed.append(new.colour or "39")
    if old.background != new.background:
        changed.append(new.background or "49")
    return f"\x1b[{';'.join(changed)}m" if changed else ""


class _Piece(NamedTuple):
    """Cells beside each other of one code."""

    y: int
    x: int
    code: str
    text: str
    end: int
    """Column behind it; where the cursor is then."""


def drawn(stretches: list[Stretch]) -> str:
    """What draws these stretches, from left to right or one colour after the other, whichever is shorter."""
    pieces = [list(_pieces(stretch)) for stretch in stretches]
    in_order = _written(piece for some in pieces for piece in some)
    if len(stretches) < 3:
        return in_order
    by_code: dict[str, list[_Piece]] = {}
    rest: list[_Piece] = []
    for stretch, some in zip(stretches, pieces, strict=True):
        for piece in some:
            (rest if stretch.whole else by_code.setdefault(piece.code, [])).append(piece)
    by_colour = _written([*(piece for some in by_code.values() for piece in some), *rest])
    return min(in_order, by_colour, key=len)


def _pieces(stretch: Stretch) -> Iterator[_Piece]:
    texts, codes, start = stretch.texts, stretch.codes, 0
    stop = _blank_from(stretch) if stretch.last else len(texts)
    for x in range(1, stop + 1):
        if x == stop or codes[x] != codes[start]:
            if start < stop:
                text = "".join(texts[start:x])
                yield _Piece(stretch.y, stretch.x + start, codes[start], text, stretch.x + x)
            start = x
    if stop < len(texts):
        yield _Piece(stretch.y, stretch.x + stop, "", "\x1b[K", stretch.x + stop)


def _blank_from(stretch: Stretch) -> int:
    """Where the blank rest of a line begins that can be erased instead of written: only without any colour."""
    stop = len(stretch.texts)
    while stop and stretch.texts[stop - 1] == " " and stretch.codes[stop - 1] in ("", "39;49", "49"):
        stop -= 1
    return stop if len(stretch.texts) - stop > 3 else len(stretch.texts)


def _written(pieces: Iterable[_Piece]) -> str:
    out: list[str] = []
    code, y, x = "", -1, -1
    for piece in pieces:
        if (piece.y, piece.x) != (y, x):
            out.append(f"\x1b[{piece.y + 1};{piece.x + 1}H")
        if piece.code != code:
            out.append(_change(code, piece.code))
        out.append(piece.text)
        code, y, x = piece.code, piece.y, piece.end
    out.append(_change(code, "") if code else "")
    return "".join(out)
