"""All cases, a file per rung of the ladder, in the order in which a newcomer wants to see them."""

from ..case import Case
from . import environment, healthy, mapped, reachable, returned

CASES: tuple[Case, ...] = (
    *reachable.CASES[:1],
    *healthy.CASES,
    *environment.CASES,
    *mapped.CASES,
    *reachable.CASES[1:],
    *returned.CASES,
)


def find(name: str) -> Case | None:
    """The case of that name."""
    return next((case for case in CASES if case.name == name), None)
