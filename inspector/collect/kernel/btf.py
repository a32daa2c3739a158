"""Where the running kernel keeps the fields of its structures, from its own type data (Documentation/bpf/btf.rst)."""

import struct
from collections.abc import Iterable
from pathlib import Path

_VMLINUX = Path("/sys/kernel/btf/vmlinux")
_HEADER = struct.Struct("<HBBIIIII")
_STRUCT, _UNION, _TYPEDEF, _FUNCTION = 4, 5, 8, 12
_MEMBER = struct.Struct("<III")
_WORDS = struct.Struct("<II").unpack_from
# Bytes after the 12-byte head of each kind: a plain number, or a negative number of bytes per member (btf.h).
_EXTRA = {1: 4, 3: 12, _STRUCT: -12, _UNION: -12, 6: -8, 13: -8, 14: 4, 15: -12, 17: 4, 19: -12}
_STEP = tuple(_EXTRA.get(kind, 0) for kind in range(32))


class BtfError(Exception):
    """The kernel's type data is absent or lacks a field that a program needs."""


def kernel_offsets(fields: Iterable[str]) -> dict[str, int]:
    """Byte offsets of `struct.field` names in the running kernel; BtfError when it cannot tell them."""
    return kernel_type_data().offsets(fields)


def kernel_functions(names: Iterable[str]) -> dict[str, int]:
    """Type ids of those of these functions that the running kernel has; BtfError when it cannot tell them.

    Some 70 ms: ids are places in a list that must be walked.
    """
    return kernel_type_data().ids(_FUNCTION, names)


def kernel_tracepoint(name: str) -> int:
    """Type id of the arguments of a tracepoint; BtfError when the kernel has none."""
    wanted = f"btf_trace_{name}"
    found = kernel_type_data().ids(_TYPEDEF, [wanted])
    if wanted not in found:
        raise BtfError(f"this kernel has no tracepoint {name}")
    return found[wanted]


def kernel_type_data() -> "TypeData":
    """The type data of the running kernel; BtfError when it cannot be read."""
    try:
        return TypeData(_VMLINUX.read_bytes())
    except OSError as error:
        raise BtfError(f"the kernel's type data cannot be read ({error.strerror}: {_VMLINUX})") from None


class TypeData:
    """Type data of a kernel; types have no index, so they are walked once and only as far as is needed."""

    def __init__(self, raw: bytes) -> None:
        try:
            magic, _, _, head, types, types_size, strings, strings_size = _HEADER.unpack_from(raw)
        except struct.error:
            raise BtfError("the kernel's type data is cut off") from None
        if magic != 0xEB9F:
            raise BtfError("the kernel's type data has an unknown format")
        self._raw = raw
        self._names = raw[head + strings : head + strings + strings_size]
        self._next, self._end = head + types, min(head + types + types_size, len(raw))
        self._places = [0]
        self._structs: dict[int, int] = {}

    def offsets(self, fields: Iterable[str]) -> dict[str, int]:
        """Byte offsets of `struct.field` names; fields of anonymous inner structures count as their owner's.

        BtfError when there is no such field.
        """
        try:
            return {field: self._offset(field) for field in fields}
        except (struct.error, RecursionError, IndexError):
            raise BtfError("the kernel's type data is damaged") from None

    def function(self, name: str) -> int:
        """The number of a function's type, by which a tracing program is loaded; walks many types, some 40 ms.

        BtfError when there is none.
        """
        found = self.ids(_FUNCTION, [name])
        if name not in found:
            raise BtfError(f"this kernel has no function {name}")
        return found[name]

    def ids(self, kind: int, names: Iterable[str]) -> dict[str, int]:
        """Ids of the types of one kind with these names; a name that there is no such type of is left out.

        BtfError when the data is damaged.
        """
        wanted = {place + 1: name for name in names if (place := self._names.find(b"\0" + name.encode() + b"\0")) >= 0}
        found: dict[str, int] = {}
        seen = 1
        try:
            while len(found) < len(wanted) and self._walk(len(self._places) + 4096):
                for number in range(seen, len(self._places)):
                    name, info = _WORDS(self._raw, self._places[number])
                    if name in wanted and info >> 24 & 31 == kind:
                        found[wanted[name]] = number
                seen = len(self._places)
        except struct.error:
            raise BtfError("the kernel's type data is damaged") from None
        return found

    def _offset(self, field: str) -> int:
        owner, _, member = field.partition(".")
        bits = self._member(self._struct(owner), self._name(member))
        if bits is None:
            raise BtfError(f"this kernel has no field {field}")
        return bits // 8

    def _name(self, name: str) -> int:
        place = self._names.find(b"\0" + name.encode() + b"\0")
        if place < 0:
            raise BtfError(f"this kernel knows no {name}")
        return place + 1

    def _struct(self, name: str) -> int:
        key = self._name(name)
        while key not in self._structs:
            if not self._walk(len(self._places) + 4096):
                raise BtfError(f"this kernel has no structure {name}")
        return self._structs[key]

    def _walk(self, count: int) -> bool:
        """Know the places of at least `count` types; False when there are no more."""
        raw, place, places, structs = self._raw, self._next, self._places, self._structs
        begun = len(places)
        while place < self._end and len(places) < count:
            places.append(place)
            name, info = _WORDS(raw, place)
            kind = info >> 24 & 31
            if kind == _STRUCT:
                structs.setdefault(name, place)
            more = _STEP[kind]
            place += 12 + more if more >= 0 else 12 - more * (info & 0xFFFF)
        self._next = place
        return len(places) > begun

    def _member(self, place: int, wanted: int) -> int | None:
        """Bit offset of a member of the structure at `place`."""
        _, info = _WORDS(self._raw, place)
        mask = 0xFFFFFF if info >> 31 else 0xFFFFFFFF
        for index in range(info & 0xFFFF):
            name, kind, offset = self._member_row(place, index)
            if name == wanted:
                return offset & mask
            nested = self._member_of_anonymous(kind, wanted) if name == 0 else None
            if nested is not None:
                return (offset & mask) + nested
        return None

    def _member_row(self, place: int, index: int) -> tuple[int, int, int]:
        name, kind, offset = _MEMBER.unpack_from(self._raw, place + 12 + 12 * index)
        return name, kind, offset

    def _member_of_anonymous(self, kind: int, wanted: int) -> int | None:
        self._walk(kind + 1)
        if kind == 0 or kind >= len(self._places):
            return None
        place = self._places[kind]
        _, info = _WORDS(self._raw, place)
        return self._member(place, wanted) if info >> 24 & 31 in (_STRUCT, _UNION) else None
