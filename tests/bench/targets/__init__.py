"""What is looked at while it is measured: a program over a driver as shims are, made by the compiler that is there."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_SOURCES = Path(__file__).parent
_COMPILER = ("gcc", "-O1", "-fno-omit-frame-pointer", "-fcf-protection=none")


@cache
def _room() -> "tempfile.TemporaryDirectory[str]":
    """Goes with the benchmark."""
    return tempfile.TemporaryDirectory(prefix="bench-")


def room() -> Path:
    """A folder for what is made; it goes with the benchmark."""
    return Path(_room().name)


@cache
def program() -> Path:
    """The program, linked to `libcuda.so.1` beside it; CalledProcessError or FileNotFoundError without a compiler."""
    driver, made = room() / "libcuda.so.1", room() / "program"
    soname = "-Wl,-soname,libcuda.so.1"
    subprocess.run([*_COMPILER, "-shared", "-fPIC", soname, "-o", driver, _SOURCES / "driver.c"], check=True)
    subprocess.run(
        [*_COMPILER, "-o", made, _SOURCES / "program.c", driver, f"-Wl,-rpath,{room()}"], check=True
    )  # fmt: skip
    return made


@cache
def made(source: str) -> Path:
    """A program of one source file; errors as for `program`."""
    binary = room() / Path(source).stem
    subprocess.run([*_COMPILER, "-o", binary, _SOURCES / source], check=True)
    return binary


@contextlib.contextmanager
def running(*words: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """A process whose output we read; it is killed at the end."""
    process = subprocess.Popen(list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
