"""What is said of the mode where no chain of refusals stands behind it: what such a rule is and gives back."""

from abc import abstractmethod
from typing import ClassVar

from msgspec.structs import replace

from inspector.model.coverage import capability
from inspector.model.decision import CONTRADICTING, Decision, Reason
from inspector.model.start_again import waited_for

from .context import Context
from .rule import Hit, Place, Rule


class Conclusion(Rule):
    """Says what the decision means where it has no chain."""

    place: ClassVar[Place] = "used"
    reasons: ClassVar[tuple[Reason, ...]]

    @abstractmethod
    def conclude(self, context: Context, decision: Decision) -> Hit | None:
        """The answer for one of its reasons."""


def hit_of(decision: Decision, title: str, cause: str, step: str = "", **facts: object) -> Hit:
    """What is said of a decision: its evidence, its process, no blame unless `facts` say so."""
    hit = Hit(
        title=title,
        cause=cause,
        next_step=step,
        process=decision.process,
        confidence=decision.confidence,
        evidence=[*decision.evidence, *decision.contradictions],
        severity="info",
        subject=decision.reason,
    )
    return replace(hit, **facts)


def next_start(context: Context, decision: Decision) -> str:
    """The command that sees the next start from its first instruction, with the rights that were lacking."""
    process = decision.process or (context.state.processes[0] if context.state.processes else None)
    command = waited_for(process) if process is not None else ""
    return (f"sudo {command}" if _as_root(context) else command) if command else "inspector doctor"


def to_observe(context: Context) -> str:
    """What `next_start` does, in words: the same look with the same rights would see no more."""
    return f"observe its next start from its first instruction{', as root' if _as_root(context) else ''}"


def _as_root(context: Context) -> bool:
    """Whether what could contradict was closed to this user, and root may see it."""
    rows = (capability(context.state, name) for name in CONTRADICTING)
    return any(row is not None and row.state != "yes" and row.grant.startswith("sudo inspector") for row in rows)
