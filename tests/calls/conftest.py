"""Real targets, built once, and an engine with counting on the live kernel."""

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


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    folder = tmp_path_factory.mktemp("targets")
    built = Targets(folder)
    compiler = ["gcc", "-O1", "-g0", "-fcf-protection=none"]
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", built.library, _SOURCES / "watched.c"], check=True)
    linked = ["-L", str(folder), "-lwatched", f"-Wl,-rpath,{folder}", "-pthread"]
    subprocess.run([*compiler, "-o", built.program, _SOURCES / "program.c", *linked], check=True)
    return built


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
