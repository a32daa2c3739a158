"""On the CPU, and no rule names a cause: say so, with the first rung that could not be seen."""

from collections.abc import Iterator

from inspector.model.verdict import Finding, Ladder, Rung

from .registry import UNEXPLAINED, find
from .rule import Scene


def unexplained(scene: Scene, ladders: list[Ladder], findings: list[Finding]) -> Iterator[Finding]:
    """The finding that no cause was seen; nothing where there is one, or where the mode is no CPU."""
    if scene.mode.verdict != "cpu" or any(_explains(finding) for finding in findings):
        return
    ladder, rung = _first_unknown(scene, ladders)
    where = f" of {ladder.api} in PID {ladder.pid}" if ladder is not None else ""
    missing = f"; not seen{where}: {rung.rung} ({rung.detail})" if rung is not None else ""
    yield Finding(
        rule=UNEXPLAINED,
        severity="info",
        confidence="guess",
        title=f"on the CPU, and no cause was seen{missing}",
        cause="What could be observed is in order. "
        + (f"The rung that decides could not be judged: {rung.detail}." if rung else ""),
        next_step="inspector doctor   # what this machine and user allow; and observe a start from its first "
        "instruction: --wait",
        evidence=[*scene.mode.evidence, *(rung.evidence if rung is not None else [])],
        pid=ladder.pid if ladder is not None else None,
        doubt="More rights or an earlier look may show it.",
    )


def _explains(finding: Finding) -> bool:
    """An error, or a warning about anything but logs, may be the cause."""
    rule = find(finding.rule)
    return finding.severity == "error" or (
        finding.severity == "warning" and rule is not None and rule.place != "logged"
    )


def _first_unknown(scene: Scene, ladders: list[Ladder]) -> tuple[Ladder | None, Rung | None]:
    """The ladder of the process that mattered most, and its first rung that is unknown."""
    by_pid = {(process.pid, process.started): scene.rank(process) for process in scene.state.processes}
    for ladder in sorted(ladders, key=lambda one: by_pid.get((one.pid, one.started), 9)):
        rung = next((rung for rung in ladder.rungs if rung.state == "unknown"), None)
        if rung is not None:
            return ladder, rung
    return None, None
