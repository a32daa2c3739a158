"""A program runs as if nobody looked, as a target and as a bystander whose files are observed for another program."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.run import COMMAND

_SOURCES = Path(__file__).parent
_HOLDER = """
import ctypes, sys, time
library = ctypes.CDLL("libcuda.so.1")
for _ in range(6000):
    library.cuInit(0)
    time.sleep(0.1)
"""
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may probe"),
    pytest.mark.xdist_group("hazards"),
]


@dataclass(frozen=True)
class Hazards:
    """A program that does one hazardous thing a start, and what each prints and ends with when nobody looks."""

    folder: Path
    script: str
    alone: dict[str, str]

    def run(self, out: Path) -> dict[str, str]:
        """Do all of them now, one after the other."""
        subprocess.run(self.command(out), check=True, timeout=120, stderr=subprocess.DEVNULL)
        return read(out)

    def command(self, out: Path) -> list[str]:
        """Does all of them and keeps what they print, and how they end, in a folder."""
        out.mkdir()
        return ["sh", "-c", self.script, "hazards", str(self.folder), str(out)]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"LD_LIBRARY_PATH": str(self.folder)}


def read(out: Path) -> dict[str, str]:
    """What each printed and ended with."""
    return {file.name: file.read_text() for file in out.iterdir()}


@pytest.fixture(scope="module")
def hazards(tmp_path_factory: pytest.TempPathFactory) -> Hazards:
    folder = tmp_path_factory.mktemp("hazards")
    shared = ["g++", "-O1", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(folder / "libcuda.so.1")]
    subprocess.run([*shared, str(_SOURCES / "shim.cc")], check=True)
    program = ["g++", "-O1", "-fomit-frame-pointer", "-o", str(folder / "hazards"), str(_SOURCES / "program.cc")]
    subprocess.run([*program, "-ldl", "-lpthread"], check=True)
    _build_callers(folder)
    script = (
        'export LD_LIBRARY_PATH="$1"; for name in $("$1/hazards"); do '
        '"$1/hazards" $name >"$2/$name" 2>&1; echo "ends with $?" >>"$2/$name"; done; '
        'for caller in $(cd "$1" && ls -d in-* 2>/dev/null); do '
        '"$1/$caller" >"$2/$caller" 2>&1; echo "ends with $?" >>"$2/$caller"; done'
    )
    made = Hazards(folder, script, {})
    return Hazards(folder, script, made.run(folder / "alone"))


def _build_callers(folder: Path) -> None:
    """Programs of other languages, of those whose compiler is here."""
    if shutil.which("go"):
        source = shutil.copy(_SOURCES / "caller.go", folder)
        # Go's own library is compiled once for all runs: that takes half a minute.
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shim-inspector-tests/go"
        go = {"CGO_ENABLED": "1", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOCACHE": str(cache)}
        build = ["go", "build", "-o", str(folder / "in-go"), source]
        subprocess.run(build, check=True, cwd=folder, env=os.environ | go)
    if shutil.which("rustc"):
        build = ["rustc", "--edition", "2024", "-O", "-o", str(folder / "in-rust"), str(_SOURCES / "caller.rs")]
        subprocess.run(build, check=True, cwd=folder)


def test_a_target_does_what_it_does_unobserved_and_its_results_are_its_own(hazards: Hazards, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    watched = [*COMMAND, "report", "--for", "100s", "--format", "json", "-o", str(report), "--"]
    subprocess.run([*watched, *hazards.command(tmp_path / "out")], timeout=200, stderr=subprocess.DEVNULL)
    assert read(tmp_path / "out") == hazards.alone
    rows = [row for row in json.loads(report.read_text())["calls"] if row["library"].endswith("libcuda.so.1")]
    assert {"cuInit", "cuDeviceGetCount", "cuCtxSynchronize"} <= {row["function"] for row in rows}
    results = {(row["function"], result) for row in rows for result in row["results"]}
    assert {("cuDeviceGetCount", "CUDA_SUCCESS"), ("cuCtxSynchronize", "CUDA_SUCCESS")} <= results
    assert {result for _, result in results} == {"CUDA_SUCCESS"}  # no call got what another one left in a register
    assert all(sum(row["results"].values()) <= row["count"] for row in rows)


def test_a_bystander_whose_files_are_observed_does_what_it_does_unobserved(hazards: Hazards, tmp_path: Path) -> None:
    holder = subprocess.Popen(["python3", "-c", _HOLDER], env=hazards.environment)
    recording = subprocess.Popen(
        [*COMMAND, "record", str(holder.pid), "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert recording.stdout is not None
        for line in recording.stdout:
            if b'"functions-watched"' in line and b"libcuda.so.1" in line:
                break
        else:
            pytest.fail("its library is not observed")
        assert hazards.run(tmp_path / "out") == hazards.alone
    finally:
        recording.send_signal(signal.SIGINT)
        recording.communicate(timeout=60)
        holder.kill()
        holder.wait()
