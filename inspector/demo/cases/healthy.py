"""Programs that work: nothing may be blamed here."""

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    DRIVER,
    LEGACY,
    LINKED,
    LOADED,
    MONITOR,
    NVML,
    OFFLOADED,
    SERVER,
    device,
    put_inference,
    put_modern_server,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)  # fmt: skip


def _server(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return server_launch(tree, LOADED, DEMO_LAYERS="29/29", **device(stage))


def _by_search_path(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.environment["LD_LIBRARY_PATH"] = shim_folder(stage, nvml=NVML)
    return server_launch(tree, LOADED, DEMO_LAYERS="29/29", **device(stage))


def _late(stage: Stage) -> Launch:
    return replace(_by_search_path(stage), late=True)


def _late_without_model(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return replace(server_launch(tree, **device(stage)), late=True)


def _single(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage)} | device(stage)
    return Launch([put_inference(stage)], environment, ready="offloaded 17/17")


def _legacy(stage: Stage) -> Launch:
    return Launch([put_program(stage, LEGACY)], {"LD_LIBRARY_PATH": shim_folder(stage)}, ready="library=cuda")


def _modern(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage)} | device(stage)
    return Launch([put_modern_server(stage)], environment, ready=OFFLOADED)


def _in_order(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage)} | device(stage)
    environment["SHIM_FAIL"] = "cuLibraryUnload=4,cuDevicePrimaryCtxRelease_v2=4"
    return Launch([put_program(stage, LINKED), "--once"], environment, ready="cuDevicePrimaryCtxRelease_v2()")


def _eager(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree, driver=replace(DRIVER, defines=("CONSTRUCTOR",))))
    return server_launch(tree, LOADED, DEMO_LAYERS="29/29", **device(stage))


def _monitor(stage: Stage) -> Launch:
    shims = shim_folder(stage, nvml=replace(NVML, defines=("OPENS_DRIVER",)))
    return Launch([put_program(stage, MONITOR)], {"LD_LIBRARY_PATH": shims}, ready="gpu 0:")


def _no_gpu(stage: Stage) -> Launch:
    return Launch(["/bin/sh", "-c", "echo started; sleep 60 & wait"], {}, ready="started")


def _server_without_shims(stage: Stage) -> Launch:
    program = put_program(stage, SERVER)
    return Launch([program], {}, ready="library=cpu")


CASES = (
    Case(
        name="healthy",
        story="a child of the server finds the GPU, another one allocates and launches on it",
        family="healthy",
        stage=_server,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-by-search-path",
        story="the same with the shims found through LD_LIBRARY_PATH, nothing preloaded",
        family="healthy",
        stage=_by_search_path,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-late",
        story="the same, and the observer comes when discovery is long over",
        family="healthy",
        stage=_late,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
        seconds=1.0,
    ),
    Case(
        name="healthy-late-idle",
        story="a server that found the GPU before the observer came, and that has no model loaded",
        family="healthy",
        stage=_late_without_model,
        rule="gpu-ready",
        mode="cuda",
        sentence="",
        seconds=1.0,
    ),
    Case(
        name="healthy-single",
        story="one program with its backend, on the GPU",
        family="healthy",
        stage=_single,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-legacy",
        story="an older server finds the GPU in its own process and unloads the driver again",
        family="healthy",
        stage=_legacy,
        rule="gpu-ready",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-modern",
        story="a newer server asks llama-server for devices, then starts one that computes",
        family="healthy",
        stage=_modern,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-ends-in-order",
        story="a program that works and ends: 201 when it asks for a context, 4 when it tidies up, both normal",
        family="healthy",
        stage=_in_order,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="healthy-eager-constructor",
        story="the shim's constructor calls its own functions in every process; the consumer's calls are what counts",
        family="healthy",
        stage=_eager,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
    Case(
        name="nvml-only",
        story="a monitor that only reads figures by NVML, which maps libcuda and calls it once: no CUDA, no fault",
        family="healthy",
        stage=_monitor,
        rule="management-only",
        mode="cpu",
        sentence="",
    ),
    Case(
        name="no-gpu-program",
        story="a shell and sleep, without any GPU library: nothing to say",
        family="healthy",
        stage=_no_gpu,
        rule="nobody-asked",
        mode="cpu",
        sentence="",
    ),
)
