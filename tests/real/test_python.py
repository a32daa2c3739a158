"""NVIDIA's Python packages over the shims: nvidia-ml-py asks NVML, cuda-bindings asks the driver for all its names."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from .conftest import logged_calls

BINDINGS_LOOK_UPS = 526
_NVML = """
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
print(pynvml.nvmlDeviceGetCount(), pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetMemoryInfo(handle).total)
pynvml.nvmlShutdown()
"""
_DRIVER = """
from cuda.bindings import driver
print(*driver.cuInit(0), *driver.cuDeviceGetCount())
"""


def _python(code: str, packages: Path, shims: Path, log: Path, **settings: str) -> str:
    environment = {"LD_LIBRARY_PATH": str(shims), "PYTHONPATH": str(packages), "SHIM_LOG": str(log)} | settings
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_nvidia_ml_py_reads_the_shims_figures(package: Callable[..., Path], shims: Path, tmp_path: Path) -> None:
    packages = package("nvidia-ml-py==13.615.71", "--no-deps")
    assert _python(_NVML, packages, shims, tmp_path / "log").strip() == "1 Demo H100 80GB 85520809984"
    calls = [one.function for one in logged_calls(tmp_path / "log")]
    assert calls == [
        "nvmlInitWithFlags", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetCount_v2", "nvmlDeviceGetName",
        "nvmlDeviceGetMemoryInfo", "nvmlShutdown",
    ]  # fmt: skip


def test_cuda_bindings_asks_for_all_its_names_and_calls_two(
    package: Callable[..., Path], shims: Path, tmp_path: Path
) -> None:
    packages = package("cuda-bindings==13.5.0")
    assert _python(_DRIVER, packages, shims, tmp_path / "log").split()[-1] == "1"
    calls = Counter(one.function for one in logged_calls(tmp_path / "log"))
    assert calls["cuGetProcAddress_v2"] == BINDINGS_LOOK_UPS
    assert calls["cuInit"] == calls["cuDeviceGetCount"] == 1
