"""What an explanation is and what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal

import msgspec

from inspector.model.decision import Reason
from inspector.model.state import Process
from inspector.model.verdict import Confidence, Evidence, Severity

from .context import Case, Context

Place = Literal[
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "end",
    "logged", "used",
]  # fmt: skip
"""Where on the ladder a rule stands, from cause to consequence."""


class Hit(msgspec.Struct):
    """One thing that is said."""

    title: str
    cause: str
    next_step: str
    command: str = ""
    """One command for the next step that runs as it is, here or where the target lives."""
    process: Process | None = None
    severity: Severity = "error"
    confidence: Confidence = "likely"
    evidence: list[Evidence] = msgspec.field(default_factory=list)
    doubt: str = ""
    at: int = 0
    """The moment it happened; orders findings of one rung."""
    subject: str = ""
    """What it is about without the process: the same subject in several processes is told once."""
    root: str = ""
    """What lies behind the leaf, as the last link of the chain; empty where the leaf is the root itself."""
    place: Place | None = None
    """Its rung where that is not the one of its rule."""
    despite_use: bool = False
    """It matters more than the news that the GPU is in use."""


class Rule(ABC):
    """One named cause; `id` is stable and documented."""

    id: ClassVar[str]
    place: ClassVar[Place]
    meaning: ClassVar[str]
    """What it means, in one or two sentences."""
    proof: ClassVar[str]
    """How it is proven."""
    cure: ClassVar[str]
    """What to do, in general; a finding names files and settings."""


class Cause(Rule):
    """Explains a chain of refusals."""

    @abstractmethod
    def explain(self, case: Case) -> Hit | None:
        """What this says of the chain; None where it has nothing to say."""


UNEXPLAINED: frozenset[Reason] = frozenset(("told", "dropped", "unknown", "nothing-called", "nobody-asked", "chosen"))
"""Reasons that say how it is, and not why."""


class Pattern(Rule):
    """Found in the state as a whole."""

    notice: ClassVar[bool] = False
    """It stays worth telling when the GPU is in use; others are silent then."""
    answers: ClassVar[frozenset[Reason]] = UNEXPLAINED
    """Reasons of the decision behind which this may be the cause; beside others it is one more thing to look at."""

    @abstractmethod
    def find(self, context: Context) -> Iterable[Hit]:
        """All that this has to say about the context."""
