"""What is fed to each reader, and what it may answer: anything but an exception of another kind."""

import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import zstandard

from inspector.collect.elf.file import ElfError, ElfFile
from inspector.collect.elf.image import read_image
from inspector.collect.elf.library import LibraryCache, RefusedError
from inspector.collect.elf.linkmap import read_link_map
from inspector.collect.elf.relocations import function_slots
from inspector.collect.elf.sites import find_sites
from inspector.collect.elf.symbol_index import FileSymbols
from inspector.model.diagnosis import diagnose
from inspector.model.log_meanings import read_lines
from inspector.model.profiles import Profiles, builtin_profiles
from inspector.model.profiles.loading import ProfileError, parse
from inspector.report.builder import report
from inspector.report.formats import render
from inspector.report.observe import from_recording
from inspector.stream.recording import RecordingError
from inspector.stream.requests import Plan
from tests.elf.test_linkmap import AUXILIARY, FakeMemory, memory_with

_RECORDINGS = Path(__file__).parents[2] / "inspector/demo/recordings"
_MOST_BYTES = 60_000
"""Of a recording: small ones are read a hundred times a second."""


@dataclass(frozen=True)
class Kind:
    """One reader: whole inputs, and what is done with a mutant of one."""

    seeds: list[bytes]
    read: Callable[[bytes], object]


def kinds(folder: Path) -> dict[str, Kind]:
    """All of them; mutants that must be files are written below `folder`."""
    return {
        "recordings": Kind(_streams(), lambda raw: _recording(folder / "x.jsonl", raw)),
        "packed recordings": Kind(_packed(), lambda raw: _recording(folder / "x.zst", raw)),
        "profiles": Kind([path.read_bytes() for path in _profile_files()], _profile),
        "ELF files": Kind(_libraries(folder), lambda raw: _elf(folder / "x.so", raw)),
        "link maps": Kind([bytes(memory_with(5).bytes), bytes(memory_with(40).bytes)], _link_map),
    }


def _streams() -> list[bytes]:
    found = []
    for path in sorted(_RECORDINGS.glob("*.zst")):
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        if len(raw) <= _MOST_BYTES:
            found.append(raw)
    return found or [raw[: raw.rfind(b"\n", 0, _MOST_BYTES) + 1]]


def _packed() -> list[bytes]:
    import gzip

    some = _streams()[:4]
    return [zstandard.ZstdCompressor().compress(raw) for raw in some] + [gzip.compress(raw) for raw in some]


_PROFILES = builtin_profiles()


def _recording(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with suppress(RecordingError):
        seen = from_recording(str(path), _PROFILES)
        told = report(seen.state, diagnose(seen.state), seen.troubles)
        for format in ("json", "text"):
            render(told, format)


def _profile_files() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "inspector/model/profiles").glob("*.toml"))


_LINES = [
    "time=2026-01-02T03:04:05Z level=INFO msg=x library=cuda", "a" * 3000, "ggml_cuda_init: found 1 CUDA devices:",
    "[libx] cuInit() CALLED (pid=1)", "x=" * 1000,
]  # fmt: skip


def _profile(raw: bytes) -> None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    with suppress(ProfileError):
        list(read_lines(Profiles(lambda: [parse(text, "a mutant")]), _LINES))


def _libraries(folder: Path) -> list[bytes]:
    source, made = folder / "seed.c", folder / "seed.so"
    source.write_text("int a(void);int cuInit(int x){return x?a():3;}int b=4;int cuDeviceGet(int*x){*x=b;return 0;}\n")
    found = []
    for words in (["-O1"], ["-O0", "-g", "-Wl,--hash-style=both"], ["-O2", "-Wl,-z,now", "-Wl,-soname,libcuda.so.1"]):
        subprocess.run(["gcc", "-shared", "-fPIC", *words, "-o", made, source], check=True)
        found.append(made.read_bytes())
    return found


def _elf(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    place = bytes(path)
    names = ["cuInit", "cuDeviceGet"]
    read_image(place, str(path), "0:0:1", 1, Plan())
    for reader in (
        lambda: find_sites(place, names),
        lambda: function_slots(place, [b"a", b"cuInit"]),
        lambda: FileSymbols(place, str(path), "0:0:1"),
        lambda: LibraryCache().read(place).symbols,
        lambda: ElfFile(place).close(),
    ):
        with suppress(ElfError, RefusedError):
            reader()


def _link_map(raw: bytes) -> None:
    memory = FakeMemory()
    memory.bytes = bytearray(raw)
    with suppress(OSError, ValueError, struct.error):
        read_link_map(memory, AUXILIARY)
