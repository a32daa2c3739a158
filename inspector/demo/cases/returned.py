"""Cases in which the function is called and what it answers is the fault."""

from collections.abc import Callable

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    DIRECT,
    FRAMEWORK,
    MODULE,
    OFFLOADED,
    RUNTIME,
    device,
    put_inference,
    put_modern_server,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
)


def _in_server(**settings: str) -> Callable[[Stage], Launch]:
    """The whole server over a shim with these settings."""

    def stage_it(stage: Stage) -> Launch:
        tree = server_tree(stage)
        tree.preload(*put_shims(tree))
        return server_launch(tree, **settings)

    return stage_it


def _in_program(ready: str = OFFLOADED, **settings: str) -> Callable[[Stage], Launch]:
    """A single program with backend and runtime over a shim with these settings."""

    def stage_it(stage: Stage) -> Launch:
        environment = {"LD_LIBRARY_PATH": shim_folder(stage)} | device(stage) | settings
        return Launch([put_inference(stage)], environment, ready=ready)

    return stage_it


def _direct(**settings: str) -> Callable[[Stage], Launch]:
    """A program that goes to the driver itself, over a shim with these settings."""

    def stage_it(stage: Stage) -> Launch:
        return Launch([put_program(stage, DIRECT)], {"LD_LIBRARY_PATH": shim_folder(stage)} | settings, ready=OFFLOADED)

    return stage_it


def _old_layout(stage: Stage) -> Launch:
    tree = server_tree(stage, runtime=replace(RUNTIME, defines=("OLD_LAYOUT",)))
    tree.preload(*put_shims(tree))
    return server_launch(tree)


def _modern(stage: Stage) -> Launch:
    environment = {"LD_LIBRARY_PATH": shim_folder(stage), "SHIM_MEMORY": "0", "OLLAMA_DEBUG": "1"}
    return Launch([put_modern_server(stage)], environment, ready="library=cpu")


def _framework(*options: str, **settings: str) -> Callable[[Stage], Launch]:
    """A framework with the runtime linked into it; a module of its own lacks what it needs."""

    def stage_it(stage: Stage) -> Launch:
        program = put_program(stage, FRAMEWORK)
        module = stage.put(MODULE, f"opt/{stage.word()}/modules/{stage.note('module', f'{stage.word()}.so')}")
        argv = [program, "--module", str(module), *options]
        return Launch(argv, {"LD_LIBRARY_PATH": shim_folder(stage)} | settings, ready="framework: ended")

    return stage_it


CASES = (
    Case(
        name="no-device",
        story="cuInit returns 100, no device",
        family="returned",
        stage=_in_server(SHIM_FAIL="cuInit=100"),
        rule="api-error",
        mode="cpu",
        sentence="= 100 (",
    ),
    Case(
        name="wrong-process-name",
        story="the shim works only in a process of a certain name and returns 3 in all others",
        family="returned",
        stage=_in_server(SHIM_ONLY="ollama.bin.real"),
        rule="api-error",
        mode="cpu",
        sentence="= 3 (",
    ),
    Case(
        name="driver-too-old",
        story="the shim says it is driver 11.4, the runtime wants 12",
        family="returned",
        stage=_in_program(SHIM_VERSION="11040"),
        rule="driver-too-old",
        mode="cpu",
        sentence="11.4",
    ),
    Case(
        name="export-table-refused",
        story="cuInit succeeds; the runtime's private table is refused and nothing is called after it",
        family="returned",
        stage=_in_server(SHIM_TABLES="none"),
        rule="export-table-refused",
        mode="cpu",
        sentence="6BD5FB6C",
    ),
    Case(
        name="no-device-counted",
        story="everything succeeds and the count is 0",
        family="returned",
        stage=_in_program(SHIM_COUNT="0"),
        rule="no-device-counted",
        mode="cpu",
        sentence="cuDeviceGetCount",
    ),
    Case(
        name="zero-memory",
        story="the device has no memory, so the server drops it",
        family="returned",
        stage=_in_server(SHIM_MEMORY="0"),
        rule="zero-memory",
        mode="cpu",
        sentence="0 bytes",
    ),
    Case(
        name="zero-memory-modern",
        story="a newer server reads the devices from llama-server's output and skips the one of 0 MiB",
        family="returned",
        stage=_modern,
        rule="zero-memory",
        mode="cpu",
        sentence="0 bytes",
    ),
    Case(
        name="memory-refused",
        story="cuMemGetInfo_v2 returns 3 before there is a context",
        family="returned",
        stage=_direct(SHIM_FAIL="cuMemGetInfo_v2=3"),
        rule="api-error",
        mode="cpu",
        sentence="cuMemGetInfo_v2",
    ),
    Case(
        name="implausible-compute",
        story="the shim reports compute capability 0.0",
        family="returned",
        stage=_in_server(SHIM_COMPUTE="0.0"),
        rule="implausible-device",
        mode="cpu",
        sentence="0.0",
    ),
    Case(
        name="struct-layout",
        story="the runtime shim fills cudaDeviceProp as an older release laid it out: compute reads 0.0",
        family="returned",
        stage=_old_layout,
        rule="implausible-device",
        mode="cpu",
        sentence="cudaGetDeviceProperties",
    ),
    Case(
        name="invalid-image",
        story="the device was found; loading its code returns 200, invalid image",
        family="returned",
        stage=_in_program(SHIM_FAIL="cuLibraryLoadData=200"),
        rule="api-error",
        mode="cpu",
        sentence="= 200 (",
    ),
    Case(
        name="sticky-error",
        story="the sixth launch returns 700, and everything after it too",
        family="returned",
        stage=_in_program("CUDA error", SHIM_FAIL="cuLaunchKernel=700@6,cuCtxSynchronize=700@2"),
        rule="api-error",
        mode="cuda",
        sentence="= 700 (",
    ),
    Case(
        name="linked-runtime-refused",
        story="a framework with the runtime linked into it finds the device and is refused a private table after it",
        family="returned",
        stage=_framework("--table"),
        rule="export-table-refused",
        mode="cpu",
        sentence="D4082055",
        seconds=1.5,
    ),
    Case(
        name="optional-module",
        story="cuInit returns 100; before it, a module that has nothing to do with GPUs could not be loaded",
        family="returned",
        stage=_framework(SHIM_FAIL="cuInit=100"),
        rule="api-error",
        mode="cpu",
        sentence="cuInit = 100",
    ),
    Case(
        name="placeholder-answered",
        story="the shim returns a function for every name; one that it does not have is called and refuses",
        family="returned",
        stage=_framework("--stream"),
        rule="placeholder-answered",
        mode="cpu",
        sentence="answered 11 names with one placeholder",
        seconds=1.5,
    ),
)
