"""Which files were looked at, and who looks at one now: known to all processes that set probes, and to the kernel."""

import os
import time
from collections.abc import Iterable

from ..kernel.early_programs import CLAIMED, COUNTED, UNRELATED, EarlyMaps, file_key

_PATIENCE_NS = 5_000_000
"""So long one waits for another one that sets the probes of the same file."""
_PROBED, _CONTENT = 1 << 63, 1 << 62
"""Mark keys of our own by a bit that no inode has: a file with probes, and what it held when it got them."""


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
        """Return when whoever has claimed it has settled it, or when that takes too long.

        The processor is left to threads of the same priority only: a program must not go on there meanwhile.
        """
        until = time.monotonic_ns() + _PATIENCE_NS
        while self._files.get(key) == _value(CLAIMED) and time.monotonic_ns() < until:
            os.sched_yield()

    def probe(self, status: os.stat_result) -> bool:
        """Whether the caller is to set the probes of a file; else it has some: a link, a rename or other rights give
        a file another key, and a write leaves the probes of what it was until the collector has let them go."""
        return self._files.add(_of_file(status.st_dev, status.st_ino), _value(COUNTED))

    def probed(self, status: os.stat_result) -> None:
        """Probes are set for what it holds now."""
        self._files.put(_of_content(status), _value(COUNTED))

    def is_as_probed(self, status: os.stat_result) -> bool:
        """Whether its probes were set for what it holds now."""
        return self._files.get(_of_content(status)) is not None

    def forget(self, key: bytes) -> None:
        """Have a file looked at again when it is met."""
        self._files.delete(key)

    def release(self, device: int, inode: int) -> None:
        """A file that was written to has no probe any more."""
        self._files.delete(_of_file(device, inode))

    def skip(self, keys: Iterable[bytes]) -> None:
        """These define no function of interest, as an earlier run found out."""
        for key in keys:
            self.settle(key, related=False)

    def unrelated(self) -> list[bytes]:
        """The files that were found to define no function of interest."""
        return [key for key, value in self._files.items() if value == _value(UNRELATED)]


def _of_file(device: int, inode: int) -> bytes:
    return file_key(inode | _PROBED, device, 0)


def _of_content(status: os.stat_result) -> bytes:
    return file_key(status.st_ino | _CONTENT, status.st_dev, status.st_mtime_ns)


def _value(state: int) -> bytes:
    return state.to_bytes(4, "little")
