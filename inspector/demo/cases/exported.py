"""Cases in which the shim is mapped and a name is not there as the consumer wants it."""

from msgspec.structs import replace

from ..build import BuildSpec
from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    BLAS,
    DRIVER,
    DRIVER_NAMES,
    MODEL,
    MONITOR,
    NVML,
    RUNTIME,
    mangled,
    put_inference,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
    without,
)  # fmt: skip

_READING = BuildSpec(("override.c",), defines=("READING",))


def _missing(stage: Stage) -> Launch:
    name = stage.note("name", stage.random.choice(DRIVER_NAMES))
    tree = server_tree(stage)
    tree.preload(*put_shims(tree, driver=without(DRIVER, name)))
    return server_launch(tree)


def _missing_loudly(stage: Stage) -> Launch:
    name = stage.note("name", stage.random.choice(DRIVER_NAMES))
    shims = shim_folder(stage, driver=without(DRIVER, name))
    return Launch([put_inference(stage)], {"LD_LIBRARY_PATH": shims}, ready="undefined symbol: " + name)


def _hidden(stage: Stage) -> Launch:
    name = stage.note("name", stage.random.choice(DRIVER_NAMES))
    tree = server_tree(stage)
    tree.preload(*put_shims(tree, driver=replace(DRIVER, hide=(name,))))
    return server_launch(tree)


def _mangled(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree, driver=mangled(DRIVER, *DRIVER_NAMES)))
    return server_launch(tree)


def _other_node(stage: Stage) -> Launch:
    tree = server_tree(stage, blas=replace(BLAS, node=stage.note("node", "CUBLAS_12.0")))
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _no_table(stage: Stage) -> Launch:
    tree = server_tree(stage, runtime=replace(RUNTIME, node="", flags=("-nostdlib",)))
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _helper(stage: Stage) -> Launch:
    broken = replace(NVML, defines=("HELPER",), flags=("-Wl,--allow-shlib-undefined",))
    shims = shim_folder(stage, nvml=broken)
    return Launch([put_program(stage, MONITOR)], {"LD_LIBRARY_PATH": shims}, ready="undefined symbol")


def _reading_overridden(stage: Stage) -> Launch:
    hook = stage.put(_READING, f"opt/vgpu/lib/{stage.note('hook', f'lib{stage.word()}-mmap.so')}")
    model = stage.write(f"var/{stage.word()}.gguf", b"GGUF" + bytes(stage.random.randrange(100, 9000)))
    environment = {"LD_PRELOAD": str(hook), "LD_LIBRARY_PATH": shim_folder(stage)}
    return Launch([put_program(stage, MODEL), str(model), put_inference(stage)], environment, ready="read magic")


CASES = (
    Case(
        name="symbol-missing",
        story="one of the eleven driver names that the backend is bound to is not in the shim; the load fails silently",
        family="exported",
        stage=_missing,
        rule="symbol-missing",
        mode="cpu",
        sentence="{name}",
    ),
    Case(
        name="symbol-missing-loudly",
        story="the same in a single program that prints the loader's words",
        family="exported",
        stage=_missing_loudly,
        rule="symbol-missing",
        mode="cpu",
        sentence="{name}",
    ),
    Case(
        name="symbol-hidden",
        story="the function is written and compiled, but an export script made it local",
        family="exported",
        stage=_hidden,
        rule="symbol-hidden",
        mode="cpu",
        sentence="{name}",
    ),
    Case(
        name="symbol-mangled",
        story='the driver shim was compiled as C++ without extern "C": its names hold their arguments',
        family="exported",
        stage=_mangled,
        rule="symbol-mangled",
        mode="cpu",
        sentence="as the C++ function _Z",
    ),
    Case(
        name="version-node-missing",
        story="the cuBLAS shim offers its names at another version node than the backend needs",
        family="exported",
        stage=_other_node,
        rule="version-node-missing",
        mode="cpu",
        sentence="libcublas.so.12",
    ),
    Case(
        name="no-version-table",
        story="the runtime shim has no version table at all: the loader itself aborts, status 127",
        family="exported",
        stage=_no_table,
        rule="no-version-table",
        mode="cpu",
        sentence="libcudart.so.12",
    ),
    Case(
        name="helper-undefined",
        story="the NVML shim uses a helper function that only another shim has",
        family="exported",
        stage=_helper,
        rule="symbol-missing",
        mode="cpu",
        sentence="libvgpu_set_skip_interception",
    ),
    Case(
        name="reading-overridden",
        story="a preloaded library overrides fread and has no real one to call: the model seems to be damaged",
        family="exported",
        stage=_reading_overridden,
        rule="overrides-libc",
        mode="cpu",
        sentence="fread",
    ),
)
