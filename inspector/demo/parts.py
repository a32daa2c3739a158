"""The standard parts of cases: build specifications of libraries and programs, and the usual layout of the server."""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from .build import BuildSpec
from .case import Launch
from .case_directory import Stage

DRIVER = BuildSpec(("driver.c",), soname="libcuda.so.1")
VENDOR = BuildSpec(("driver.c",), soname="libcuda.so.1", defines=("VENDOR",))
"""A vendor's driver on a machine without its hardware."""
NVML = BuildSpec(("nvml.c",), soname="libnvidia-ml.so.1")
RUNTIME = BuildSpec(("runtime.c",), soname="libcudart.so.12", node="libcudart.so.12")
BLAS_LT = BuildSpec(("blas_lt.c",), soname="libcublasLt.so.12")
BLAS = BuildSpec(("blas.c",), soname="libcublas.so.12", node="libcublas.so.12", needs=(BLAS_LT,))
BACKEND = BuildSpec(("backend.c",), needs=(RUNTIME, BLAS, DRIVER))
SERVER = BuildSpec(("server.c", "runner.c", "http.c"), shared=False)
INFER = BuildSpec(("infer.c",), shared=False)
DIRECT = BuildSpec(("direct.c",), shared=False)
LINKED = BuildSpec(("direct.c",), shared=False, defines=("LINKED",), needs=(DRIVER,))
LEGACY = BuildSpec(("legacy.c",), shared=False)
MODERN = BuildSpec(("modern.c",), shared=False)
MONITOR = BuildSpec(("monitor.c",), shared=False)
CLIENT = BuildSpec(("client.c", "http.c"), shared=False)
MODEL = BuildSpec(("model.c",), shared=False)
VIEW = BuildSpec(("view.c",), shared=False)
GATE = BuildSpec(("gate.c",), shared=False)
FRAMEWORK = BuildSpec(("framework.c",), shared=False)
MODULE = BuildSpec(("view.c",), needs=(BuildSpec(("gate.c",), soname="libtbb.so.12"),))
"""A module that has to do with no API, and that needs a library of its own."""

_BESIDE = ("-Wl,-rpath,$ORIGIN",)
BACKEND_BESIDE = replace(BACKEND, flags=_BESIDE)
BLAS_BESIDE = replace(BLAS, flags=_BESIDE)
"""The same, looking for what they need in their own folder."""

DISCOVERED = 'msg="vram-based default context"'
"""In the last line of the server's discovery."""
LOADED = "llama runner started"
"""In the server's line about the model that it loaded."""
OFFLOADED = "layers to GPU"
"""In the line with which every program of the demo ends its start."""

DRIVER_NAMES = (
    "cuDeviceGet", "cuDeviceGetAttribute", "cuGetErrorString", "cuMemAddressFree", "cuMemAddressReserve", "cuMemCreate",
    "cuMemGetAllocationGranularity", "cuMemMap", "cuMemRelease", "cuMemSetAccess", "cuMemUnmap",
)  # fmt: skip
"""The names of the driver that a ggml backend is bound to at load."""


def without(spec: BuildSpec, *names: str) -> BuildSpec:
    """The same library without these functions."""
    return replace(spec, hide=names, strip=True)


def mangled(spec: BuildSpec, *names: str) -> BuildSpec:
    """The same library with these functions as a C++ compiler names them when extern "C" is forgotten."""
    return replace(spec, defines=(*spec.defines, *(f"{name}=_Z{len(name)}{name}v" for name in names)))


class ServerTree(msgspec.Struct):
    """A model server with its libraries where Ollama has them, and a folder for shims."""

    stage: Stage
    program: str
    backends: str
    """Folder of the GPU backend, relative to the stage: `.../lib/ollama/cuda_v12`."""
    shims: str
    """Folder of the shims, relative to the stage."""
    environment: dict[str, str]

    def preload(self, *paths: str) -> None:
        """Preload these files of the stage into the server."""
        self.environment["LD_PRELOAD"] = ":".join(self.stage.path(one) for one in paths)

    def search_shims(self) -> None:
        """Let the loader look in the folder of the shims."""
        self.environment["LD_LIBRARY_PATH"] = self.stage.path(self.shims)


def server_tree(stage: Stage, *, leave_out: tuple[str, ...] = (), **others: BuildSpec) -> ServerTree:
    """Server, backend, runtime and cuBLAS in place; `others` replaces a file by another spec, `leave_out` omits one.

    Keys of `others`: `backend`, `runtime`, `blas`, `blas_lt`, `server`.
    """
    home = f"opt/{stage.word()}"
    folder = f"{home}/lib/ollama/cuda_v{stage.random.choice((12, 13))}"
    program = stage.put(others.get("server", SERVER), f"{home}/bin/{stage.word()}-server")
    files = {
        "backend": ("libggml-cuda.so", BACKEND),
        "runtime": ("libcudart.so.12", RUNTIME),
        "blas": ("libcublas.so.12", BLAS),
        "blas_lt": ("libcublasLt.so.12", BLAS_LT),
    }
    for key, (name, spec) in files.items():
        if key not in leave_out:
            stage.put(others.get(key, spec), f"{folder}/{name}")
    shims = f"{stage.random.choice(('opt/vgpu/lib', 'usr/lib64', 'srv/shim'))}"
    return ServerTree(stage, str(program), folder, shims, {})


def put_shims(tree: ServerTree, driver: BuildSpec = DRIVER, nvml: BuildSpec = NVML) -> tuple[str, str]:
    """The two shims under file names of their own in the folder of the shims; their paths relative to the stage."""
    word = tree.stage.note("shim", f"lib{tree.stage.word()}")
    paths = (f"{tree.shims}/{word}-cuda.so", f"{tree.shims}/{word}-nvml.so")
    tree.stage.put(driver, paths[0])
    tree.stage.put(nvml, paths[1])
    return paths


def put_modern_server(stage: Stage) -> str:
    """A server of the newest kind, which asks `llama-server --list-devices`, with all its libraries; its path."""
    tree = server_tree(stage, server=MODERN)
    stage.put(INFER, f"{Path(tree.backends).parent}/llama-server")
    return tree.program


def server_launch(tree: ServerTree, ready: str = DISCOVERED, **environment: str) -> Launch:
    """Start the server of a tree with these settings more; its story is told once `ready` is in its log."""
    return Launch([tree.program], tree.environment | environment, ready=ready)


def put_program(stage: Stage, spec: BuildSpec, name: str = "") -> str:
    """A program in a folder of its own under a made-up name; its path."""
    return str(stage.put(spec, f"opt/{stage.word()}/bin/{name or stage.word()}"))


def shim_folder(stage: Stage, driver: BuildSpec = DRIVER, nvml: BuildSpec | None = None) -> str:
    """A folder with the shims under the names that programs ask for, for LD_LIBRARY_PATH; its path."""
    folder = f"srv/{stage.word()}/lib"
    stage.put(driver, f"{folder}/libcuda.so.1")
    if nvml is not None:
        stage.put(nvml, f"{folder}/libnvidia-ml.so.1")
    return stage.path(folder)


def device(stage: Stage) -> dict[str, str]:
    """Settings by which the shim has a file that stands for the device, so that work can be seen to arrive there."""
    return {"SHIM_DEVICE": str(stage.write("dev/resource0", bytes(4096)))}


def put_inference(stage: Stage, **others: BuildSpec) -> str:
    """A single program that computes, with backend, runtime and cuBLAS beside it; its path. Keys as `server_tree`."""
    program = put_program(stage, INFER)
    folder = str(Path(program).parent.relative_to(stage.directory))
    stage.put(others.get("backend", BACKEND_BESIDE), f"{folder}/libggml-cuda.so")
    stage.put(others.get("runtime", RUNTIME), f"{folder}/libcudart.so.12")
    stage.put(others.get("blas", BLAS_BESIDE), f"{folder}/libcublas.so.12")
    stage.put(others.get("blas_lt", BLAS_LT), f"{folder}/libcublasLt.so.12")
    return program
