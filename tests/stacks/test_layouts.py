"""Where CPython keeps its frames: the tables against the headers of each version, and any bytes in their place."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from inspector.collect.python.layouts import (
    _BY_VERSION,
    Layout,
    UnknownPythonError,
    interpreter_in,
    layout_of,
    may_hold_python,
    parse_offsets,
)

from .pythons import pythons

_PROGRAM = Path(__file__).parent / "offsets.c"
_INCLUDE = (
    "import sysconfig; v = sysconfig.get_config_var; print(sysconfig.get_path('include'), v('LDLIBRARY'), v('LIBDIR'))"
)


def _headers(version: tuple[int, int]) -> list[str]:
    done = subprocess.run([pythons()[version], "-c", _INCLUDE], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("version", sorted(pythons()))
def test_offsets_are_those_of_the_headers(version: tuple[int, int], tmp_path: Path) -> None:
    include, library, folder = _headers(version)
    if not (Path(include) / "internal/pycore_interp.h").exists() or shutil.which("gcc") is None:
        pytest.skip("no headers of this version")
    program = tmp_path / "offsets"
    subprocess.run(["gcc", "-w", f"-I{include}", f"-I{include}/internal", "-o", program, _PROGRAM], check=True)
    words = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    expected = {name: int(value) for name, value in (word.split("=") for word in words)}
    known = asdict(_layout(version, Path(folder) / library))
    assert {name: known[name] for name in expected} == expected


def _layout(version: tuple[int, int], library: Path) -> Layout:
    """Of 3.13 and later the file holds what the process would."""
    if version in _BY_VERSION:
        return _BY_VERSION[version]
    library = Path(pythons()[version]).resolve() if library.suffix == ".a" else library
    found = interpreter_in(bytes(library))
    assert found is not None and found.version == version

    def read(address: int, size: int) -> bytes:
        from inspector.collect.elf.file import ElfFile

        with ElfFile(bytes(library)) as elf:
            return elf.read_at(address, size)

    return layout_of(found, 0, read)


@given(st.binary(max_size=1100), st.sampled_from([(3, 13), (3, 14)]))
def test_any_bytes_are_refused_in_words(raw: bytes, version: tuple[int, int]) -> None:
    with pytest.raises(UnknownPythonError):
        parse_offsets(raw, version)


@given(st.binary(min_size=1000, max_size=1000), st.booleans())
def test_offsets_out_of_all_bounds_are_refused_in_words(raw: bytes, free: bool) -> None:
    head = b"xdebugpy" + (3 << 24 | 13 << 16).to_bytes(8, "little") + free.to_bytes(8, "little")
    try:
        layout = parse_offsets(head + raw, (3, 13))
    except UnknownPythonError:
        return
    offsets = [value for name, value in asdict(layout).items() if isinstance(value, int) and name != "via"]
    assert not free
    assert max(offsets) <= 1 << 20


def test_other_versions_are_named() -> None:
    from inspector.collect.python.layouts import Interpreter

    for version, words in (((3, 15), "3.15"), (None, "older than 3.10")):
        with pytest.raises(UnknownPythonError, match=words):
            layout_of(Interpreter(0, 0, version), 0, lambda address, size: b"")


def test_only_the_program_and_libpython_are_looked_at() -> None:
    assert may_hold_python("/usr/bin/blender", "/usr/bin/blender")
    assert may_hold_python("/usr/lib/libpython3.12.so.1.0", "/usr/bin/python3")
    assert not may_hold_python("/usr/lib/libcuda.so.1", "/usr/bin/python3")
    assert sysconfig.get_config_var("VERSION")
