"""Which line an instruction belongs to, from a code object's table of lines as it lies in memory.

3.10: Objects/lnotab_notes.txt, pairs of distances. 3.11 and later: Objects/locations.md (InternalDocs/code_objects.md
since 3.14), entries of one to five code units with a head byte.
"""

from collections.abc import Iterator

_NO_LINE = -128
_LONG, _NO_COLUMNS, _NONE = 14, 13, 15
_UNIT = 2


def line_of(table: bytes, first: int, offset: int, *, pairs: bool) -> int | None:
    """The line of the instruction at a byte offset; None when it has none, or the table ends before it.

    `pairs`: the table has the form of 3.10.
    """
    rows = _pairs(table, first) if pairs else _locations(table, first)
    return next((line for begin, end, line in rows if begin <= offset < end), None)


def _pairs(table: bytes, first: int) -> Iterator[tuple[int, int, int | None]]:
    line, end = first, 0
    for place in range(0, len(table) - 1, 2):
        begin, delta = end, table[place + 1] - 256 if table[place + 1] >= 128 else table[place + 1]
        end += table[place]
        line += delta if delta != _NO_LINE else 0
        yield begin, end, line if delta != _NO_LINE else None


def _locations(table: bytes, first: int) -> Iterator[tuple[int, int, int | None]]:
    """Of an entry that is cut off nothing is told."""
    line, end, place = first, 0, 0
    while place < len(table):
        head = table[place]
        kind = head >> 3 & 15
        body = place + 1
        place = next((at for at in range(body, len(table)) if table[at] & 0x80), len(table))
        if kind in (_LONG, _NO_COLUMNS):
            delta = _signed_varint(table[body:place])
            if delta is None:
                return
            line += delta
        elif 10 <= kind <= 12:
            line += kind - 10
        begin, end = end, end + _UNIT * ((head & 7) + 1)
        yield begin, end, None if kind == _NONE else line


def _signed_varint(raw: bytes) -> int | None:
    """Six bits a byte, the lowest first; the lowest bit of all is the sign."""
    value, shift = 0, 0
    for byte in raw:
        value |= (byte & 0x3F) << shift
        shift += 6
        if not byte & 0x40:
            return -(value >> 1) if value & 1 else value >> 1
    return None
