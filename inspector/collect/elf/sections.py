"""What only tools see in an ELF file, the loader never: sections and notes; absent or damaged ones are no error."""

import struct
from typing import Final

import msgspec

from .file import CLASS_64, PT_NOTE, ElfError, ElfFile, cstring

SHT_SYMTAB, SHT_NOBITS, SHT_DYNSYM = 2, 8, 11
_SHF_COMPRESSED: Final = 0x800
_MOST_NOTES: Final = 64 << 10
_NOTE: Final = struct.Struct("<III")
_GNU_BUILD_ID: Final = 3


class Section(msgspec.Struct, frozen=True):
    """Where a section lies in the file."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int
    """Index of the section that it refers to (the string table of a symbol table)."""


def read_sections(elf: ElfFile) -> list[Section]:
    """All sections whose bytes lie in the file as they are, at their index; the others have size 0."""
    layout = struct.Struct("<IIQQQQIIQQ" if elf.layout is CLASS_64 else "<10I")
    if elf.section_size != layout.size:
        return []
    raw = elf.read_some(elf.sections_at, elf.section_count * layout.size)
    headers = list(layout.iter_unpack(raw[: len(raw) // layout.size * layout.size]))
    names = b""
    if elf.section_names_at < len(headers):
        _, _, _, _, offset, size, *_ = headers[elf.section_names_at]
        names = elf.read_some(offset, min(size, 1 << 20))
    return [_section(names, header) for header in headers]


def _section(names: bytes, header: tuple[int, ...]) -> Section:
    name, kind, flags, address, offset, size, link = header[:7]
    readable = kind != SHT_NOBITS and not flags & _SHF_COMPRESSED
    return Section(cstring(names, name).decode("latin-1"), kind, address, offset, size if readable else 0, link)


def read_build_id(elf: ElfFile) -> str:
    """NT_GNU_BUILD_ID of the note segments, which survive strip; empty when there is none (elf(5), Elf64_Nhdr)."""
    for segment in elf.segments:
        if segment.kind == PT_NOTE:
            try:
                notes = elf.read_some(segment.offset, min(segment.file_size, _MOST_NOTES))
            except ElfError:
                continue
            if found := _build_id(notes):
                return found.hex()
    return ""


def _build_id(notes: bytes) -> bytes:
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        name_at = at + _NOTE.size
        content_at = name_at + _padded(name_size)
        if kind == _GNU_BUILD_ID and notes[name_at : name_at + name_size] == b"GNU\0":
            return notes[content_at : content_at + size]
        at = content_at + _padded(size)
    return b""


def _padded(size: int) -> int:
    """Names and contents of notes take whole words of four bytes."""
    return (size + 3) & ~3


def find_section(sections: list[Section], name: str) -> Section | None:
    """The first section of that name."""
    return next((section for section in sections if section.name == name and section.size), None)


def section_bytes(elf: ElfFile, section: Section | None, most: int) -> bytes:
    """The bytes of a section, at most `most` of them; empty when they cannot be read."""
    try:
        return elf.read_some(section.offset, min(section.size, most)) if section else b""
    except ElfError:
        return b""
