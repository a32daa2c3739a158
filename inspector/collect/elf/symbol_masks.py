"""Which symbols of a table are exported, local or missing, told in bulk: a library may have half a million of them.

Columns of the table are taken by strided slices, judged by `bytes.translate` and joined as large numbers: all in C,
some fifty times faster than an object a symbol. Layouts and numbers: elf(5).
"""

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import compress
from operator import or_
from typing import Final

import msgspec

from .file import CLASS_64, Layout

_ABSOLUTE: Final = 0xFFF1
_TLS, _FUNCTION, _INDIRECT_FUNCTION = 6, 2, 10


def _table(holds: Callable[[int], bool]) -> bytes:
    """For `bytes.translate`: one where a byte holds, else zero."""
    return bytes(holds(byte) for byte in range(256))


_SET: Final = _table(lambda byte: byte != 0)
_IS_ABSOLUTE_LOW: Final = _table(lambda byte: byte == _ABSOLUTE & 0xFF)
_IS_ABSOLUTE_HIGH: Final = _table(lambda byte: byte == _ABSOLUTE >> 8)
_IS_TLS: Final = _table(lambda info: info & 15 == _TLS)
_IS_FUNCTION: Final = _table(lambda info: info & 15 in (_FUNCTION, _INDIRECT_FUNCTION))
_NOT_LOCAL: Final = _table(lambda info: info >> 4 != 0)
_BINDABLE: Final = _table(lambda other: other & 3 not in (1, 2))


class SymbolMasks(msgspec.Struct, frozen=True):
    """One byte a symbol, in table order: one where it is so, else zero."""

    exported: bytes
    """Defined and visible: the loader may bind to it."""
    local: bytes
    """Defined and not visible."""
    missing: bytes
    """Expected from elsewhere."""
    functions: bytes

    @classmethod
    def of(cls, raw: bytes, layout: Layout) -> "SymbolMasks":
        """Judge a whole table as it lies in the file."""
        size = layout.symbol.size
        info_at, other_at, section_at, value_at, value_size = (
            (4, 5, 6, 8, 8) if layout is CLASS_64 else (12, 13, 14, 4, 4)
        )
        info, low, high = raw[info_at::size], raw[section_at::size], raw[section_at + 1 :: size]
        count, everyone = len(info), _number(b"\1" * len(info))
        section = _number(low.translate(_SET)) | _number(high.translate(_SET))
        value = reduce(or_, (_number(raw[value_at + each :: size].translate(_SET)) for each in range(value_size)))
        absolute = _number(low.translate(_IS_ABSOLUTE_LOW)) & _number(high.translate(_IS_ABSOLUTE_HIGH))
        # The linker adds an absolute symbol without value for each version node; it is no name to bind to.
        defined = section & (value | (_number(info.translate(_IS_TLS)) & ~absolute))
        visible = _number(info.translate(_NOT_LOCAL)) & _number(raw[other_at::size].translate(_BINDABLE))
        masks = (defined & visible, defined & ~visible, everyone & ~section, _number(info.translate(_IS_FUNCTION)))
        return cls(*((mask & everyone).to_bytes(count, "little") for mask in masks))

    @property
    def defined_functions(self) -> bytes:
        """Functions whose code is in this file."""
        defined = _number(self.exported) | _number(self.local)
        return (_number(self.functions) & defined).to_bytes(len(self.functions), "little")


def places(mask: bytes) -> Iterator[int]:
    """The symbols that a mask tells."""
    return compress(range(len(mask)), mask)


def both(one: bytes, other: bytes) -> bytes:
    """The symbols that two masks tell."""
    return (_number(one) & _number(other)).to_bytes(len(one), "little")


def _number(column: bytes) -> int:
    return int.from_bytes(column, "little")
