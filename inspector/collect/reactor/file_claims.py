"""Which files were looked at, and who looks at one now: known to all processes that set probes, and to the kernel."""

import time
from collections.abc import Iterable

from ..kernel.early_programs import CLAIMED, COUNTED, UNRELATED, EarlyMaps

_PATIENCE_NS = 5_000_000
"""So long one waits for another one that sets the probes of the same file."""
_LOOK_SECONDS = 0.0001


class FileClaims:
    """By the kernel's key of a file (FILE_KEY)."""

    def __init__(self, maps: EarlyMaps) -> None:
        self._files = maps.files

    def is_known(self, key: bytes) -> bool:
        """It needs no look any more, or somebody looks at it."""
        return self._files.get(key) is not None

    def claim(self, key: bytes) -> bool:
        """Whether the caller is the one who looks at this file: it has to `settle` it. OSError: too many files."""
        return self._files.add(key, _value(CLAIMED))

    def settle(self, key: bytes, *, related: bool) -> None:
        """It was looked at."""
        self._files.put(key, _value(COUNTED if related else UNRELATED))

    def wait(self, key: bytes) -> None:
        """Return when whoever has claimed it has settled it, or when that takes too long."""
        until = time.monotonic_ns() + _PATIENCE_NS
        while self._files.get(key) == _value(CLAIMED) and time.monotonic_ns() < until:
            time.sleep(_LOOK_SECONDS)

    def skip(self, keys: Iterable[bytes]) -> None:
        """These define no function of interest, as an earlier run found out."""
        for key in keys:
            self.settle(key, related=False)

    def unrelated(self) -> list[bytes]:
        """The files that were found to define no function of interest."""
        return [key for key, value in self._files.items() if value == _value(UNRELATED)]


def _value(state: int) -> bytes:
    return state.to_bytes(4, "little")
