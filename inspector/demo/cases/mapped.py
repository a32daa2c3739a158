"""Cases in which the file that is mapped is not the file that was meant."""

from collections.abc import Callable
from pathlib import Path

from ..case import Case, Launch
from ..parts import DRIVER, put_shims, server_tree
from ..stage import Stage


def _replaced_library(stage: Stage) -> Launch:
    tree = server_tree(stage)
    driver, nvml = put_shims(tree)
    tree.preload(driver, nvml)
    newer = stage.put(DRIVER, f"{driver}.new")
    tree.environment |= {"SHIM_FAIL": "cuInit=100", "DEMO_LAYERS": "0/29"}
    return Launch(
        [tree.program],
        tree.environment,
        ready="offloaded 0/29",
        then=_rename(newer, stage.directory / driver),
        late=True,
    )


def _rename(new: Path, old: Path) -> Callable[[], None]:
    def replace() -> None:
        new.replace(old)

    return replace


CASES = (
    Case(
        name="replaced-library",
        story="the shim was rebuilt while the server runs: what is mapped is not what is on disk",
        family="mapped",
        stage=_replaced_library,
        rule="stale-artefact",
        mode="cpu",
        sentence="{shim}-cuda.so",
    ),
)
