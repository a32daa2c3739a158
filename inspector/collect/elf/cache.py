"""/etc/ld.so.cache: which path ldconfig(8) wrote down for a name (glibc sysdeps/generic/dl-cache.h, elf/cache.c)."""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from .file import cstring
from .processors.here import HERE

_OLD_MAGIC: Final = b"ld.so-1.7.0\0"
_OLD_HEADER: Final = struct.Struct("<12sI")
_OLD_ENTRY: Final = 12
_NEW_MAGIC: Final = b"glibc-ld.so.cache1.1"
_NEW_HEADER: Final = struct.Struct("<20sIIBxxxI12x")
_ENTRY: Final = struct.Struct("<iIIIQ")
_EXTENSION_MAGIC: Final = 0xEAA42174
_HWCAPS_TAG: Final = 1
_HWCAPS_ENTRY: Final = 1 << 62
"""Bit of an entry's hwcap: its low half is the number of a glibc-hwcaps folder."""
_MOST_ENTRIES: Final = 1_000_000

ELF_ANY: Final = 0x0001


class CacheEntry(msgspec.Struct, frozen=True):
    """One line of `ldconfig -p`."""

    name: bytes
    path: bytes
    flags: int
    hwcaps: bytes = b""
    """Folder of glibc-hwcaps that it lies in: `x86-64-v3`."""


class LoaderCache(msgspec.Struct, frozen=True):
    """The entries by name, in the order in which the loader meets them."""

    entries: Mapping[bytes, Sequence[CacheEntry]] = msgspec.field(default_factory=dict)
    problem: str = ""
    """Why the cache is not used, in words; empty when it is fine."""

    def find(self, name: bytes, hwcaps: Sequence[bytes], flags: int = HERE.loader.cache_flags) -> bytes | None:
        """The path that the loader takes for a name; `hwcaps`: the folders that this processor can use, best
        first; `flags`: those of its entries."""
        usable = [entry for entry in self.entries.get(name, ()) if entry.flags in (flags, ELF_ANY)]
        for folder in hwcaps:
            for entry in usable:
                if entry.hwcaps == folder:
                    return entry.path
        plain = [entry for entry in usable if not entry.hwcaps]
        exact = [entry for entry in plain if entry.flags == flags]
        return next((entry.path for entry in exact or plain), None)


def parse_cache(raw: bytes) -> LoaderCache:
    """A whole cache file; a damaged one has no entries and says why."""
    start = 0
    if raw.startswith(_OLD_MAGIC) and len(raw) >= _OLD_HEADER.size:
        _, count = _OLD_HEADER.unpack_from(raw)
        start = -(-(_OLD_HEADER.size + count * _OLD_ENTRY) // 8) * 8
    cache = raw[start:] if start else raw
    if not cache.startswith(_NEW_MAGIC):
        return LoaderCache(problem="not a cache of a glibc newer than 2.2" if raw else "empty")
    if len(cache) < _NEW_HEADER.size:
        return LoaderCache(problem="truncated")
    _, count, _, _, extensions = _NEW_HEADER.unpack_from(cache)
    if count > _MOST_ENTRIES or _NEW_HEADER.size + count * _ENTRY.size > len(cache):
        return LoaderCache(problem=f"truncated: it claims {count:,} entries")
    folders = _hwcaps_folders(cache, extensions)
    entries: dict[bytes, list[CacheEntry]] = {}
    for flags, key, value, _, hwcap in _ENTRY.iter_unpack(cache[_NEW_HEADER.size :][: count * _ENTRY.size]):
        folder = _folder(hwcap, folders)
        if folder is not None:
            name = cstring(cache, key)
            entries.setdefault(name, []).append(CacheEntry(name, cstring(cache, value), flags, folder))
    return LoaderCache(entries)


def _folder(hwcap: int, folders: Sequence[bytes]) -> bytes | None:
    """The glibc-hwcaps folder of an entry, empty for none; None for one that cannot be told."""
    if not hwcap & _HWCAPS_ENTRY:
        return b"" if not hwcap else None
    number = hwcap & 0xFFFFFFFF
    return folders[number] if number < len(folders) else None


def _hwcaps_folders(cache: bytes, at: int) -> list[bytes]:
    """Names of the glibc-hwcaps folders by number, from the extension directory at the end of the file."""
    if not at or at + 8 > len(cache):
        return []
    magic, count = struct.unpack_from("<II", cache, at)
    if magic != _EXTENSION_MAGIC:
        return []
    for place in range(at + 8, min(at + 8 + 16 * min(count, 64), len(cache) - 15), 16):
        tag, _, offset, size = struct.unpack_from("<IIII", cache, place)
        if tag == _HWCAPS_TAG:
            words = cache[offset : offset + size]
            return [cstring(cache, string) for (string,) in struct.iter_unpack("<I", words[: len(words) & ~3])]
    return []
