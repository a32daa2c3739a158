"""Programs that work: nothing may be blamed here."""

from ..case import Case, Launch
from ..parts import put_shims, server_tree
from ..stage import Stage


def _healthy(stage: Stage) -> Launch:
    tree = server_tree(stage)
    tree.preload(*put_shims(tree))
    return Launch([tree.program], tree.environment | {"DEMO_LAYERS": "29/29"})


CASES = (
    Case(
        name="healthy",
        story="a child of the server finds the GPU, another one allocates and launches on it",
        family="healthy",
        stage=_healthy,
        rule="gpu-in-use",
        mode="cuda",
        sentence="",
    ),
)
