"""NVIDIA's CUDA runtime 12.9, from its wheel, over the project's driver shim: what it asks, calls and is refused."""

import subprocess
from collections import Counter
from pathlib import Path

from .conftest import LoggedCall, logged_calls

DEVICE_ATTRIBUTES = 111
LOOK_UPS = 419


def _run(program: Path, shims: Path, log: Path, **settings: str) -> tuple[str, list[LoggedCall]]:
    environment = {"LD_LIBRARY_PATH": str(shims), "SHIM_LOG": str(log)} | settings
    result = subprocess.run([str(program)], env=environment, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return result.stdout, logged_calls(log)


def _without_questions(calls: list[LoggedCall]) -> list[str]:
    return [one.function for one in calls if one.function not in ("cuGetProcAddress_v2", "cuDeviceGetAttribute")]


def test_it_asks_for_419_functions_before_it_calls_one(runtime_program: Path, shims: Path, tmp_path: Path) -> None:
    _, calls = _run(runtime_program, shims, tmp_path / "log")
    assert Counter(one.function for one in calls)["cuGetProcAddress_v2"] == LOOK_UPS
    assert {one.function for one in calls[: LOOK_UPS - 1]} <= {"cuGetProcAddress_v2", "cuGetExportTable"}


def test_it_calls_the_driver_in_its_own_order(runtime_program: Path, shims: Path, tmp_path: Path) -> None:
    _, calls = _run(runtime_program, shims, tmp_path / "log")
    order = _without_questions(calls)
    assert order[:8] == [
        "cuGetExportTable", "cuDriverGetVersion", "cuInit", "cuGetExportTable", "cuGetExportTable",
        "cuModuleGetLoadingMode", "cuDeviceGetCount", "cuDeviceGet",
    ]  # fmt: skip
    assert Counter(one.function for one in calls)["cuDeviceGetAttribute"] == DEVICE_ATTRIBUTES


def test_it_gives_up_after_a_refused_private_table(runtime_program: Path, shims: Path, tmp_path: Path) -> None:
    output, calls = _run(runtime_program, shims, tmp_path / "log")
    assert "cudaGetDeviceCount 500" in output
    assert calls[-1] == LoggedCall("cuGetExportTable", 500, "table=D4082055")


def test_a_refused_first_table_ends_it_before_any_device_is_counted(
    runtime_program: Path, shims: Path, tmp_path: Path
) -> None:
    output, calls = _run(runtime_program, shims, tmp_path / "log", SHIM_TABLES="none")
    assert "cudaGetDeviceCount 500" in output
    assert "cuDeviceGetCount" not in _without_questions(calls)


def test_the_result_of_init_is_the_result_of_the_runtime(runtime_program: Path, shims: Path, tmp_path: Path) -> None:
    output, _ = _run(runtime_program, shims, tmp_path / "log", SHIM_FAIL="cuInit=100")
    assert "cudaGetDeviceCount 100" in output


def test_a_driver_older_than_the_runtime_is_refused_as_35(runtime_program: Path, shims: Path, tmp_path: Path) -> None:
    output, calls = _run(runtime_program, shims, tmp_path / "log", SHIM_VERSION="11040")
    assert "cudaGetDeviceCount 35" in output
    assert "cuInit" not in _without_questions(calls)
