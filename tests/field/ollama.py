"""Real Ollama of three generations, built from the sources of their releases, over stand-ins that note every call.

The first one asks for the driver in the server itself, the second in `ollama runner` children that load a backend of
ggml, the third in children that live 10 to 50 ms (`llama-server`, `ollama gpu-discover`).
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GENERATIONS = {"a": "v0.6.5", "b": "v0.12.6", "c": "v0.32.15"}
_LLAMA = "llama_cpp_python-0.3.36"
_HERE = Path(__file__).parent / "stand_ins"
_PROGRAMS = ("llama-server", "llama-quantize")
"""Of llama.cpp, which v0.32 runs: to answer, and to check a model that it is given."""
_CMAKE = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_BACKEND_DL=ON", "-DGGML_NATIVE=OFF",
    "-DGGML_OPENMP=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF",
)  # fmt: skip


@dataclass(frozen=True)
class Ollama:
    """One generation as it is installed, and the stand-in driver."""

    name: str
    program: Path
    shim: Path
    """Folder of libcuda.so.1, and of a copy without a SONAME."""

    def copy(self, folder: Path) -> "Ollama":
        """A tree of its own, of hard links, which a case may spoil."""
        root = self.program.parent.parent
        shutil.copytree(root, folder, copy_function=os.link, symlinks=True)
        return Ollama(self.name, folder / self.program.relative_to(root), self.shim)

    @property
    def backends(self) -> Path:
        """Folder of the backend for GPUs."""
        return self.program.parent.parent / "lib/ollama/cuda_v12"


def built() -> Path:
    """Where the programs are built, once: FIELD_OLLAMA, or a folder of the user's cache."""
    named = os.environ.get("FIELD_OLLAMA")
    return Path(named) if named else Path.home() / ".cache" / "shim-inspector-tests" / "ollama"


class CannotBuildError(Exception):
    """A compiler is not here."""


def prepare(folder: Path, generations: list[str], program: str) -> list[Ollama]:
    """Install generations into a folder, over the stand-ins; builds what is not built yet (13 minutes on 2 cores)."""
    base = built()
    needed = ("go", "cmake", "ninja", "gcc", "g++")
    if missing := [tool for tool in needed if shutil.which(tool) is None]:
        raise CannotBuildError(f"not here: {', '.join(missing)}")
    base.mkdir(parents=True, exist_ok=True)
    shim = folder / "shim"
    _library(shim / "libcuda.so.1", _HERE / "driver.c", "libcuda.so.1")
    _library(shim / "libnosoname.so", _HERE / "driver.c", "")
    return [_install(base, folder / name, name, program, shim) for name in generations]


def prepared(folder: Path, generations: list[str], program: str) -> list[Ollama]:
    """What `prepare` left in a folder, perhaps on another machine."""
    return [Ollama(name, folder / name / "bin" / program, folder / "shim") for name in generations]


def model() -> Path:
    """A model of two layers that computes nonsense: enough to be loaded, offloaded and run. Made once."""
    path = built() / "tiny.gguf"
    if not path.exists():
        place = built() / "gguf"
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(place / "bin/pip"), "install", "-q", "gguf==0.19.0"])
        _run([str(place / "bin/python"), str(_HERE / "model.py"), str(path)])
    return path


def _install(base: Path, root: Path, name: str, program: str, shim: Path) -> Ollama:
    shutil.rmtree(root, ignore_errors=True)
    (root / "bin").mkdir(parents=True)
    shutil.copy(_ollama(base, name), root / "bin" / program)
    if name == "b":
        _backend(root, base, _module(name) / "ml/backend/ggml/ggml", "-DOLLAMA")
    if name == "c":
        for file in _llama(base).glob("*"):
            if file.name in _PROGRAMS or ".so" in file.name:
                target = root / "lib/ollama" / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target, follow_symlinks=False)
        _backend(root, base, _sources(base) / "ggml", "-DUPSTREAM")
    return Ollama(name, root / "bin" / program, shim)


def _ollama(base: Path, name: str) -> Path:
    version = GENERATIONS[name]
    program = base / "bin" / version / "ollama"
    if not program.exists():
        # A Go module has no vendor folder: those headers come from llama.cpp's.
        flags = {"GOFLAGS": "-mod=mod", "CGO_CPPFLAGS": f"-I{_sources(base)}/vendor", "GOBIN": str(program.parent)}
        stamp = f"-X=github.com/ollama/ollama/version.Version={version[1:]}"
        _run(["go", "install", "-ldflags", stamp, f"github.com/ollama/ollama@{version}"], **flags)
    return program


def _module(name: str) -> Path:
    cache = subprocess.run(["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(cache) / f"github.com/ollama/ollama@{GENERATIONS[name]}"


def _sources(base: Path) -> Path:
    place = base / "sdist" / _LLAMA
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python"]
        _run([*pip, "-d", str(place.parent), _LLAMA.replace("llama_cpp_python-", "llama-cpp-python==")])
        _run(["tar", "xzf", f"{place}.tar.gz", "-C", str(place.parent)])
    return place / "vendor" / "llama.cpp"


def _llama(base: Path) -> Path:
    place = base / "llama"
    if not all((place / "bin" / name).exists() for name in _PROGRAMS):
        _run(["cmake", "-G", "Ninja", "-S", str(_sources(base)), "-B", str(place), *_CMAKE])
        _run(["cmake", "--build", str(place), "--target", *_PROGRAMS, "ggml-cpu"])
    return place / "bin"


def _backend(root: Path, base: Path, ggml: Path, flag: str) -> None:
    """Runtime, cuBLAS and backend, as a release has them."""
    folder = root / "lib/ollama/cuda_v12"
    runtime, algebra = folder / "libcudart.so.12", folder / "libcublas.so.12"
    _library(runtime, _HERE / "runtime.c", "libcudart.so.12")
    _library(algebra, _HERE / "cublas.c", "libcublas.so.12")
    words = ["g++", "-O1", "-w", "-shared", "-fPIC", flag, "-DGGML_BACKEND_DL", "-DGGML_BACKEND_BUILD"]
    headers = [f"-I{ggml}/include", f"-I{ggml}/src"]
    _run([*words, *headers, str(_HERE / "backend.cpp"), "-o", str(folder / "libggml-cuda.so"), str(runtime),
          "-Wl,--no-as-needed", str(algebra)])  # fmt: skip


def _library(path: Path, source: Path, soname: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    named = [f"-Wl,-soname,{soname}"] if soname else []
    _run(["gcc", "-O1", "-w", "-shared", "-fPIC", *named, "-o", str(path), str(source), "-ldl"])


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, **environment})
