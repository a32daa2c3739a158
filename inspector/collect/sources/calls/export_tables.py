"""Private export tables: arrays of function pointers that a driver hands out by an id, in place of names."""

import struct

import msgspec

from ...kernel.memory import Memory
from ...kernel.records import Looked

_WORD = 8
_MOST_BYTES = 4096


class ExportTable(msgspec.Struct, frozen=True):
    """What lies in one table."""

    entries: dict[int, int]
    """By index: addresses of functions."""
    lacking: tuple[int, ...]
    """Indices of NULL entries."""


def read_table(record: Looked) -> ExportTable | None:
    """The table that a look-up was answered with: its first word is its size in bytes, as in those of NVIDIA's driver
    and of the shims that imitate them. None where that is no size: then nobody knows where it ends.

    The kernel copied its beginning; of a larger one the rest is read as long as the process lives.
    """
    (size,) = struct.unpack_from("<Q", record.table.ljust(_WORD, b"\0"))
    if not 2 * _WORD <= size <= _MOST_BYTES or size % _WORD:
        return None
    raw = record.table[:size]
    if size > len(raw):
        try:
            with Memory(record.pid) as memory:
                raw = memory.read(record.answer, size)
        except OSError:
            pass  # it ended meanwhile
    words = struct.unpack(f"<{len(raw) // _WORD}Q", raw[: len(raw) // _WORD * _WORD])
    entries = {index: word for index, word in enumerate(words) if index and word}
    return ExportTable(entries, tuple(index for index, word in enumerate(words) if not word))


OF_TABLE = "cuGetExportTable["
"""How the names of entries begin."""


def entry_name(table: str, index: int) -> str:
    """`cuGetExportTable[6bd5fb6c][3]`: nobody outside of the vendor knows a better one."""
    return f"{OF_TABLE}{table.split('-')[0]}][{index}]"
