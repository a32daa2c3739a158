"""ROCm's runtime, the Vulkan loader and the OpenCL loader of Debian, on a machine without their devices and drivers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inspector.stream.transport import MAIN

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("real")]
HSA = ["libhsa-runtime64-1", "libhsakmt1", "libelf1", "libnuma1", "libdrm2", "libdrm-amdgpu1"]
_HSA_INIT = "h = ctypes.CDLL('libhsa-runtime64.so.1'); print(h.hsa_init(), flush=True)"
_VULKAN = """
h, info, instance = ctypes.CDLL("libvulkan.so.1"), (ctypes.c_uint64 * 8)(1), ctypes.c_void_p()
print(h.vkCreateInstance(info, None, ctypes.byref(instance)), flush=True)
"""
_OPENCL = (
    "n = ctypes.c_uint(); print(ctypes.CDLL('libOpenCL.so.1').clGetPlatformIDs(0, None, ctypes.byref(n)), flush=True)"
)


def libraries(packages: list[str]) -> Path:
    """Where the libraries of some Debian packages lie, unpacked but not installed; skips when they cannot be had."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shim-inspector-tests"
    target = base / f"debian-{packages[0]}"
    if not target.is_dir():
        room = target.with_name(f"{target.name}.{os.getpid()}")
        room.mkdir(parents=True)
        done = subprocess.run(["apt-get", "download", "-q", *packages], cwd=room, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{packages[0]} cannot be had here: {done.stderr.strip().splitlines()[-1:]}")
        for package in room.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, room], check=True)
        if not target.is_dir():
            room.rename(target)
    return target / "usr/lib/x86_64-linux-gnu"


@pytest.fixture
def asked() -> Callable[..., dict[str, Any]]:
    """The report on a Python program that asks through these libraries."""

    def ask(packages: list[str], code: str, **environment: str) -> dict[str, Any]:
        path = libraries(packages)
        program = [sys.executable, "-c", f"import ctypes, time\n{code}\ntime.sleep(1)"]
        done = subprocess.run(
            [sys.executable, str(MAIN), "report", "--for", "20s", "--format", "json", "--", *program],
            env={**os.environ, "LD_LIBRARY_PATH": f"{path}:{path.parents[2]}/lib/x86_64-linux-gnu", **environment},
            capture_output=True,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


def results(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {call["function"]: call["results"] for call in report["calls"] if call["results"]}


def test_rocm_without_its_device_asks_for_kfd(asked: Callable[..., dict[str, Any]]) -> None:
    """Its functions leave by a jump through a table: their results are not read."""
    report = asked(HSA, _HSA_INIT)
    assert [(call["function"], call["count"]) for call in report["calls"]] == [("hsa_init", 1)]
    assert ("/dev/kfd", "ENOENT") in {(opened["path"], opened["result"]) for opened in report["opens"]}
    assert report["mode"]["verdict"] == "cpu"
    assert "/dev/kfd" in report["findings"][0]["title"]
    assert {api["api"] for api in report["apis"]} == {"hsa"}


def test_vulkan_without_a_driver_manifest_answers_incompatible_driver(asked: Callable[..., dict[str, Any]]) -> None:
    report = asked(["libvulkan1"], _VULKAN, VK_DRIVER_FILES="/nowhere/icd.json")
    assert results(report) == {"vkCreateInstance": {"VK_ERROR_INCOMPATIBLE_DRIVER": 1}}
    assert report["mode"]["verdict"] == "cpu"


@pytest.mark.longer
def test_opencl_without_a_vendor_is_asked_once_for_its_platforms(asked: Callable[..., dict[str, Any]]) -> None:
    """Its loader leaves some functions by a jump into a layer: such calls are counted, their results are not read."""
    report = asked(["ocl-icd-libopencl1"], _OPENCL, OCL_ICD_VENDORS="/nowhere")
    assert [(call["api"], call["function"], call["count"]) for call in report["calls"]] == [
        ("opencl", "clGetPlatformIDs", 1)
    ]
    assert {api["api"] for api in report["apis"]} == {"opencl"}
