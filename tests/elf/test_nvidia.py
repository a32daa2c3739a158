"""NVIDIA's own runtime library, from its wheel: a real file that nobody here built."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from inspector.collect.elf.image import read_image
from inspector.collect.elf.library import LibraryCache
from inspector.collect.elf.predict import Present, Situation, predict_load
from inspector.collect.elf.sites import find_sites
from inspector.stream.requests import ApiPlan, FunctionPlan, Plan

from .agreement import around
from .workshop import Workshop

WHEEL = "nvidia-cuda-runtime-cu12==12.9.79"
PLAN = Plan(
    apis=[
        ApiPlan(api="cuda-driver", sonames=["libcuda.so.1"], prefixes=["cu"], functions=[FunctionPlan(name="cuInit")]),
        ApiPlan(
            api="cuda-runtime",
            sonames=["libcudart.so.12"],
            prefixes=["cuda"],
            functions=[FunctionPlan(name="cudaGetDeviceCount")],
        ),
    ]
)


@pytest.fixture(scope="session")
def runtime() -> Path:
    """libcudart.so.12, downloaded once into the user's cache."""
    folder = Path.home() / ".cache" / "shim-inspector-tests"
    library = folder / "nvidia/cuda_runtime/lib/libcudart.so.12"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
        done = subprocess.run(download, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"{WHEEL} cannot be downloaded: {done.stderr.strip()[-200:]}")
        (wheel,) = folder.glob("nvidia_cuda_runtime_cu12-12.9.79-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read("nvidia/cuda_runtime/lib/libcudart.so.12")
        library.parent.mkdir(parents=True, exist_ok=True)
        part = library.with_name(f"part-{os.getpid()}")
        part.write_bytes(content)
        part.replace(library)
    return library


def test_the_runtime_tells_that_it_asks_for_the_driver_by_name(runtime: Path) -> None:
    image = read_image(os.fsencode(runtime), str(runtime), "0:0:1", 0, PLAN)
    assert image.error is None
    assert (image.soname, image.version_nodes) == ("libcudart.so.12", ["libcudart.so.12"])
    assert image.dlopen_names == ["libcuda.so.1"]
    assert image.imports_lookup
    assert "cuInit" in image.api_names
    assert "libcuda.so.1" not in image.needed
    assert image.exports_total == len(image.exports) == 435


def test_every_function_of_the_runtime_can_be_probed_cheaply(runtime: Path) -> None:
    sites = find_sites(os.fsencode(runtime))
    assert sites.refused == []
    assert {site.kind for site in sites.found} == {"push"}
    assert all(site.entry == site.offset for site in sites.found)


BACKEND = "int cudaGetDeviceCount(int *); int f(int *n) { return cudaGetDeviceCount(n); }"
GOOD, OTHER = "int cudaGetDeviceCount(int *n) { return 100; }", "int cudaOther(int *n) { return 100; }"
ITS_NODE, ANOTHER_NODE = "libcudart.so.12 { global: *; };", "OTHER { global: *; };"
UNDEFINED = "undefined symbol: cudaGetDeviceCount, version libcudart.so.12"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [(ITS_NODE, GOOD, ""), (ANOTHER_NODE, GOOD, UNDEFINED), (ITS_NODE, OTHER, UNDEFINED)],
)
def test_a_shim_in_place_of_the_runtime_needs_its_name_and_its_node(
    runtime: Path, workshop: Workshop, script: str, code: str, words: str
) -> None:
    backend = workshop.library("vendor/libbackend.so", BACKEND, links=[runtime])
    shim = workshop.library("vendor/shim/libcudart.so.12", code, soname="libcudart.so.12", script=script)
    situation = Situation(1, around(str(shim.parent)), [Present(b"/bin/true", b"/bin/true")])
    event = predict_load(situation, LibraryCache(), os.fsencode(backend), b"", at=0)
    assert event.words == (f"{backend}: {words}" if words else "")
    assert event.ok is not bool(words)
