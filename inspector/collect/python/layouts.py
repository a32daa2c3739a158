"""Where CPython 3.10 to 3.14 keeps its frames: from tables by version, or since 3.13 as it says itself.

Offsets of 3.10 to 3.12 are those of offsetof() with the headers of 3.10.13, 3.11.7 and 3.12.1 on x86-64; they do not
change within a minor version. 3.13 and later carry them in their memory (_Py_DebugOffsets, internal/pycore_runtime.h).
"""

import struct
from collections.abc import Callable

import msgspec

from ..elf.file import ElfError, ElfFile
from ..elf.symbols import SymbolTable
from ..kernel.interpreter_fields import ABSENT, OFFSETS, PYTHON

RUNTIME = b"_PyRuntime"
_TYPE, _VERSION, _SINCE_3_10 = b"PyCode_Type", b"Py_Version", b"Py_NewRef"
_COOKIE = b"xdebugpy"
_READ = 1024
_WORD = struct.Struct("<Q")
Read = Callable[[int, int], bytes]
"""Bytes at an address of the process; OSError when they cannot be read."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets in bytes from the beginning of each structure; `interpreters` from that of _PyRuntime."""

    version: tuple[int, int]
    interpreters: int
    interpreter_next: int = 0
    threads: int
    thread_next: int = 8
    thread_id: int
    thread_frame: int
    via: int = ABSENT
    """Where the thread leads to a _PyCFrame first: the current frame in that (3.11, 3.12)."""
    frame_code: int = 0
    frame_back: int = 8
    frame_instruction: int = 56
    frame_owner: int = 70
    type: int = 8
    file: int = 112
    name: int = 128
    """co_qualname, in 3.10 co_name."""
    first_line: int = 68
    line_table: int = 136
    text_length: int = 16
    text_state: int = 32
    text_ascii: int = 40
    text_compact: int = 56
    bytes_size: int = 16
    bytes_data: int = 32
    code: int
    """Where the instructions begin in a code object; 0 where frames count instructions (3.10)."""


_BY_VERSION = {
    (3, 10): Layout(
        version=(3, 10), interpreters=32, threads=8, thread_id=176, thread_frame=24, frame_code=32, frame_back=24,
        frame_instruction=96, frame_owner=ABSENT, file=104, name=112, first_line=40, line_table=120, text_ascii=48,
        text_compact=72, code=0,
    ),
    (3, 11): Layout(
        version=(3, 11), interpreters=40, threads=16, thread_id=152, thread_frame=56, via=8, frame_code=32,
        frame_back=48, frame_owner=69, first_line=72, text_ascii=48, text_compact=72, code=184,
    ),
    (3, 12): Layout(version=(3, 12), interpreters=40, threads=72, thread_id=136, thread_frame=56, via=0, code=192),
}  # fmt: skip
_STRUCTURES = {
    (3, 13): (
        "runtime size finalizing interpreters",
        "interpreter size id next threads gc modules sysdict builtins gil runtime enabled locked holder",
        "thread size prev next interp frame id native chunk status",
        "frame size back code instruction locals owner",
        "code size file name qualname table first argcount localnames localkinds code",
        "object size type", "class size name repr flags", "tuple size item length", "list size item length",
        "dict size keys values", "float size value", "long size tag digit", "bytes size length data",
        "text size state length ascii",
    ),
    (3, 14): (
        "runtime size finalizing interpreters",
        "interpreter size id next threads main gc modules sysdict builtins gil runtime enabled locked holder codes "
        "tlbc",
        "thread size prev next interp frame id native chunk status",
        "frame size back code instruction locals owner stack tlbc",
        "code size file name qualname table first argcount localnames localkinds code tlbc",
        "object size type", "class size name repr flags", "tuple size item length", "list size item length",
        "set size used table mask", "dict size keys values", "float size value", "long size tag digit",
        "bytes size length data", "text size state length ascii",
    ),
}  # fmt: skip
"""The words of _Py_DebugOffsets behind cookie, version and free_threaded, in order."""
_LARGEST_OFFSET = 1 << 20


class UnknownPythonError(Exception):
    """Its frames cannot be found; the message says why, in words."""


class Interpreter(msgspec.Struct, frozen=True):
    """What a file that holds CPython says; link-time addresses."""

    runtime: int
    code_type: int
    version: tuple[int, int] | None
    """None: one before 3.10."""


def interpreter_in(open_path: bytes) -> Interpreter | None:
    """The CPython that a file holds, by the names it exports; None when it holds none."""
    try:
        with ElfFile(open_path) as elf:
            table = SymbolTable(elf)
            places = {name: table.find(name) for name in (RUNTIME, _TYPE, _VERSION, _SINCE_3_10)}
            if not places[RUNTIME] or not places[_TYPE] or not table.symbol(places[RUNTIME][0]).defined:
                return None
            version = (3, 10) if places[_SINCE_3_10] else None
            if places[_VERSION]:
                (number,) = _WORD.unpack(elf.read_at(table.symbol(places[_VERSION][0]).value, 8))
                version = (number >> 24 & 0xFF, number >> 16 & 0xFF)
            values = [table.symbol(places[name][0]).value for name in (RUNTIME, _TYPE)]
            return Interpreter(values[0], values[1], version)
    except ElfError:
        return None


def may_hold_python(path: str, executable: str) -> bool:
    """Whether a mapped file is worth a look: the program itself, or a library that is called like Python's."""
    return path == executable or path.rpartition("/")[2].startswith("libpython")


def layout_of(found: Interpreter, bias: int, read: Read) -> Layout:
    """The layout of the interpreter that is loaded with this bias; UnknownPythonError says why there is none."""
    if found.version is None or found.version < (3, 10):
        raise UnknownPythonError("this Python is older than 3.10")
    known = _BY_VERSION.get(found.version)
    if known is not None:
        return known
    if found.version not in _STRUCTURES:
        major, minor = found.version
        raise UnknownPythonError(f"Python {major}.{minor} is not known yet")
    try:
        return parse_offsets(read(found.runtime + bias, _READ), found.version)
    except OSError:
        raise UnknownPythonError("its memory cannot be read") from None


def parse_offsets(raw: bytes, version: tuple[int, int]) -> Layout:
    """A layout from the first bytes of _PyRuntime (3.13 and later); UnknownPythonError for anything else."""
    said = {}
    try:
        cookie, number, free_threaded = struct.unpack_from("<8sQQ", raw)
        place = 24
        for structure in _STRUCTURES[version]:
            owner, *fields = structure.split()
            for field in fields:
                (said[f"{owner}.{field}"],) = _WORD.unpack_from(raw, place)
                place += 8
    except struct.error:
        raise UnknownPythonError("its offsets are cut off") from None
    told = (number >> 24 & 0xFF, number >> 16 & 0xFF)
    if cookie != _COOKIE or told != version or max(said.values()) > _LARGEST_OFFSET:
        raise UnknownPythonError("its offsets are not what they should be")
    if free_threaded:
        raise UnknownPythonError("this Python is built without a global lock")
    return Layout(
        version=version, interpreters=said["runtime.interpreters"], interpreter_next=said["interpreter.next"],
        threads=said["interpreter.threads"], thread_next=said["thread.next"], thread_id=said["thread.id"],
        thread_frame=said["thread.frame"], frame_code=said["frame.code"], frame_back=said["frame.back"],
        frame_instruction=said["frame.instruction"], frame_owner=said["frame.owner"], type=said["object.type"],
        file=said["code.file"], name=said["code.qualname"], first_line=said["code.first"],
        line_table=said["code.table"], text_length=said["text.length"], text_state=said["text.state"],
        text_ascii=said["text.ascii"], text_compact=said["text.ascii"] + 16, bytes_size=said["bytes.length"],
        bytes_data=said["bytes.data"], code=said["code.code"],
    )  # fmt: skip


def for_kernel(layout: Layout, found: Interpreter, bias: int) -> bytes:
    """What the program that copies frames wants to know of a process whose interpreter is loaded with this bias."""
    offsets: list[int] = [getattr(layout, name) for name in OFFSETS]
    return PYTHON.pack(found.runtime + bias + layout.interpreters, found.code_type + bias, *offsets)
