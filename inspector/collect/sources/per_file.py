"""A cache of judgments about mapped files: processes map the same few libraries, so each file is judged once."""

from collections.abc import Callable
from typing import Generic, TypeVar

from inspector.stream.libraries import ImageRead

T = TypeVar("T")
_MOST = 4096


class PerFile(Generic[T]):
    """Judgments keyed by the identity of the file (device and inode)."""

    def __init__(self, judge: Callable[[ImageRead], T]) -> None:
        """`judge` looks at the facts of the file alone."""
        self._judge = judge
        self._known: dict[str, T] = {}

    def of(self, image: ImageRead) -> T:
        """The answer for a file."""
        if image.file not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[image.file] = self._judge(image)
        return self._known[image.file]
