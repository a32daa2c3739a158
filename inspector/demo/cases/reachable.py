"""Cases in which everything is loaded and exported, and yet nobody is there who could call it."""

from ..case import Case, Launch
from ..parts import put_shims, server_tree
from ..stage import Stage

DISCOVERED = 'msg="vram-based default context"'
"""Last line of the server's discovery."""


def _the_question(stage: Stage) -> Launch:
    tree = server_tree(stage, leave_out=("blas_lt",))
    tree.preload(*put_shims(tree))
    return Launch([tree.program], tree.environment | {"DEMO_REPEAT": "3"})


CASES = (
    Case(
        name="the-question",
        story="CUDA and NVML shims preloaded, mapped and complete, the log is discovering, and still the CPU",
        family="reachable",
        stage=_the_question,
        rule="dependency-missing",
        mode="cpu",
        sentence="libcublasLt.so.12",
    ),
)
