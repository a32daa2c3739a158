"""Many names searched at once: all of them as one text, in which whole passes of C take the place of a Python loop."""

import re
from collections.abc import Sequence
from typing import Final

_END, _HIT, _LAST_HIT = b"\0", b"\1", b"\2"
_LOWER: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" + _HIT, b"abcdefghijklmnopqrstuvwxyz" + _LAST_HIT)
"""Case does not matter; a name that holds our own mark holds another byte instead."""
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
        return self._mask(start + wanted, start + _HIT)

    def _mask(self, wanted: bytes, mark: bytes) -> bytes:
        """Mark each hit, drop all bytes but marks and ends, fold the marks of a name and its end into one byte."""
        if len(wanted) == 1:
            marked, hits = self._text.replace(wanted, mark), int(wanted in self._text)
        else:  # faster than bytes.replace, which looks for all hits twice
            marked, hits = re.subn(re.escape(wanted) + b"[^\\0]*", mark, self._text)
        if not hits:
            return bytes(self._count)
        return marked.translate(None, _NO_MARKS).replace(_HIT + _END, _LAST_HIT).translate(_MASK, _HIT)[1:]
