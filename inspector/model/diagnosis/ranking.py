"""Which finding is the answer: the first broken rung of the process that mattered, causes before consequences."""

from collections.abc import Iterable
from dataclasses import dataclass

from inspector.model.profiles.catalog import ends_in
from inspector.model.state import Process
from inspector.model.verdict import Evidence, Finding

from .rule import Hit, Rule, Scene

_MOST_EVIDENCE = 40
_SEVERITIES = ("error", "warning", "info")
_SAME_RANK = frozenset(("returned",))
"""Places whose rules are told by time, not by their order in the registry."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A hit with its rule and its place in the order."""

    rule: Rule
    hit: Hit
    order: tuple[int, ...]


def rank(scene: Scene, found: Iterable[tuple[int, Rule, Hit]]) -> list[Finding]:
    """Findings in order; the same subject in several processes becomes one finding."""
    told = _without_consequences(list(found))
    ranked = sorted((_rank(scene, number, rule, hit) for number, rule, hit in told), key=lambda one: one.order)
    merged: dict[tuple[str, str], list[Ranked]] = {}
    for one in ranked:
        merged.setdefault((one.rule.id, one.hit.subject or one.hit.title), []).append(one)
    return [_finding(scene, group) for group in merged.values()]


def _without_consequences(found: list[tuple[int, Rule, Hit]]) -> list[tuple[int, Rule, Hit]]:
    """Results that another hit of the same process explains are told with their cause, not beside it."""
    causes: dict[Process | None, list[Hit]] = {}
    for _, _, hit in found:
        if hit.explains and hit.confidence != "guess":
            causes.setdefault(hit.process, []).append(hit)
    told = []
    for number, rule, hit in found:
        cause = next((one for one in causes.get(hit.process, ()) if ends_in(hit.answer, *one.explains)), None)
        if cause is None:
            told.append((number, rule, hit))
            continue
        if hit.title.rpartition(" in PID ")[0] not in cause.title:
            cause.cause += f" Its consequence: {hit.title}."
        shown = {(row.pane, row.key, row.pid) for row in cause.evidence}
        cause.evidence += [row for row in hit.evidence if (row.pane, row.key, row.pid) not in shown]
    return told


def _rank(scene: Scene, number: int, rule: Rule, hit: Hit) -> Ranked:
    told_at = rule.ranked_as or rule.place
    place = _PLACES.index(told_at)
    within = 0 if told_at in _SAME_RANK else number
    process = scene.rank(hit.process) if rule.place != "which process" else 0
    return Ranked(rule, hit, (_tier(scene, rule, hit), process, place, within, hit.at))


_PLACES = (
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "end",
    "used", "logged",
)  # fmt: skip


def _tier(scene: Scene, rule: Rule, hit: Hit) -> int:
    """0 the answer, 1 the news that the GPU is in use, then errors, warnings and information."""
    if not scene.in_use:
        return 2 + _SEVERITIES.index(hit.severity)
    if hit.despite_use:
        return 0
    return 1 if rule.id == "gpu-in-use" else 2 + _SEVERITIES.index(hit.severity)


def _finding(scene: Scene, group: list[Ranked]) -> Finding:
    first = group[0]
    hit = first.hit
    return Finding(
        rule=first.rule.id,
        severity="warning" if scene.in_use and hit.severity == "error" and not hit.despite_use else hit.severity,
        confidence=hit.confidence,
        title=hit.title,
        cause=hit.cause + _also(group),
        next_step=hit.next_step,
        evidence=_evidence(group),
        pid=hit.process.pid if hit.process is not None else None,
        doubt=hit.doubt,
    )


def _also(group: list[Ranked]) -> str:
    pids = list(dict.fromkeys(str(one.hit.process.pid) for one in group[1:] if one.hit.process is not None))
    if not pids:
        return ""
    more = f" and {len(pids) - 5} more" if len(pids) > 5 else ""
    return f" The same in PID {', '.join(pids[:5])}{more}."


def _evidence(group: list[Ranked]) -> list[Evidence]:
    rows: list[Evidence] = []
    for one in group:
        for row in one.hit.evidence:
            if len(rows) < _MOST_EVIDENCE and row not in rows:
                rows.append(row)
    return rows
