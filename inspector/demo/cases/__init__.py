"""All cases, a file per rung of the ladder, the question itself and its healthy twin first."""

from ..case import Case
from . import (
    called,
    ends,
    environment,
    exported,
    healthy,
    logged,
    mapped,
    reachable,
    resolved,
    returned,
    used,
    which_process,
)

CASES: tuple[Case, ...] = (
    *reachable.CASES[:1],
    *healthy.CASES[:1],
    *which_process.CASES,
    *environment.CASES,
    *mapped.CASES,
    *exported.CASES,
    *reachable.CASES[1:],
    *resolved.CASES,
    *called.CASES,
    *returned.CASES,
    *ends.CASES,
    *logged.CASES,
    *used.CASES,
    *healthy.CASES[1:],
)


def find(name: str) -> Case | None:
    """The case of that name."""
    return next((case for case in CASES if case.name == name), None)
