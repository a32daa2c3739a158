"""Programs as packages bring them: Python wheels, Node, a JVM, Go, each behind a script that sets the folder.

What the stand-in driver noted is compared with what was counted. Packages are installed once, in a folder of the
user's cache.
"""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import counted_starts
from .ollama import built

_STAND_INS = Path(__file__).parent / "stand_ins"
_WAYS = {"waited for": counted_starts.program_waited, "by report": counted_starts.program_reported}


@dataclass(frozen=True)
class Layout:
    """One way in which a program brings its libraries along."""

    name: str
    packages: tuple[str, ...]
    asks: str
    """Python text that looks for a GPU."""
    large: bool = False


_RUNTIME = """import ctypes, glob, sys
(path,) = glob.glob(sys.prefix + '/lib/python3*/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12')
print(ctypes.CDLL(path).cudaGetDeviceCount(ctypes.byref(ctypes.c_int())))
"""
_ONNX = """import onnxruntime
onnxruntime.preload_dlls()
print(onnxruntime.get_available_providers())
try: onnxruntime.InferenceSession(b"", providers=["CUDAExecutionProvider"])
except Exception as error: print(error)
"""
_JAX = """import jax
try: print(jax.devices())
except Exception as error: print(error)
"""
_NVIDIA = ("nvidia-cuda-runtime-cu12", "nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-cufft-cu12")
LAYOUTS = [
    Layout("runtime from its wheel", ("nvidia-cuda-runtime-cu12==12.8.90",), _RUNTIME),
    Layout(
        "ctranslate2",
        ("ctranslate2==4.6.0", "setuptools<81"),
        "import ctranslate2\nprint(ctranslate2.get_cuda_device_count())",
    ),
    Layout("numba", ("numba==0.61.2",), "from numba import cuda\nprint(cuda.is_available())"),
    Layout("cupy", ("cupy-cuda12x==13.4.1",), "import cupy\nprint(cupy.cuda.is_available())", large=True),
    Layout("onnxruntime", ("onnxruntime-gpu==1.22.0", *_NVIDIA), _ONNX, large=True),
    Layout("jax plugin", ("jax==0.6.2", "jax-cuda12-plugin==0.6.2", "jax-cuda12-pjrt==0.6.2"), _JAX, large=True),
    Layout("torch", ("torch==2.7.1",), "import torch\nprint(torch.cuda.is_available())", large=True),
    Layout(
        "tensorflow",
        ("tensorflow==2.19.0",),
        "import tensorflow as tf\nprint(tf.config.list_physical_devices('GPU'))",
        large=True,
    ),
]

_GO = """package main

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// static int ask(void) {
//     void *driver = dlopen("libcuda.so.1", RTLD_NOW);
//     int (*begin)(unsigned) = driver ? dlsym(driver, "cuInit") : 0;
//     return begin ? begin(0) : -1;
// }
import "C"
import "fmt"

func main() { fmt.Println(C.ask()) }
"""
_JAVA = """public class Main {
    static native int ask();
    public static void main(String[] words) { System.load(words[0]); System.out.println(ask()); }
}
"""
_NATIVE = """
#include <dlfcn.h>
int Java_Main_ask(void *environment, void *type) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    int (*begin)(unsigned) = driver ? dlsym(driver, "cuInit") : 0;
    return begin ? begin(0) : -1;
}
"""


def run(folder: Path, count: int, everything: bool) -> bool:
    """A row for each layout and way; whether all calls were counted."""
    shim = folder / "shim"
    shim.mkdir(exist_ok=True)
    command = ["gcc", "-O1", "-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(shim / "libcuda.so.1")]
    subprocess.run([*command, str(_STAND_INS / "driver.c")], check=True)
    counted_starts.head()
    good = True
    for name, asks in _programs(folder, everything):
        script = folder / f"{name.replace(' ', '-')}.sh"
        script.write_text(f"#!/bin/sh\nexport LD_LIBRARY_PATH={shim}\n{asks}\n")
        script.chmod(0o755)
        for way, start in _WAYS.items():
            begun = time.monotonic()
            seen = [start(script, folder) for _ in range(count)]
            good &= counted_starts.row(name, way, seen, time.monotonic() - begun)
    return good


def _programs(folder: Path, everything: bool) -> list[tuple[str, str]]:
    """Name and shell words of each that can be had here."""
    found = [("Go", _go(folder)), ("Java", _java(folder))]
    for layout in LAYOUTS:
        if everything or not layout.large:
            program = folder / f"asks-{layout.name.replace(' ', '-')}.py"
            program.write_text(layout.asks + "\n")
            found.append((layout.name, f"exec {_installed(layout)} {program}"))
    return [(name, words) for name, words in found if words]


def _installed(layout: Layout) -> Path:
    """The interpreter of an environment of its own; pip keeps what it downloads."""
    place = built().with_name("wheels") / layout.name.replace(" ", "-")
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *layout.packages], check=True
        )
        (place / "installed").touch()
    return python


def _go(folder: Path) -> str:
    if shutil.which("go") is None:
        return ""
    place = folder / "go-program"
    place.mkdir()
    (place / "main.go").write_text(_GO)
    (place / "go.mod").write_text("module asks\n\ngo 1.20\n")
    subprocess.run(["go", "build", "-o", "asks", "."], cwd=place, check=True)
    return f"exec {place}/asks"


def _java(folder: Path) -> str:
    if shutil.which("javac") is None:
        return ""
    place = folder / "java-program"
    place.mkdir()
    (place / "Main.java").write_text(_JAVA)
    (place / "native.c").write_text(_NATIVE)
    subprocess.run(["javac", "Main.java"], cwd=place, check=True)
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-o", "libasks.so", "native.c", "-ldl"], cwd=place, check=True)
    return f"exec java -cp {place} Main {place}/libasks.so"
