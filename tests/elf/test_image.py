"""What `read_image` tells of real files, and of files that are none."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings

from inspector.collect.elf.image import is_system_library, read_image
from inspector.stream.libraries import ImageRead
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan

from .damage import DAMAGE, damaged
from .workshop import Workshop

PLAN = Plan(
    apis=[
        ApiPlan(
            api="cuda-driver",
            sonames=["libcuda.so.1"],
            prefixes=["cu"],
            functions=[FunctionPlan(name=name) for name in ("cuInit", "cuCtxGetFlags", "cuGetProcAddress_v2")],
        ),
        ApiPlan(
            api="nvml",
            sonames=["libnvidia-ml.so.1"],
            prefixes=["nvml"],
            functions=[FunctionPlan(name="nvmlInit_v2")],
            private=["libvgpu_mark_one", "libvgpu_mark_two"],
        ),
    ]
)


def image_of(path: Path, plan: Plan = PLAN) -> ImageRead:
    return read_image(os.fsencode(path), str(path), "0:0:1", 99, plan)


def test_a_shim_tells_its_names_versions_overrides_and_what_it_looks_up(shim: Path) -> None:
    image = image_of(shim)
    assert image.error is None
    assert (image.kind, image.soname, image.elf_machine, image.at) == ("shared", "libcuda.so.1", "x86_64", 99)
    assert image.needed == ["libc.so.6"]
    assert image.version_nodes == ["V_1", "V_2"]
    assert image.has_version_table
    assert {export.name for export in image.exports} >= {"cuInit", "cuDeviceGet", "call", "open", "version_data"}
    assert image.exports_total == len(image.exports)
    assert image.overrides == ["open"]
    assert image.imports_lookup
    assert sorted(image.dlopen_names) == ["/opt/x/libfoo.so", "libnvidia-ml.so.1"]
    assert sorted(image.api_names) == ["cuGetProcAddress_v2", "nvmlInit_v2"]
    assert len(image.sha256) == 64
    assert {need.name for need in image.undefined} >= {"dlsym", "dlopen"}


def test_the_build_id_is_the_one_that_readelf_prints(shim: Path) -> None:
    notes = subprocess.run(["readelf", "-n", shim], capture_output=True, text=True, check=True).stdout
    assert f"Build ID: {image_of(shim).build_id}\n" in notes


def test_a_function_that_is_compiled_in_but_not_exported_is_hidden(shim: Path) -> None:
    image = image_of(shim)
    assert [(export.name, export.visible) for export in image.hidden] == [("cuCtxGetFlags", False)]
    assert image.hidden[0].address


def test_a_function_that_is_exported_only_as_cpp_is_told_with_its_mangled_name(workshop: Workshop) -> None:
    code = """
    int mangled(unsigned) __asm__("_Z6cuInitj"); int mangled(unsigned flags) {return flags;}
    int both(int) __asm__("_Z11cuDeviceGetPii"); int both(int device) {return device;} int cuDeviceGet(void) {return 0;}
    int longer(void) __asm__("_Z999999999cuCtxGetFlags"); int longer(void) {return 1;}
    int cut(void) __asm__("_Z12"); int cut(void) {return 1;}
    """
    assert image_of(workshop.library("libmangled.so", code)).mangled == {"cuInit": "_Z6cuInitj"}


def test_a_stripped_file_hides_nothing_that_could_be_shown(shim: Path) -> None:
    stripped = shim.with_name("stripped.so")
    subprocess.run(["strip", "-o", stripped, shim], check=True)
    assert image_of(stripped).hidden == []
    assert image_of(stripped).exports == image_of(shim).exports


def test_a_file_with_two_marks_of_an_implementation_provides_an_api_whatever_its_name(workshop: Workshop) -> None:
    code = "int libvgpu_mark_one, libvgpu_mark_two; int other(void) {return 1;}"
    path = workshop.library("libmarks.so", code)
    assert {export.name for export in image_of(path).exports} == {"libvgpu_mark_one", "libvgpu_mark_two", "other"}


def test_two_names_with_a_prefix_of_an_api_make_a_provider_and_one_does_not(workshop: Workshop) -> None:
    two = workshop.library("libtwo.so", "int nvmlFoo, nvmlBar; int other;")
    one = workshop.library("libone.so", "int nvmlFoo, nvmlbar; int other;")
    assert len(image_of(two).exports) == 3
    assert image_of(one).exports == []
    assert image_of(one).exports_total == 3


def test_of_libc_only_names_of_interest_are_listed_and_nothing_is_an_override() -> None:
    image = image_of(Path("/lib/x86_64-linux-gnu/libc.so.6"))
    assert image.overrides == []
    assert image.exports_total > 2000
    assert {"dlopen", "dlsym", "open"} <= {export.name for export in image.exports}
    assert len(image.exports) < 300
    assert image.undefined == []


def test_an_executable_tells_its_interpreter() -> None:
    image = image_of(Path("/bin/true"))
    assert (image.kind, image.interpreter) == ("pie", "/lib64/ld-linux-x86-64.so.2")


def test_system_libraries_are_those_directly_in_the_system_folders() -> None:
    assert is_system_library("/usr/lib/x86_64-linux-gnu/libz.so.1")
    assert is_system_library("/lib64/libz.so.1")
    assert not is_system_library("/usr/lib/ollama/libggml-cuda.so")
    assert not is_system_library("/usr/local/lib/libz.so.1")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"text", b"\x7fELF\x02\x01\x01" + b"\xff" * 100])
def test_a_file_that_is_no_library_gives_an_error_and_no_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(content)
    image = image_of(path)
    assert image.error
    assert image.exports == []


def test_a_truncated_file_gives_an_error_and_no_traceback(tmp_path: Path, shim: Path) -> None:
    path = tmp_path / "cut.so"
    path.write_bytes(shim.read_bytes()[:0x400])
    assert "truncated" in (image_of(path).error or "")


def test_a_missing_and_an_unreadable_file_say_why(tmp_path: Path) -> None:
    assert image_of(tmp_path / "none.so").error == "no such file"
    assert image_of(tmp_path).error == "a directory, not a file"


@settings(max_examples=100, deadline=None)
@given(damage=DAMAGE)
def test_a_damaged_file_gives_an_image_or_an_error(shim: Path, damage: list[tuple[int, bytes]]) -> None:
    path = damaged(shim, damage)
    image = image_of(path)
    assert image.error is None or image.error


def test_a_file_that_was_rebuilt_in_place_is_read_again(tmp_path: Path, shim: Path, workshop: Workshop) -> None:
    path = tmp_path / "same.so"
    shutil.copy(shim, path)
    first = image_of(path)
    path.write_bytes(workshop.library("libtwo.so", "int nvmlFoo, nvmlBar; int other;").read_bytes())
    assert image_of(path).soname is None
    assert first.soname == "libcuda.so.1"


def test_a_known_file_under_another_path_keeps_its_facts_and_takes_the_path(shim: Path) -> None:
    link = shim.with_name("link.so")
    link.unlink(missing_ok=True)
    link.symlink_to(shim)
    assert image_of(link).path == str(link)
    assert image_of(link).build_id == image_of(shim).build_id


def test_the_architectures_of_embedded_gpu_code_are_listed(workshop: Workshop) -> None:
    def entry(kind: int, number: int, payload: bytes) -> bytes:
        return struct.pack("<HHIQ12xI", kind, 0x101, 64, len(payload), number).ljust(64, b"\0") + payload

    entries = entry(2, 90, bytes(24)) + entry(1, 90, bytes(8)) + entry(2, 80, bytes(40))
    region = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries
    blob = ",".join(map(str, region * 2))
    code = f'__attribute__((section(".nv_fatbin"), aligned(8))) unsigned char fat[] = {{{blob}}};'
    assert image_of(workshop.library("libfat.so", code)).gpu_architectures == ["sm_80", "compute_90", "sm_90"]
