"""All rules: causes in the order in which they are asked about a chain, patterns in the order of the ladder."""

from functools import cache

from . import (
    bindings,
    calls,
    consumers,
    displays,
    driver_versions,
    drivers,
    ends,
    environment,
    failed_loads,
    files,
    hidden_devices,
    lacking,
    logged,
    lookups,
    names,
    namespaces,
    not_returned,
    on_devices,
    own_errors,
    preloads,
    silence,
    system,
    tools,
    unused,
    used,
    values,
    versions,
    which_process,
)
from .conclusion import Conclusion
from .rule import Cause, Pattern, Rule

CAUSES: tuple[Cause, ...] = (
    *system.CAUSES,
    *lookups.CAUSES[:1],  # a refused table stands behind the call that follows it
    *environment.CAUSES[:-1],
    *namespaces.CAUSES,
    *environment.CAUSES[-1:],  # what was lost is worth telling where no other tree hides the file
    *files.CAUSES,
    *preloads.CAUSES,
    *names.CAUSES,
    *versions.CAUSES,
    *failed_loads.CAUSES,
    *lookups.CAUSES[1:],
    *values.CAUSES,
    *drivers.CAUSES,
    *displays.CAUSES,
    *used.CAUSES,
    *not_returned.CAUSES,
    *ends.CAUSES,
    *calls.FORK,
    *hidden_devices.CAUSES,
    *driver_versions.CAUSES,
    *bindings.CAUSES,
    *calls.CAUSES,
    *tools.CAUSES,
    *own_errors.CAUSES,
)
"""From the special to the general: the first that has something to say of a chain explains it."""

PATTERNS: tuple[Pattern, ...] = (
    *which_process.PATTERNS,
    *environment.PATTERNS[:-1],
    *namespaces.PATTERNS,
    *preloads.PATTERNS,
    *environment.PATTERNS[-1:],
    *files.PATTERNS,
    *versions.PATTERNS,
    *names.PATTERNS,
    *consumers.PATTERNS,
    *tools.PATTERNS,
    *unused.PATTERNS,
    *bindings.PATTERNS,
    *driver_versions.PATTERNS,
    *values.PATTERNS,
    *ends.PATTERNS,
    *not_returned.PATTERNS,
    *logged.PATTERNS,
    *used.PATTERNS,
)
CONCLUSIONS: tuple[Conclusion, ...] = (
    *on_devices.IN_USE, *lacking.CONCLUSIONS, *on_devices.NOT_USED, *silence.CONCLUSIONS,
)  # fmt: skip
WITHOUT_CAUSE = frozenset((silence.NotSeen.id, silence.ToldByProgram.id))
"""Rules that tell the mode, and say that its cause was not seen."""


@cache
def _by_id() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for rule in (*PATTERNS, *CAUSES, *CONCLUSIONS):
        found.setdefault(rule.id, rule)
    return dict(sorted(found.items(), key=lambda one: _PLACES.index(one[1].place)))


_PLACES = (
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "end",
    "used", "logged",
)  # fmt: skip


def rules() -> list[Rule]:
    """One of each id, in the order of the ladder."""
    return list(_by_id().values())


def find(rule_id: str) -> Rule | None:
    """The rule of that id."""
    return _by_id().get(rule_id)


def explain(rule_id: str) -> str | None:
    """What a rule means, in one or two sentences; None for an unknown id."""
    rule = find(rule_id)
    return rule.meaning if rule is not None else None


def ids() -> list[str]:
    """All rule ids in the order of the ladder."""
    return list(_by_id())
