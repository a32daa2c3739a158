"""Programs rewritten for kernels and probes that lack the attach cookie (bpf_get_attach_cookie, Linux 5.15)."""

import struct

from .assembler import Assembler, Helper, Reg
from .registers import HERE

_INSTRUCTION = struct.Struct("<BBhi")
_CALL, _EXIT = 0x85, 0x95
_JUMP_CLASSES = (0x05, 0x06)
PAGE = 4096


def with_constant_cookie(code: bytes, cookie: int) -> bytes:
    """The program for one place alone: its cookie is a constant."""
    constant = Assembler()
    constant.constant(Reg.R0, cookie)
    return _replace_cookie(code, constant.build())


def with_cookie_by_place(code: bytes, table: int) -> bytes:
    """The program for places in different positions of their pages: a one-entry array of PAGE words has the cookies.

    `table` is the map's descriptor. The position in the page is that of the file, wherever it is mapped.
    """
    by_place = Assembler()
    by_place.load(Reg.R1, Reg.R1, HERE.ip)
    by_place.compute("and", Reg.R1, PAGE - 1)
    by_place.compute("lsh", Reg.R1, 3)
    by_place.map_value(Reg.R0, table)
    by_place.add(Reg.R0, Reg.R1)
    by_place.load(Reg.R0, Reg.R0, 0)
    return _replace_cookie(code, by_place.build())


def _replace_cookie(code: bytes, instead: bytes) -> bytes:
    """Each call of the helper becomes other instructions; jumps across them are lengthened."""
    old = list(_INSTRUCTION.iter_unpack(code))
    new = list(_INSTRUCTION.iter_unpack(instead))
    places: list[int] = []
    size = 0
    for instruction in old:
        places.append(size)
        size += len(new) if _asks_cookie(instruction) else 1
    places.append(size)
    replaced: list[tuple[int, int, int, int]] = []
    for index, (operation, registers, offset, immediate) in enumerate(old):
        if _asks_cookie(old[index]):
            replaced += new
            continue
        if operation & 7 in _JUMP_CLASSES and operation not in (_CALL, _EXIT):
            offset = places[index + 1 + offset] - places[index] - 1
        replaced.append((operation, registers, offset, immediate))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in replaced)


def _asks_cookie(instruction: tuple[int, ...]) -> bool:
    return instruction[0] == _CALL and instruction[3] == Helper.ATTACH_COOKIE
