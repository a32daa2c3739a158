"""What to say when no rule found anything: still one sentence, and never more than was seen."""

from collections.abc import Sequence
from typing import Protocol

from .verdict import ModeName

_ON_GPU = ("cuda", "rocm", "vulkan")


class Step(Protocol):
    """A rung, of a ladder or of its copy in a report."""

    @property
    def rung(self) -> str: ...

    @property
    def state(self) -> str: ...


class Rail(Protocol):
    """A ladder, or its copy in a report."""

    @property
    def provider(self) -> str | None: ...

    @property
    def first_broken(self) -> str | None: ...

    @property
    def rungs(self) -> Sequence[Step]: ...


def without_finding(verdict: ModeName, rails: Sequence[Rail], *, processes: bool, calls: bool, evidence: bool) -> str:
    """The answer where there is no finding: were processes and calls seen, and evidence of the GPU mode?"""
    if verdict in _ON_GPU:
        return "The program works on the GPU; nothing stands out."
    if not processes:
        return "No process was seen."
    if not calls and not any(map(_concerns, rails)):
        return "No process here has a GPU library, and none was seen to ask for one."
    if evidence:
        return "A device was found; that anything is computed on it was not seen."
    if not any(rail.provider and rail.first_broken for rail in rails) and calls:
        if any(map(_answered_well, rails)):
            return "Every call that was seen succeeded, and no work on a GPU was seen."
        return "Calls were seen, but not what they returned; no work on a GPU was seen."
    return "No cause was found in what could be observed; see what was not looked at."


def _concerns(rail: Rail) -> bool:
    """Somebody in the process offers the API, or could use it by name."""
    could = any(step.rung == "reachable" and step.state == "yes" for step in rail.rungs)
    return rail.provider is not None or could


def _answered_well(rail: Rail) -> bool:
    """Results of consumers' calls were seen."""
    return any(step.rung == "returned" and step.state == "yes" for step in rail.rungs)
