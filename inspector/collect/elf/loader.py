"""What a particular ld.so was built with and finds on this processor: its default folders, `$LIB`, glibc-hwcaps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .file import ElfError, ElfFile

_FOLDERS: Final = re.compile(rb"(?:/[\w.+/-]*/\0){2,8}")
_RELEASE: Final = re.compile(rb"release version 2\.(\d+)")
_MOST_BYTES: Final = 4 << 20
_LAST_LEGACY_RELEASE: Final = 36
"""glibc 2.37 dropped the search in `tls` and platform folders (NEWS for 2.37)."""
_LEVELS: Final = (
    (b"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    (b"x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
    (b"x86-64-v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
)
"""x86-64 psABI, table 3.1, best first, in the spelling of /proc/cpuinfo."""


@dataclass(frozen=True, slots=True)
class LoaderFacts:
    """What decides about a search besides the files that take part in it."""

    system_folders: tuple[bytes, ...] = (b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib", b"/usr/lib")
    """Searched last, without a trailing slash."""
    hwcaps: tuple[bytes, ...] = ()
    """Folders below glibc-hwcaps that this processor can use, best first."""
    legacy_subfolders: bool = False
    """It also looks into `tls` and `x86_64` below each folder."""
    platform: bytes = b"x86_64"

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
            for platform in (self.platform, b"")
            for hwcap in (b"x86_64", b"")
        )
        return (*hwcaps, *(name for name in names if name))


def read_loader(open_path: bytes) -> LoaderFacts:
    """The facts of one ld.so file; the usual ones when it cannot be read (musl keeps its paths elsewhere)."""
    try:
        with ElfFile(open_path) as elf:
            raw = elf.read_some(0, _MOST_BYTES)
    except ElfError:
        raw = b""
    usual = LoaderFacts()
    release = _RELEASE.search(raw)
    return LoaderFacts(
        system_folders=_system_folders(raw) or usual.system_folders,
        hwcaps=processor_levels(),
        legacy_subfolders=release is not None and int(release[1]) <= _LAST_LEGACY_RELEASE,
    )


def _system_folders(raw: bytes) -> tuple[bytes, ...]:
    """The array `system_dirs` of elf/dl-load.c: NUL-terminated folders with trailing slashes, one behind the other."""
    for match in _FOLDERS.finditer(raw):
        folders = [folder.rstrip(b"/") for folder in match[0].split(b"\0") if folder]
        if all(b"lib" in folder for folder in folders):
            return tuple(folders)
    return ()


def processor_levels(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[bytes, ...]:
    """The glibc-hwcaps folders of this machine's processor, best first; each level includes those below it."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return ()
    flags = next((set(line.split()) for line in text.splitlines() if line.startswith("flags")), set())
    levels: Sequence[bytes] = ()
    for name, needed in reversed(_LEVELS):
        if not needed <= flags:
            break
        levels = (name, *levels)
    return tuple(levels)
