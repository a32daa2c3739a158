"""Real targets, built once, and an engine with counting on the live kernel."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.collect.kernel.counting import Counting
from inspector.collect.kernel.engine import Engine, EngineError

_SOURCES = Path(__file__).parent / "targets"


@dataclass(frozen=True)
class Targets:
    """Where the built files lie."""

    folder: Path

    @property
    def library(self) -> Path:
        return self.folder / "libwatched.so"

    @property
    def program(self) -> Path:
        return self.folder / "program"

    @property
    def loading_program(self) -> Path:
        return self.folder / "loads"

    @property
    def fragile(self) -> Path:
        return self.folder / "fragile"

    @property
    def driver(self) -> Path:
        return self.folder / "libdriver.so"

    @property
    def driver_program(self) -> Path:
        return self.folder / "asks"


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    folder = tmp_path_factory.mktemp("targets")
    built = Targets(folder)
    compiler = ["gcc", "-O1", "-g0", *["-fcf-protection=none"] * (platform.machine() == "x86_64")]
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", built.library, _SOURCES / "watched.c"], check=True)
    linked = ["-L", str(folder), "-lwatched", f"-Wl,-rpath,{folder}", "-pthread"]
    subprocess.run([*compiler, "-o", built.program, _SOURCES / "program.c", *linked], check=True)
    subprocess.run([*compiler, "-o", built.loading_program, _SOURCES / "loads.c", "-ldl"], check=True)
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", built.driver, _SOURCES / "driver.c"], check=True)
    asks = [str(_SOURCES / "asks.c"), "-L", str(folder), "-ldriver", f"-Wl,-rpath,{folder}"]
    subprocess.run([*compiler, "-o", built.driver_program, *asks], check=True)
    shutil.copy(built.library, f"{built.library}.copy")
    fragile = ["g++", "-O1", "-o", str(built.fragile), str(_SOURCES / "fragile.cc"), *linked]
    subprocess.run(fragile, check=True)
    return built


@pytest.fixture
def live() -> None:
    """Skips where the kernel does not run our programs."""
    try:
        Engine().close()
    except EngineError as error:
        pytest.skip(f"no kernel programs here: {error}")


@pytest.fixture
def engine() -> Iterator[Engine]:
    try:
        opened = Engine()
    except EngineError as error:
        pytest.skip(f"no kernel programs here: {error}")
    yield opened
    opened.close()


@pytest.fixture
def counting(engine: Engine) -> Iterator[Counting]:
    opened = Counting(engine, percent=1e6)
    yield opened
    opened.close()
