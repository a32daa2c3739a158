"""What was worked out from files, kept between runs by exactly what they are: device, inode, change time, size."""

import hashlib
import os
import time
from threading import Lock
from typing import Final, Generic, TypeVar

import msgspec

import inspector

from . import user_cache

T = TypeVar("T")
_MOST: Final = 4096
_LARGEST: Final = 32 << 20
_SETTLED_NS: Final = 2_000_000_000
"""Times of change move in steps of up to a second: what changed just now may change again unseen."""


class FileMemory(Generic[T]):
    """Values of one kind by file, the newest 4096; for several threads."""

    def __init__(self, kind: str, known_by: str, value: type[T]) -> None:
        """`known_by`: what else the values depend on. Of this version only: another one may find something else."""
        what = f"{inspector.__version__}\n{known_by}"
        self._name = f"{kind}-{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:24]}"
        self._decoder = msgspec.msgpack.Decoder(value)
        self._stored: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}
        self._passing: dict[str, bytes] = {}
        """Of files that changed just now: for this run only."""
        self._lock = Lock()

    def load(self) -> None:
        """Take what earlier runs left; nothing where that cannot be read."""
        self._stored = self._read()

    def find(self, status: os.stat_result) -> T | None:
        """What is known of the file with this status."""
        key = _key(status)
        with self._lock:
            raw = self._new.get(key) or self._stored.get(key) or self._passing.get(key)
        try:
            return self._decoder.decode(raw) if raw else None
        except (ValueError, msgspec.MsgspecError):
            return None

    def keep(self, status: os.stat_result, value: T) -> None:
        """Know this from now on; `status` is from before the file was read."""
        settled = time.time_ns() - status.st_ctime_ns > _SETTLED_NS
        with self._lock:
            values = self._new if settled else self._passing
            if len(values) >= _MOST:
                values.clear()
            values[_key(status)] = msgspec.msgpack.encode(value)

    def save(self) -> None:
        """Leave it for the next run, with what others left meanwhile; silently nothing where that is not possible."""
        with self._lock:
            new = dict(self._new)
        if new:
            kept = dict(list((self._read() | new).items())[-_MOST:])
            content = msgspec.msgpack.encode(kept)
            if len(content) <= _LARGEST:
                user_cache.write(self._name, content)

    def _read(self) -> dict[str, bytes]:
        try:
            return msgspec.msgpack.decode(user_cache.read(self._name, _LARGEST), type=dict[str, bytes])
        except (OSError, ValueError, msgspec.MsgspecError):
            return {}


def _key(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}:{status.st_ctime_ns}:{status.st_size}"
