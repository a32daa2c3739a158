"""Cases in which the question is who called, if anybody."""

from msgspec.structs import replace

from ..case import Case, Launch
from ..case_directory import Stage
from ..parts import DRIVER, LINKED, OFFLOADED, put_program, put_shims, server_launch, server_tree, shim_folder

EAGER = replace(DRIVER, defines=("CONSTRUCTOR",))
"""A shim whose constructor calls its own functions."""


def _only_itself(stage: Stage) -> Launch:
    shim = stage.put(EAGER, f"opt/vgpu/lib/{stage.note('shim', f'lib{stage.word()}-cuda.so')}")
    return Launch(["/bin/sleep", "60"], {"LD_PRELOAD": str(shim)}, ready="count=1")


def _only_itself_in_server(stage: Stage) -> Launch:
    tree = server_tree(stage, leave_out=("blas_lt",))
    tree.preload(*put_shims(tree, driver=EAGER))
    return server_launch(tree)


def _not_called(stage: Stage) -> Launch:
    return Launch([put_program(stage, LINKED), "--hold"], {"LD_LIBRARY_PATH": shim_folder(stage)}, ready=OFFLOADED)


CASES = (
    Case(
        name="called-only-by-itself",
        story="every line of the shim's log comes from its own constructor",
        family="called",
        stage=_only_itself,
        rule="called-only-by-itself",
        mode="cpu",
        sentence="{shim}",
    ),
    Case(
        name="called-by-itself-in-server",
        story="the shim's constructor calls in every process, while the backend never loads",
        family="called",
        stage=_only_itself_in_server,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
        also=("called-only-by-itself",),
    ),
    Case(
        name="not-called",
        story="a program bound to every function decides to use none",
        family="called",
        stage=_not_called,
        rule="not-called",
        mode="cpu",
        sentence="",
    ),
)
