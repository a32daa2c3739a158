"""The decision: what a program computes on, for which reason, with its evidence."""

from typing import Literal

import msgspec

from inspector.model.attempts.row import Attempt
from inspector.model.chain import Stop
from inspector.model.log_claims import Word
from inspector.model.progress import Progress
from inspector.model.settings import Setting
from inspector.model.state import Process
from inspector.model.verdict import Confidence, Evidence, Mode, ModeName

Reason = Literal[
    "works", "stopped", "died", "hangs", "given-nothing", "dropped", "ready", "found-not-used", "own-error", "told",
    "chosen", "node", "software", "draws", "nothing-called", "nobody-asked", "management-only", "foretold",
    "computes-without", "unknown",
]  # fmt: skip
"""Why the mode is what it is; `unknown` says that what is missing to know is listed."""


CONTRADICTING = ("process-births", "lookups", "count-calls", "results", "library-loads")
"""Kinds of events that could contradict a "no"; where one is not watched, it is unproven."""


UNUSED_FOR = 2_000_000_000
"""ns of CPU time after the last step from which on a device that was found counts as not used."""


class Decision(msgspec.Struct):
    """The mode with its reason; `chain` leads from the stop to the root."""

    verdict: ModeName
    confidence: Confidence
    reason: Reason
    process: Process | None = None
    progress: Progress | None = None
    stop: Stop | None = None
    chain: list[Attempt] = msgspec.field(default_factory=list)
    word: Word | None = None
    """What the program itself says, where it says it."""
    settings: list[Setting] = msgspec.field(default_factory=list)
    """By which `process` is told to use no GPU."""
    evidence: list[Evidence] = msgspec.field(default_factory=list)
    contradictions: list[Evidence] = msgspec.field(default_factory=list)
    silence: Evidence | None = None
    """That nothing was seen which a device could be behind, where the mode is that of work which returned success."""

    @property
    def mode(self) -> Mode:
        """As reports show it."""
        return Mode(
            verdict=self.verdict,
            confidence=self.confidence,
            evidence=self.evidence,
            contradictions=self.contradictions,
            device_seen=self.silence is None,
        )
