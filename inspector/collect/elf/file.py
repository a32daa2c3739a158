"""An ELF file as the loader sees it: header, program headers, dynamic section (elf(5)); never sections.

Read with pread(2), not mmap: a library that is rebuilt in place while we look gives a short read here, a SIGBUS there.
"""

import errno
import os
import struct
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Final

import msgspec

from inspector.collect.access.opening import NotRegularError, open_regular

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
PF_X, PF_W, PF_R = 1, 2, 4
ET_EXEC, ET_DYN = 2, 3
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME, DT_RPATH = 1, 4, 5, 6, 10, 14, 15
DT_INIT, DT_SYMBOLIC, DT_DEBUG, DT_TEXTREL, DT_FLAGS, DT_RUNPATH = 12, 16, 21, 22, 30, 29
DT_INIT_ARRAY, DT_INIT_ARRAYSZ = 25, 27
DT_GNU_HASH, DT_VERSYM, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFB
DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
DF_1_NOW, DF_1_NODEFLIB, DF_1_PIE = 0x1, 0x800, 0x08000000

_MOST_DYNAMIC: Final = 1 << 20
_SHORT_STRING: Final = 256
_MOST_STRINGS: Final = 1 << 28
_SHORT_NAMES: Final = {62: "x86_64", 3: "i386", 183: "aarch64", 40: "arm", 243: "riscv64", 21: "ppc64", 22: "s390x"}


class ElfError(ValueError):
    """A file that cannot be read as ELF; the message is a clause for the user that says why."""


class TruncatedError(ElfError):
    """Something lies behind the end of the file: it was cut off."""

    def __init__(self, offset: int, wanted: int, size: int) -> None:
        super().__init__(f"truncated: {wanted:,} bytes expected at offset {offset:,}, the file has {size:,}")
        self.offset, self.size = offset, size


class Segment(msgspec.Struct, frozen=True):
    """One program header."""

    kind: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Layout(msgspec.Struct, frozen=True):
    """How structures of one ELF class lie in the file (elf(5))."""

    header: struct.Struct
    segment: struct.Struct
    word: str
    symbol: struct.Struct
    word_bits: int

    @property
    def pair(self) -> struct.Struct:
        """An entry of the dynamic section: tag and value."""
        return struct.Struct(f"<{self.word}{self.word}")


CLASS_32 = Layout(struct.Struct("<HHIIIIIHHHHHH"), struct.Struct("<8I"), "I", struct.Struct("<IIIBBH"), 32)
CLASS_64 = Layout(struct.Struct("<HHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), "Q", struct.Struct("<IBBHQQ"), 64)


class ElfFile:
    """One open ELF file; close it, or use it as a context manager."""

    def __init__(self, path: bytes) -> None:
        """Raises ElfError with the reason when the file cannot be opened or is no little-endian ELF file."""
        self.path = path
        self._fd = _open_regular(path)
        try:
            status = os.fstat(self._fd)
            self.size, self.changed = status.st_size, status.st_ctime_ns
            self.identity = f"{os.major(status.st_dev):x}:{os.minor(status.st_dev):x}:{status.st_ino}"
            self._read_header()
            self.segments = self._read_segments()
            self.dynamic = self._read_dynamic()
            loads = [s for s in self.segments if s.kind == PT_LOAD and s.file_size]
            self._loads = sorted(loads, key=lambda segment: segment.address)
            self._load_starts = [segment.address for segment in self._loads]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ElfFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was read stays valid."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at a file offset; ElfError when they are not there."""
        raw = self.read_some(offset, size)
        if len(raw) != size:
            raise TruncatedError(offset, size, self.size)
        return raw

    def read_some(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at a file offset; ElfError when the file cannot be read."""
        if offset < 0 or size < 0 or offset >= self.size:
            return b""
        try:
            return os.pread(self._fd, min(size, self.size - offset), offset)
        except OSError as error:
            raise ElfError(f"cannot be read: {error.strerror or os.strerror(error.errno or errno.EIO)}") from None

    def offset_of(self, address: int) -> int:
        """File offset of a link-time address; ElfError when no loadable segment holds it."""
        place = bisect_right(self._load_starts, address) - 1
        if place >= 0:
            segment = self._loads[place]
            if address - segment.address < segment.file_size:
                return address - segment.address + segment.offset
        raise ElfError(f"damaged: no loadable segment holds address {address:#x}")

    def address_of(self, offset: int) -> int:
        """Link-time address of what lies at a file offset; the offset itself where no segment loads it."""
        for segment in self._loads:
            if segment.offset <= offset < segment.offset + segment.file_size:
                return offset - segment.offset + segment.address
        return offset

    def read_at(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at a link-time address."""
        return self.read(self.offset_of(address), size)

    def tag(self, tag: int) -> int | None:
        """The first value of a dynamic tag."""
        values = self.dynamic.get(tag)
        return values[0] if values else None

    @cached_property
    def strings(self) -> bytes:
        """The dynamic string table; of large programs it has tens of MB: a few names are had for less by `string`."""
        place, size = self._string_table
        return self.read(place, size) + b"\0" if size else b""

    @cached_property
    def _string_table(self) -> tuple[int, int]:
        """File offset and size of the dynamic string table; ElfError when the file does not hold it."""
        address, size = self.tag(DT_STRTAB), self.tag(DT_STRSZ)
        if address is None or not size:
            return 0, 0
        if size > _MOST_STRINGS:
            raise ElfError(f"damaged: a string table of {size:,} bytes")
        place = self.offset_of(address)
        if place + size > self.size:
            raise TruncatedError(place, size, self.size)
        return place, size

    def string(self, offset: int) -> bytes:
        """One string of the dynamic string table."""
        if "strings" in self.__dict__:
            return cstring(self.strings, offset)
        place, size = self._string_table
        if not 0 <= offset < size:
            return b""
        found, end, _ = self.read(place + offset, min(_SHORT_STRING, size - offset)).partition(b"\0")
        return found if end else cstring(self.strings, offset)

    def tag_strings(self, tag: int) -> list[bytes]:
        """The strings of all entries with a dynamic tag."""
        return [self.string(offset) for offset in self.dynamic.get(tag, ())]

    @property
    def interpreter(self) -> bytes | None:
        """PT_INTERP, the program's loader."""
        for segment in self.segments:
            if segment.kind == PT_INTERP:
                return cstring(self.read_some(segment.offset, min(segment.file_size, 4096)), 0)
        return None

    @property
    def machine(self) -> str:
        """Name of the processor: `x86_64`."""
        return _SHORT_NAMES.get(self.machine_number) or _long_name(self.machine_number)

    @property
    def is_pie(self) -> bool:
        """A position-independent executable (not a shared library that can also be run, like libc.so.6)."""
        if self.kind != ET_DYN:
            return False
        return bool((self.tag(DT_FLAGS_1) or 0) & DF_1_PIE) or (
            self.interpreter is not None and DT_SONAME not in self.dynamic
        )

    def _read_header(self) -> None:
        ident = self.read_some(0, 16)
        if ident[:4] != b"\x7fELF":
            raise ElfError(_not_elf(ident, self.size))
        if len(ident) < 16 or ident[4] not in (1, 2):
            raise ElfError("not a valid ELF file: its class is neither 32 nor 64 bits")
        if ident[5] != 1:
            raise ElfError("an ELF file of a big-endian processor, which cannot be loaded here")
        self.layout = CLASS_64 if ident[4] == 2 else CLASS_32
        fields = self.layout.header.unpack(self.read(16, self.layout.header.size))
        self.kind, self.machine_number, _, self.entry, self._segments_at, self.sections_at = fields[:6]
        self._segment_size, self._segment_count, self.section_size, self.section_count, self.section_names_at = fields[
            8:
        ]

    def _read_segments(self) -> list[Segment]:
        layout, count = self.layout, self._segment_count
        if not count:
            return []
        if self._segment_size != layout.segment.size or count == 0xFFFF:
            raise ElfError("damaged: its program headers have an impossible size or number")
        raw = self.read(self._segments_at, count * layout.segment.size)
        return [_segment(layout, fields) for fields in layout.segment.iter_unpack(raw)]

    def _read_dynamic(self) -> Mapping[int, list[int]]:
        for segment in self.segments:
            if segment.kind == PT_DYNAMIC:
                break
        else:
            return {}
        pair = self.layout.pair
        raw = self.read(segment.offset, min(segment.file_size, _MOST_DYNAMIC))
        entries: dict[int, list[int]] = {}
        for tag, value in pair.iter_unpack(raw[: len(raw) // pair.size * pair.size]):
            if tag == 0:
                break
            entries.setdefault(tag, []).append(value)
        return entries


def cstring(data: bytes, offset: int) -> bytes:
    """The NUL-terminated string at `offset`; empty when it lies outside."""
    if not 0 <= offset < len(data):
        return b""
    end = data.find(b"\0", offset)
    return data[offset:] if end < 0 else data[offset:end]


def run_path(path: bytes, origin: bytes) -> list[bytes]:
    """The absolute folders of a file's DT_RUNPATH and DT_RPATH; `origin`: its folder. ElfError, OSError as ElfFile."""
    with ElfFile(path) as elf:
        texts = [text for tag in (DT_RUNPATH, DT_RPATH) for text in elf.tag_strings(tag)]
    expanded = (text.replace(b"${ORIGIN}", b"$ORIGIN").replace(b"$ORIGIN", origin) for text in texts)
    return [folder for text in expanded for folder in text.split(b":") if folder.startswith(b"/")]


def _segment(layout: Layout, fields: tuple[int, ...]) -> Segment:
    if layout is CLASS_64:
        kind, flags, offset, address, _, file_size, memory_size, _ = fields
    else:
        kind, offset, address, _, file_size, memory_size, flags, _ = fields
    return Segment(kind, flags, offset, address, file_size, memory_size)


def _open_regular(path: bytes) -> int:
    """Open for reading as its process may; the reason in words when that cannot be."""
    try:
        return open_regular(path)
    except NotRegularError as error:
        raise ElfError(error.strerror) from None
    except OSError as error:
        raise ElfError(_WHY_NOT_OPENED.get(error.errno or 0) or error.strerror or str(error)) from None
    except ValueError:
        raise ElfError("its path holds a NUL byte") from None


_WHY_NOT_OPENED: Final = {
    errno.ENOENT: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "its symbolic links form a loop",
}


def _not_elf(start: bytes, size: int) -> str:
    if size == 0:
        return "not an ELF file: it is empty"
    if start.lstrip()[:2] in (b"/*", b"GR", b"IN", b"OU"):
        return "not an ELF file: it is text, perhaps a linker script"
    return f"not an ELF file: it begins with {start[:4].hex(' ')}, not with 7f 45 4c 46"


def _long_name(machine: int) -> str:
    """What pyelftools calls it; imported for a strange file only, because it takes longer than `inspector list` has."""
    from elftools.elf.enums import ENUM_E_MACHINE

    names = (name for name, number in ENUM_E_MACHINE.items() if number == machine)
    return next(names, f"machine {machine}").removeprefix("EM_").lower()
