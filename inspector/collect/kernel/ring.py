"""The reading end of a BPF ring buffer (kernel/bpf/ringbuf.c): records in the order in which they were reserved."""

import mmap
import struct

from .bpf import Map, MapKind
from .shared_words import SharedWords

_BUSY, _DISCARDED = 1 << 31, 1 << 30
_HEADER = 8
_GIVEN_BACK = 1 << 16
"""Bytes after which the kernel may write there again, while more is read."""
_LENGTH = struct.Struct("<I").unpack_from


class RingBuffer:
    """A BPF ring buffer of `size` bytes (a power of two) with its consumer."""

    def __init__(self, size: int, lost_at: int = 0) -> None:
        """`lost_at`: place of the control word that counts the records for which there was no room."""
        self._size, self.lost_at = size, lost_at
        self._map = Map(MapKind.RINGBUF, 0, 0, size)
        self.fd = self._map.fd
        page = mmap.PAGESIZE
        self._consumed = SharedWords(mmap.mmap(self.fd, page, mmap.MAP_SHARED))
        self._produced = SharedWords(mmap.mmap(self.fd, page, mmap.MAP_SHARED, mmap.PROT_READ, offset=page))
        self._data = mmap.mmap(self.fd, 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=2 * page)

    def drain(self) -> list[bytes]:
        """Every complete record that waits, removed from the buffer."""
        end, at = self._produced[0], self._consumed[0]
        data, last = self._data, self._size - 1
        given, records = at, list[bytes]()
        while at < end:
            place = at & last
            (length,) = _LENGTH(data, place)
            if length & _BUSY:
                break
            size = length & ~(_BUSY | _DISCARDED)
            if not length & _DISCARDED:
                records.append(data[place + _HEADER : place + _HEADER + size])
            at += (size + _HEADER + 7) & ~7
            if at - given > _GIVEN_BACK:
                self._consumed[0] = given = at
        self._consumed[0] = at
        return records

    def close(self) -> None:
        """Close the buffer."""
        self._consumed.close()
        self._produced.close()
        self._data.close()
        self._map.close()
