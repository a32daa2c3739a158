"""Cases in which the function is called and what it answers is the fault."""

from ..case import Case, Launch
from ..parts import put_shims, server_tree
from ..stage import Stage


def _no_device(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return Launch([tree.program], tree.environment | {"SHIM_FAIL": "cuInit=100"})


CASES = (
    Case(
        name="no-device",
        story="cuInit answers 100, no device",
        family="returned",
        stage=_no_device,
        rule="api-error",
        mode="cpu",
        sentence="CUDA_ERROR_NO_DEVICE",
    ),
)
