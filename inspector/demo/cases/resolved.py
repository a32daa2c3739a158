"""Cases in which the look-up of a name goes wrong, or ends in another library."""

from ..build import BuildSpec
from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import (
    DRIVER,
    LEGACY,
    LINKED,
    OFFLOADED,
    VENDOR,
    put_inference,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
    without,
)  # fmt: skip

_LOADING = BuildSpec(("override.c",), defines=("LOADING",))


def _overridden(stage: Stage) -> Launch:
    tree = server_tree(stage)
    hook = f"{tree.shims}/{stage.note('hook', f'lib{stage.word()}-intercept.so')}"
    stage.put(_LOADING, hook)
    tree.preload(hook, *put_shims(tree))
    return server_launch(tree)


def _lookup_refused(stage: Stage) -> Launch:
    shims = shim_folder(stage, driver=without(DRIVER, "cuGetProcAddress_v2"))
    return Launch([put_inference(stage)], {"LD_LIBRARY_PATH": shims}, ready=OFFLOADED)


def _absolute_path(stage: Stage) -> Launch:
    program = put_program(stage, LEGACY)
    shim = stage.put(DRIVER, f"opt/vgpu/lib/lib{stage.word()}-cuda.so")
    vendor = shim_folder(stage, driver=VENDOR)
    stage.note("vendor", vendor)
    environment = {"LD_PRELOAD": str(shim), "LD_LIBRARY_PATH": vendor}
    return Launch([program], environment, ready="library=cpu")


def _one_of_ten(stage: Stage) -> Launch:
    missing = stage.note("name", stage.random.choice(("cuCtxCreate_v3", "cuCtxDestroy", "cuMemGetInfo_v2")))
    shims = shim_folder(stage, driver=without(DRIVER, missing))
    return Launch([put_program(stage, LEGACY)], {"LD_LIBRARY_PATH": shims}, ready="library=cpu")


def _bound_elsewhere(stage: Stage) -> Launch:
    profiler = stage.put(DRIVER_AS_PROFILER, f"opt/{stage.word()}/{stage.note('other', f'lib{stage.word()}-trace.so')}")
    environment = {
        "LD_PRELOAD": str(profiler),
        "LD_LIBRARY_PATH": shim_folder(stage),
    }
    return Launch([put_program(stage, LINKED)], environment, ready=OFFLOADED)


DRIVER_AS_PROFILER = BuildSpec(("driver.c",), defines=('LABEL="libtrace"', "VENDOR"))
"""A library of another purpose that exports the driver's names as well."""

CASES = (
    Case(
        name="dlopen-overridden",
        story="a preloaded library implements dlopen itself and returns NULL without an error text",
        family="resolved",
        stage=_overridden,
        rule="dlopen-overridden",
        mode="cpu",
        sentence="{hook}",
    ),
    Case(
        name="lookup-failed",
        story="the runtime asks the shim for cuGetProcAddress_v2, the shim has only the older one",
        family="resolved",
        stage=_lookup_refused,
        rule="lookup-failed",
        mode="cpu",
        sentence="cuGetProcAddress_v2",
    ),
    Case(
        name="one-of-ten-names",
        story="an older server opens the shim itself and looks up ten names: one is not there, so it takes none",
        family="resolved",
        stage=_one_of_ten,
        rule="lookup-failed",
        mode="cpu",
        sentence="{name}",
    ),
    Case(
        name="absolute-path",
        story="an older server opens the vendor's libcuda by its absolute path: the preloaded shim is never asked",
        family="resolved",
        stage=_absolute_path,
        rule="bound-elsewhere",
        mode="cpu",
        sentence="{vendor}",
    ),
    Case(
        name="bound-elsewhere",
        story="a preloaded tracing library exports the driver's names too and wins over the shim",
        family="resolved",
        stage=_bound_elsewhere,
        rule="bound-elsewhere",
        mode="cpu",
        sentence="{other}",
    ),
)
