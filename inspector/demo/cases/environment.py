"""Cases in which the setting does not reach the process that matters, or its loader does not honour it."""

from ..case import Case, Launch
from ..parts import put_shims, server_tree
from ..stage import Stage


def _preload_missing(stage: Stage) -> Launch:
    tree = server_tree(stage)
    paths = put_shims(tree)
    gone = stage.path(f"{tree.shims}/{stage.note('gone', f'lib{stage.word()}-syscall.so')}")
    stage.path(paths[0])
    (stage.directory / paths[0]).unlink()
    tree.environment["LD_PRELOAD"] = gone
    return Launch([tree.program], tree.environment)


CASES = (
    Case(
        name="preload-missing",
        story="LD_PRELOAD names a shim that is not there; the loader says so on a stderr that nobody reads",
        family="environment",
        stage=_preload_missing,
        rule="preload-entry-unusable",
        mode="cpu",
        sentence="{gone}",
    ),
)
