"""What was read of files: kept while the collector runs, and for the next run, which then reads nothing twice.

A file counts as the same by device, inode, change time and size, and only for the very same watch plan.
"""

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Final

import msgspec

import inspector
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import Plan

from ..access import user_cache
from .file import ElfFile

_MOST: Final = 1024
_MOST_STORED: Final = 4096
_LARGEST: Final = 64 << 20


class ImageCache:
    """The images of one watch plan, least recently used first; for several threads."""

    def __init__(self, plan: Plan) -> None:
        known_by = inspector.__version__.encode() + msgspec.json.encode(plan)
        self._name = f"images-{hashlib.sha256(known_by).hexdigest()[:24]}"
        self._kept: OrderedDict[str, ImageRead] = OrderedDict()
        self._stored: dict[str, bytes] = {}
        self._fresh = False
        self._lock = Lock()

    def load(self) -> None:
        """Take what an earlier run left; nothing where that cannot be read."""
        try:
            stored = msgspec.msgpack.decode(user_cache.read(self._name, _LARGEST), type=dict[str, bytes])
        except (OSError, ValueError, msgspec.MsgspecError):  # ValueError: text that is not UTF-8
            return
        with self._lock:
            self._stored = stored

    def find(self, elf: ElfFile) -> ImageRead | None:
        """What is known of an open file."""
        key = _key(elf)
        with self._lock:
            image = self._kept.get(key)
            if image is None and key in self._stored:
                try:
                    image = msgspec.msgpack.decode(self._stored[key], type=ImageRead)
                except (ValueError, msgspec.MsgspecError):
                    del self._stored[key]
                    return None
                self._kept[key] = image
            return image

    def keep(self, elf: ElfFile, image: ImageRead) -> None:
        """Know this from now on."""
        with self._lock:
            self._fresh = True
            self._kept[_key(elf)] = image
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def save(self) -> None:
        """Leave it for the next run, the newest `_MOST_STORED` files; silently nothing where that is not possible."""
        with self._lock:
            if not self._fresh:
                return
            new = {key: msgspec.msgpack.encode(image) for key, image in self._kept.items() if key not in self._stored}
            stored = dict(list({**self._stored, **new}.items())[-_MOST_STORED:])
        content = msgspec.msgpack.encode(stored)
        if len(content) <= _LARGEST:
            user_cache.write(self._name, content)


def _key(elf: ElfFile) -> str:
    return f"{elf.identity}:{elf.changed}:{elf.size}"
