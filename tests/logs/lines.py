"""Reading a followed file to the end of what is there, as a test sees it."""

import os
from pathlib import Path

from inspector.collect.access.opening import OpenPath, open_regular
from inspector.collect.logs.tail import Change, FileTail, Lines


def follow(path: Path) -> FileTail:
    """Begin to follow a file from its first byte."""
    return FileTail(open_regular(os.fsencode(path)), OpenPath(os.fsencode(path)))


class Drain:
    """All lines and changes of a tail so far, in the order in which they came."""

    def __init__(self, tail: FileTail) -> None:
        self.tail = tail
        self.numbers: list[int] = []
        self.lines: list[bytes] = []
        self.changes: list[Change] = []

    def now(self) -> "Drain":
        """Read until two steps in a row have nothing to do."""
        idle = 0
        while idle < 2:
            items = self.tail.step()
            idle = 0 if items or self.tail.more else idle + 1
            for item in items:
                if isinstance(item, Lines):
                    self._take(item)
                else:
                    self.changes.append(item)
        return self

    def _take(self, new: Lines) -> None:
        texts = new.data.removesuffix(b"\n").split(b"\n")
        assert len(texts) == new.count
        self.numbers += range(new.first, new.first + new.count)
        self.lines += texts

    @property
    def what(self) -> list[str]:
        """Which changes came, in order."""
        return [change.what for change in self.changes]
