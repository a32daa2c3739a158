"""What a case is, what it must produce, and how its processes are started."""

from collections.abc import Callable
from typing import Literal

import msgspec

from inspector.model.verdict import ModeName

from .case_directory import Stage

Family = Literal[
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned",
    "end of a process", "logged", "used", "healthy",
]  # fmt: skip


class Launch(msgspec.Struct, frozen=True):
    """A process tree, ready to be started: command, whole environment, and what happens once it speaks."""

    argv: list[str]
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    ready: str = ""
    """Text in the log when the story is told; then `then` is done and, for a late case, the observer comes."""
    then: Callable[[], None] | None = None
    late: bool = False
    """The observer comes after `ready`; otherwise it is there before the first instruction."""
    beside: "Launch | None" = None
    """Another tree that runs first and is not under observation itself."""
    log: str = "server.log"
    """File in the case's directory that descriptors 1 and 2 of the tree write to."""


class Case(msgspec.Struct, frozen=True):
    """One fault (or none) as a real process tree, with the answer that the inspector must give."""

    name: str
    story: str
    family: Family
    stage: Callable[[Stage], Launch]
    rule: str
    """Rule id of the first finding; empty when nothing may be blamed."""
    mode: ModeName
    sentence: str
    """Part of the first finding's title or cause; `{key}` stands for a name that the stage noted."""
    seconds: float = 0.5
    """How long to look on after the story is told."""
    also: tuple[str, ...] = ()
    """Rules that must be among the other findings."""
    needs: Callable[[], str] | None = None
    """Why it cannot run here, in words; empty when it can."""
