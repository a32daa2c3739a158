"""Many names searched at once: all of them as one text, in which whole passes of C take the place of a Python loop."""

import re
from collections.abc import Sequence
from typing import Final

from inspector.stream.joined_texts import within_one
from inspector.stream.patterns import Pattern

_END, _HIT, _LAST_HIT = b"\0", b"\1", b"\2"
_LOWER: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" + _HIT, b"abcdefghijklmnopqrstuvwxyz" + _LAST_HIT)
"""Case does not matter; a name that holds our own mark holds another byte instead."""
_FEW: Final = 16
"""Names that are always marked one by one."""
_APART: Final = 600
"""Bytes between two hits from which on it is faster to mark one by one, as measured."""
_SAMPLED: Final = 64
"""A sample is this part of all."""
_PIECES: Final = 16
_REST_OF_NAME: Final = b"[^\\0]*"
_NO_MARKS: Final = bytes(range(2, 256))
_MASK: Final = bytes.maketrans(_LAST_HIT, b"\1")


def lowered(names: Sequence[bytes]) -> list[bytes]:
    """The names as they are searched: ASCII letters small."""
    return _END.join(names).translate(_LOWER).split(_END) if names else []


class NameText:
    """Names without NUL bytes, each ended by one."""

    def __init__(self, names: Sequence[bytes]) -> None:
        """`names` as `lowered` gives them."""
        self._text = _END.join((b"", *names, b""))
        self._count = len(names)

    def __len__(self) -> int:
        return self._count

    def names(self) -> list[bytes]:
        """They again, in order."""
        return self._text.split(_END)[1:-1]

    def holding(self, needle: str) -> bytes:
        """A mask, one byte a name: 1 where the name holds the needle, or with a leading `^` begins with it."""
        start = _END if needle.startswith("^") else b""
        wanted = needle.removeprefix("^").encode(errors="replace").translate(_LOWER).replace(_END, _LAST_HIT)
        if len(wanted) == 1 and not start:
            return self._folded(self._marked_byte(wanted))
        found = self._few(start + wanted, len(start))
        return self._folded(self._marked(start + wanted, start + _HIT)) if found is None else found

    def matching(self, pattern: Pattern) -> bytes:
        """A mask, one byte a name: 1 where an expression matches; in one pass where it stays within a name."""
        within = within_one(pattern.expression, _END)
        if within is not None:
            marks = re.sub(b"(?:%s)%s" % (within, _REST_OF_NAME), _HIT, self._text).translate(None, _NO_MARKS)
            return self._folded(marks)
        search = re.compile(pattern.expression, re.IGNORECASE).search
        names = self._text.decode("utf-8", "backslashreplace").split("\0")[1:-1]
        return bytes([search(name) is not None for name in names])

    def _few(self, wanted: bytes, ahead: int) -> bytes | None:
        """The mask, hit by hit; None when there are so many that it is better to mark all at once."""
        most = len(self._text) // _APART
        if self._sampled(wanted) > most:
            return None
        found, number, at = bytearray(self._count), 0, 0
        for hits, hit in enumerate(re.finditer(re.escape(wanted) + _REST_OF_NAME, self._text)):
            if hits > most + _FEW:
                return None
            begin, end = hit.span()
            number += self._text.count(_END, at, begin + ahead)
            found[number - 1] = 1
            at = end
        return bytes(found)

    def _sampled(self, wanted: bytes) -> int:
        """About how often it occurs, from some pieces: names that begin alike lie together."""
        size = len(self._text) // _SAMPLED
        pieces = range(0, len(self._text), max(1, len(self._text) // _PIECES))
        return sum(self._text.count(wanted, at, at + size // _PIECES) for at in pieces) * _SAMPLED

    def _marked_byte(self, wanted: bytes) -> bytes:
        """A mark for each hit of one byte, and the ends."""
        return self._text.translate(bytes.maketrans(wanted, _HIT), bytes({*_NO_MARKS} - {*wanted}))

    def _marked(self, wanted: bytes, mark: bytes) -> bytes:
        """A mark for each name that holds it, and the ends; faster than bytes.replace, which looks for hits twice."""
        return re.sub(re.escape(wanted) + _REST_OF_NAME, mark, self._text).translate(None, _NO_MARKS)

    def _folded(self, marks: bytes) -> bytes:
        """The marks of a name and its end as one byte."""
        return marks.replace(_HIT + _END, _LAST_HIT).translate(_MASK, _HIT)[1:]
