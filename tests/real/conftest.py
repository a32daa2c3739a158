"""Packages from the index, installed once into a cache folder, and the shims beside them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.demo.build import build
from inspector.demo.parts import DRIVER, NVML

PROGRAMS = Path(__file__).parent / "programs"
_CALL = re.compile(
    r"^\[[\w-]+\] (?P<function>\w+)\(\) (?:SUCCESS|ERROR): return_code=(?P<result>\d+)(?:, (?P<detail>.*))? \(pid="
)


@dataclass(frozen=True)
class LoggedCall:
    """One call as the shim itself wrote it down."""

    function: str
    result: int
    detail: str


def logged_calls(log: Path) -> list[LoggedCall]:
    """All calls of a shim's log in order."""
    found = map(_CALL.match, log.read_text().splitlines())
    return [LoggedCall(one["function"], int(one["result"]), one["detail"] or "") for one in found if one]


@pytest.fixture(scope="session")
def package() -> Callable[[str], Path]:
    """Where a package of the index is installed, without its dependencies unless asked; skips when it cannot be had."""

    def installed(requirement: str, *options: str) -> Path:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shim-inspector-tests"
        target = base / requirement.replace("==", "-")
        if not target.is_dir():
            room = target.with_name(f"{target.name}.{os.getpid()}")
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(room), *options, requirement]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                pytest.skip(f"{requirement} cannot be installed here: {result.stderr.strip().splitlines()[-1:]}")
            if not target.is_dir():
                room.rename(target)
        return target

    return installed


@pytest.fixture(scope="session")
def shims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project's driver and NVML shims under the names that programs ask for."""
    folder = tmp_path_factory.mktemp("shims")
    for name, spec in (("libcuda.so.1", DRIVER), ("libnvidia-ml.so.1", NVML)):
        (folder / name).write_bytes(build(spec).read_bytes())
    return folder


@pytest.fixture(scope="session")
def runtime_program(package: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program linked to NVIDIA's own libcudart 12.9."""
    library = package("nvidia-cuda-runtime-cu12==12.9.79", "--no-deps") / "nvidia/cuda_runtime/lib/libcudart.so.12"
    program = tmp_path_factory.mktemp("program") / "runtime-program"
    source = PROGRAMS / "runtime.c"
    subprocess.run(
        ["cc", "-O1", str(source), str(library), f"-Wl,-rpath,{library.parent}", "-o", str(program)], check=True
    )
    return program
