"""All rules in the order of the ladder, from cause to consequence."""

from . import (
    called,
    ends,
    environment,
    exported,
    logged,
    mapped,
    reachable,
    resolved,
    returned,
    used,
    values,
    which_process,
)
from .rule import Rule

RULES: tuple[Rule, ...] = (
    *which_process.RULES,
    *environment.RULES,
    *mapped.RULES,
    *exported.RULES,
    *reachable.RULES,
    *resolved.RULES,
    *called.RULES,
    *returned.RULES,
    *values.RULES,
    *ends.RULES,
    *logged.RULES,
    *used.RULES,
)

UNEXPLAINED = "cause-not-seen"
UNEXPLAINED_MEANING = (
    "The program is on the CPU and no cause was seen. What was seen is in order; the first rung that could not be "
    "judged is named, with what is missing to judge it."
)


def find(rule_id: str) -> Rule | None:
    """The rule of that id."""
    return next((rule for rule in RULES if rule.id == rule_id), None)


def explain(rule_id: str) -> str | None:
    """What a rule means, in one or two sentences; None for an unknown id."""
    if rule_id == UNEXPLAINED:
        return UNEXPLAINED_MEANING
    rule = find(rule_id)
    return rule.meaning if rule is not None else None


def ids() -> list[str]:
    """All rule ids in the order of the ladder."""
    return [*[rule.id for rule in RULES], UNEXPLAINED]
