"""What a library or executable file says about itself: one `ImageRead` a file, an error in words for a damaged one."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from inspector.stream.libraries import Export, ImageRead, Need
from inspector.stream.requests import Plan
from inspector.stream.text import decode

from .fatbin import gpu_architectures
from .file import DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, ET_DYN, ET_EXEC, ElfError, ElfFile
from .image_cache import ImageCache
from .libc_names import LIBC_NAMES, LIBC_SONAMES
from .sections import SHT_SYMTAB, Section, find_section, read_build_id, read_sections, section_bytes
from .strings import read_only_data, take_names
from .symbol_masks import SymbolMasks, both, places
from .symbols import Symbol, SymbolTable, names_at
from .wanted import Wanted, wanted_of

_SYSTEM_FOLDER: Final = re.compile(r"(?:/usr)?/lib(?:64|32)?(?:/[a-z0-9_]+-linux-gnu[a-z0-9]*)?/[^/]+")
_LOOK_UPS: Final = {b"dlopen", b"dlmopen", b"dlsym", b"dlvsym"}
_MOST_HASHED: Final = 8 << 20
_MOST_TOOL_SYMBOLS: Final = 128 << 20
_MOST_STRINGS: Final = 256 << 20


def read_image(
    open_path: bytes, path: str, file: str, at: int, plan: Plan, cache: ImageCache | None = None
) -> ImageRead:
    """The facts of one file; `open_path` is how to open it, `path` and `file` how it is called. Never raises."""
    try:
        with ElfFile(open_path) as elf:
            image = cache.find(elf) if cache else None
            if image is None:
                image = _read(elf, path, file, at, wanted_of(plan))
                if cache:
                    cache.keep(elf, image)
            return msgspec.structs.replace(image, at=at, path=path, file=file)
    except ElfError as error:
        return ImageRead(at=at, file=file, path=path, error=str(error))


def is_system_library(path: str) -> bool:
    """Directly in /lib, /usr/lib or their multiarch folder, not in a folder of a program below."""
    return _SYSTEM_FOLDER.fullmatch(path) is not None


def _read(elf: ElfFile, path: str, file: str, at: int, wanted: Wanted) -> ImageRead:
    reader = _Reader(elf, path, wanted)
    libraries, functions = reader.strings()
    return ImageRead(
        at=at,
        file=file,
        path=path,
        elf_class=elf.layout.word_bits,
        elf_machine=elf.machine,
        kind=_kind(elf),
        interpreter=_text(elf.interpreter),
        soname=_text(reader.soname),
        needed=[decode(name) for name in elf.tag_strings(DT_NEEDED)],
        rpath=_text(next(iter(elf.tag_strings(DT_RPATH)), None)),
        runpath=_text(next(iter(elf.tag_strings(DT_RUNPATH)), None)),
        build_id=read_build_id(elf),
        sha256=_sha256(elf) if reader.is_provider else "",
        version_nodes=[decode(node) for node in reader.table.versions.defined.values()],
        has_version_table=reader.table.versions.has_definitions,
        version_needs=_version_needs(reader.table),
        exports=reader.exports(),
        hidden=reader.hidden(),
        mangled=reader.mangled(),
        exports_total=reader.exports_total,
        overrides=reader.overrides(),
        undefined=reader.undefined(),
        dlopen_names=[decode(name) for name in libraries],
        api_names=[decode(name) for name in functions],
        imports_lookup=reader.imports_lookup,
        gpu_architectures=gpu_architectures(elf, find_section(reader.sections, ".nv_fatbin")),
    )


class _Reader:
    """The symbols of one open file, judged against the watch plan."""

    def __init__(self, elf: ElfFile, path: str, wanted: Wanted) -> None:
        self.elf, self.path, self.wanted = elf, path, wanted
        self.table = SymbolTable(elf)
        self.sections = read_sections(elf)
        self.soname = next(iter(elf.tag_strings(DT_SONAME)), None)
        self.masks = SymbolMasks.of(self.table.raw, elf.layout)
        self.exports_total = self.masks.exported.count(1)
        self.exported = self.table.names_of(self.masks.exported, wanted.heads)
        """Those that may be wanted, by index."""
        self.missing = self.table.names_of(self.masks.missing)
        self.is_provider = wanted.is_provider(self.soname, self.exported.values())
        self.imports_lookup = not _LOOK_UPS.isdisjoint(self.missing.values())

    def exports(self) -> list[Export]:
        if self.is_provider:
            return [self.table.export(index) for index in places(self.masks.exported)]
        return [self.table.export(index) for index, name in self.exported.items() if name in self.wanted.names]

    def hidden(self) -> list[Export]:
        """Functions of the plan that are compiled in but cannot be bound, each once."""
        exported = set(self.exported.values())
        local = self.table.names_of(self.masks.local, self.wanted.heads)
        found = {name: self.table.export(index) for index, name in local.items() if name in self.wanted.marks}
        for name, symbol in _tool_symbols(self.elf, self.sections, self.wanted, exported):
            found.setdefault(name, _hidden(name, symbol))
        return [export for name, export in found.items() if name not in exported]

    def mangled(self) -> dict[str, str]:
        """Functions of the plan that were compiled as C++, without extern "C" (Itanium C++ ABI, 5.1.3: _Z6cuInitj)."""
        if is_system_library(self.path):
            return {}
        names = self.exported.values()
        found = {_plain(name): name for name in names if name[:2] == b"_Z" and name[2:3].isdigit()}
        absent = (self.wanted.functions & found.keys()) - set(names)
        return {decode(name): decode(found[name]) for name in sorted(absent)}

    def overrides(self) -> list[str]:
        if _is_libc(self.soname, self.path):
            return []
        names = {name.decode("latin-1") for name in self.exported.values()}
        return sorted(names & LIBC_NAMES)

    def undefined(self) -> list[Need]:
        everything = self.is_provider or not is_system_library(self.path)
        wanted = self.wanted.functions
        return [self.table.need(i) for i, name in self.missing.items() if name and (everything or name in wanted)]

    def strings(self) -> tuple[list[bytes], list[bytes]]:
        return take_names(read_only_data(self.elf, self.sections), self.wanted, self.imports_lookup)


def _tool_symbols(
    elf: ElfFile, sections: list[Section], wanted: Wanted, exported: set[bytes]
) -> Iterable[tuple[bytes, Symbol]]:
    """Defined local or hidden functions of .symtab that are wanted; none when the file is stripped."""
    names = wanted.marks - exported
    table = next((section for section in sections if section.kind == SHT_SYMTAB), None)
    if table is None or table.link >= len(sections) or not names:
        return
    strings = section_bytes(elf, sections[table.link], _MOST_STRINGS)
    raw = section_bytes(elf, table, _MOST_TOOL_SYMBOLS)
    size = elf.layout.symbol.size
    raw = raw[: len(raw) // size * size]
    masks = SymbolMasks.of(raw, elf.layout)
    for place, name in names_at(strings, raw, size, both(masks.local, masks.functions), wanted.heads).items():
        if name in names:
            yield name, SymbolTable.parse(elf, raw[place * size : (place + 1) * size])[0]


def _hidden(name: bytes, symbol: Symbol) -> Export:
    return Export(name=decode(name), visible=False, address=symbol.value, size=symbol.size)


def _plain(name: bytes) -> bytes:
    """The function behind a mangled name of the global namespace: `_Z`, the length, the name, the arguments."""
    rest = name[2:].lstrip(b"0123456789")
    digits = name[2 : len(name) - len(rest)]
    length = int(digits) if len(digits) < 4 else len(name)
    return rest[:length] if length <= len(rest) else b""


def _is_libc(soname: bytes | None, path: str) -> bool:
    name = decode(soname) if soname else path.rpartition("/")[2]
    return name.startswith(LIBC_SONAMES)


def _kind(elf: ElfFile) -> Literal["executable", "pie", "shared", "other"]:
    if elf.kind == ET_EXEC:
        return "executable"
    if elf.kind != ET_DYN:
        return "other"
    return "pie" if elf.is_pie else "shared"


def _version_needs(table: SymbolTable) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {}
    for need in table.versions.needed:
        needs.setdefault(decode(need.file), []).append(decode(need.node))
    return needs


def _sha256(elf: ElfFile) -> str:
    if elf.size > _MOST_HASHED:
        return ""
    return hashlib.sha256(elf.read(0, elf.size)).hexdigest()


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else decode(raw)
