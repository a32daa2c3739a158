"""Many names searched at once: all of them as one text, in which whole passes of C take the place of a Python loop."""

import re
from collections.abc import Sequence
from typing import Final

_END, _HIT, _LAST_HIT = b"\0", b"\1", b"\2"
_LOWER: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" + _HIT, b"abcdefghijklmnopqrstuvwxyz" + _LAST_HIT)
"""Case does not matter; a name that holds our own mark holds another byte instead."""
_FEW: Final = 16
"""Names that are marked one by one."""
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

    def _few(self, wanted: bytes, ahead: int) -> bytes | None:
        """The mask when few names hold it; None when it is better to mark all at once."""
        found, number, at = bytearray(self._count), 0, 0
        for _ in range(_FEW):
            hit = self._text.find(wanted, at)
            if hit < 0:
                return bytes(found)
            number += self._text.count(_END, at, hit + ahead)
            found[number - 1] = 1
            at = self._text.find(_END, hit + ahead)
        return None

    def _marked_byte(self, wanted: bytes) -> bytes:
        """A mark for each hit of one byte, and the ends."""
        return self._text.translate(bytes.maketrans(wanted, _HIT), bytes({*_NO_MARKS} - {*wanted}))

    def _marked(self, wanted: bytes, mark: bytes) -> bytes:
        """A mark for each name that holds it, and the ends; faster than bytes.replace, which looks for hits twice."""
        return re.sub(re.escape(wanted) + b"[^\\0]*", mark, self._text).translate(None, _NO_MARKS)

    def _folded(self, marks: bytes) -> bytes:
        """The marks of a name and its end as one byte."""
        return marks.replace(_HIT + _END, _LAST_HIT).translate(_MASK, _HIT)[1:]
