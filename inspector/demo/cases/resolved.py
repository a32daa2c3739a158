"""Cases in which the look-up of a name goes wrong, or ends in another library."""

from ..build import Recipe
from ..case import Case, Launch
from ..parts import (
    DRIVER,
    LINKED,
    OFFLOADED,
    put_inference,
    put_program,
    put_shims,
    server_launch,
    server_tree,
    shim_folder,
    without,
)  # fmt: skip
from ..stage import Stage

_LOADING = Recipe(("override.c",), defines=("LOADING",))


def _overridden(stage: Stage) -> Launch:
    tree = server_tree(stage)
    hook = f"{tree.shims}/{stage.note('hook', f'lib{stage.word()}-intercept.so')}"
    stage.put(_LOADING, hook)
    tree.preload(hook, *put_shims(tree))
    return server_launch(tree)


def _lookup_refused(stage: Stage) -> Launch:
    shims = shim_folder(stage, driver=without(DRIVER, "cuGetProcAddress_v2"))
    return Launch([put_inference(stage)], {"LD_LIBRARY_PATH": shims}, ready=OFFLOADED)


def _bound_elsewhere(stage: Stage) -> Launch:
    profiler = stage.put(DRIVER_AS_PROFILER, f"opt/{stage.word()}/{stage.note('other', f'lib{stage.word()}-trace.so')}")
    environment = {"LD_PRELOAD": str(profiler), "LD_LIBRARY_PATH": shim_folder(stage), "SHIM_FAIL": "cuInit=100"}
    return Launch([put_program(stage, LINKED)], environment, ready=OFFLOADED)


DRIVER_AS_PROFILER = Recipe(("driver.c",), defines=('LABEL="libtrace"',))
"""A library of another purpose that exports the driver's names as well."""

CASES = (
    Case(
        name="dlopen-overridden",
        story="a preloaded library answers dlopen itself, with NULL and without an error text",
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
        name="bound-elsewhere",
        story="a preloaded tracing library exports the driver's names too and wins over the shim",
        family="resolved",
        stage=_bound_elsewhere,
        rule="bound-elsewhere",
        mode="cpu",
        sentence="{other}",
    ),
)
