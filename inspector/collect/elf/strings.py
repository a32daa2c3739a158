"""Names inside read-only data: what a file may pass to dlopen or dlsym although no table says so."""

import re
from collections.abc import Iterator
from typing import Final

from .file import PF_W, PF_X, PT_LOAD, ElfError, ElfFile
from .sections import Section, find_section
from .wanted import Wanted

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 512
_MOST_BYTES: Final = 64 << 20
_MOST_NAMES: Final = 256
_LONGEST: Final = 200
_LIBRARY: Final = re.compile(rb"(?:[\w.+@/-]*/)?lib[\w.+-]*\.so(?:\.[0-9][\w.]*)?")


def read_only_data(elf: ElfFile, sections: list[Section]) -> Iterator[bytes]:
    """.rodata in overlapping chunks, the first 64 MiB of it; without sections all read-only segments.

    A NUL stands before the first string, so that every whole string has one on both sides.
    """
    section = find_section(sections, ".rodata")
    spans = [(section.offset, section.size)] if section else _read_only_segments(elf)
    budget = _MOST_BYTES
    for offset, size in spans:
        end = offset + min(size, budget)
        budget -= end - offset
        for start in range(offset, end, _CHUNK):
            try:
                data = elf.read_some(start, min(_CHUNK + _OVERLAP, end - start))
            except ElfError:
                return
            yield b"\0" + data if start == offset else data


def _read_only_segments(elf: ElfFile) -> list[tuple[int, int]]:
    loads = [segment for segment in elf.segments if segment.kind == PT_LOAD and not segment.flags & PF_W]
    plain = [segment for segment in loads if not segment.flags & PF_X]
    return [(segment.offset, segment.file_size) for segment in plain or loads]


def library_names(data: bytes) -> Iterator[bytes]:
    """The NUL-terminated strings that name a library, with its directory where one is given."""
    at = data.find(b".so")
    while at >= 0:
        start = data.rfind(b"\0", max(0, at - _LONGEST), at) + 1
        end = data.find(b"\0", at, at + _LONGEST)
        if end < 0:
            end = at + 3
        elif start and _LIBRARY.fullmatch(data, start, end):
            yield data[start:end]
        at = data.find(b".so", end)


def function_names(data: bytes, wanted: Wanted) -> Iterator[bytes]:
    """The whole NUL-terminated strings that are functions of the watch plan."""
    for prefix in wanted.prefixes:
        mark = b"\0" + prefix.encode()
        at = data.find(mark)
        while at >= 0:
            end = data.find(b"\0", at + 1, at + _LONGEST)
            name = data[at + 1 : end] if end >= 0 else b""
            if name in wanted.functions:
                yield name
            at = data.find(mark, max(end, at + 1))


def take_names(chunks: Iterator[bytes], wanted: Wanted, look_ups: bool) -> tuple[list[bytes], list[bytes]]:
    """Library names and, of files that look functions up, function names; each once, in order of appearance."""
    libraries: dict[bytes, None] = {}
    functions: dict[bytes, None] = {}
    for chunk in chunks:
        if len(libraries) < _MOST_NAMES:
            libraries.update(dict.fromkeys(library_names(chunk)))
        if look_ups:
            functions.update(dict.fromkeys(function_names(chunk, wanted)))
    return list(libraries)[:_MOST_NAMES], list(functions)
