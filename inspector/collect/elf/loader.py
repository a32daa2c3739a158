"""What a particular ld.so was built with and finds on this processor: its default folders, `$LIB`, glibc-hwcaps."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from .file import ElfError, ElfFile
from .processors.here import HERE
from .processors.processor import Processor, processors

_FOLDERS: Final = re.compile(rb"(?:/[\w.+/-]*/\0){2,8}")
_RELEASE: Final = re.compile(rb"release version 2\.(\d+)")
_MOST_BYTES: Final = 4 << 20
_LAST_LEGACY_RELEASE: Final = 36
"""glibc 2.37 dropped the search in `tls` and platform folders (NEWS for 2.37)."""


class LoaderFacts(msgspec.Struct, frozen=True):
    """What decides about a search besides the files that take part in it."""

    system_folders: tuple[bytes, ...] = HERE.loader.folders
    """Searched last, without a trailing slash."""
    hwcaps: tuple[bytes, ...] = ()
    """Folders below glibc-hwcaps that this processor can use, best first."""
    legacy_subfolders: bool = False
    """It also looks into `tls`, the platform and the like below each folder."""
    processor: Processor = HERE
    """For which it loads."""

    @property
    def lib(self) -> bytes:
        """What `$LIB` stands for: the first default folder without its slashes (`lib64`, `lib/x86_64-linux-gnu`)."""
        return self.system_folders[0].strip(b"/") if self.system_folders else b"lib"

    @property
    def subfolders(self) -> tuple[bytes, ...]:
        """What is tried below each folder before the folder itself."""
        hwcaps = tuple(b"glibc-hwcaps/" + name for name in self.hwcaps)
        if not self.legacy_subfolders:
            return hwcaps
        names = dict.fromkeys(
            b"/".join(part for part in (tls, platform, hwcap) if part)
            for tls in (b"tls", b"")
            for platform in (self.processor.loader.platform, b"")
            for hwcap in (self.processor.loader.capability, b"")
        )
        return (*hwcaps, *(name for name in names if name))


def read_loader(open_path: bytes) -> LoaderFacts:
    """The facts of one ld.so file; the usual ones when it cannot be read (musl keeps its paths elsewhere)."""
    processor = HERE
    try:
        with ElfFile(open_path) as elf:
            raw = elf.read_some(0, _MOST_BYTES)
            processor = processors().get(elf.machine_number, HERE)
    except ElfError:
        raw = b""
    release = _RELEASE.search(raw)
    return LoaderFacts(
        system_folders=_system_folders(raw) or processor.loader.folders,
        hwcaps=processor_levels(processor=processor),
        legacy_subfolders=release is not None and int(release[1]) <= _LAST_LEGACY_RELEASE,
        processor=processor,
    )


def _system_folders(raw: bytes) -> tuple[bytes, ...]:
    """The array `system_dirs` of elf/dl-load.c: NUL-terminated folders with trailing slashes, one behind the other."""
    for match in _FOLDERS.finditer(raw):
        folders = [folder.rstrip(b"/") for folder in match[0].split(b"\0") if folder]
        if all(b"lib" in folder for folder in folders):
            return tuple(folders)
    return ()


def processor_levels(cpuinfo: Path = Path("/proc/cpuinfo"), processor: Processor = HERE) -> tuple[bytes, ...]:
    """The glibc-hwcaps folders of this machine's processor, best first; each level includes those below it."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return ()
    flags = next((set(line.split()) for line in text.splitlines() if line.startswith("flags")), set())
    levels: Sequence[bytes] = ()
    for name, needed in reversed(processor.loader.levels):
        if not flags.issuperset(needed):
            break
        levels = (name, *levels)
    return tuple(levels)
