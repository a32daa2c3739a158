"""What a rule is, what it sees, and what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from inspector.model.loads import FailedLoad, failures, told_by_logs
from inspector.model.profiles import Profiles
from inspector.model.starts import Start
from inspector.model.state import Process, State
from inspector.model.tree import ancestors, program
from inspector.model.usage import Use, uses
from inspector.model.verdict import Confidence, Evidence, Mode, Severity
from inspector.model.wording import name_of
from inspector.stream.libraries import PreloadChecked
from inspector.stream.processes import ProcessExec

Place = Literal[
    "which process", "environment", "mapped", "exported", "reachable", "resolved", "called", "returned", "end",
    "logged", "used",
]  # fmt: skip
"""Where on the ladder a rule stands, from cause to consequence."""

LOADER_KEYS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


@dataclass(slots=True)
class Hit:
    """One thing that a rule found."""

    title: str
    cause: str
    next_step: str
    process: Process | None = None
    severity: Severity = "error"
    confidence: Confidence = "likely"
    evidence: list[Evidence] = field(default_factory=list)
    doubt: str = ""
    at: int = 0
    """The moment it happened; orders findings of one rung."""
    subject: str = ""
    """What it is about without the process: the same subject in several processes is told once."""
    despite_use: bool = False
    """It matters more than the news that the GPU is in use."""
    answer: str = ""
    """The result that it reports, by name; it may be the consequence of another hit."""
    explains: tuple[str, ...] = ()
    """Ends of names of results that follow from this, as `Profiles.is_called` reads them: `NODEVICE`."""


class Scene:
    """Everything that a rule may look at."""

    def __init__(self, state: State, profiles: Profiles, mode: Mode, start: Start) -> None:
        self.state, self.profiles, self.mode, self.start = state, profiles, mode, start
        known = {name_of(f.name) for process in state.processes for f in failures(state, process, profiles)}
        lookups = {(reading.source, reading.number) for reading in start.of("lookup-failed")}
        refused = [one for one in start.of("backend-failed") if (one.source, one.number) not in lookups]
        self._told = told_by_logs(state, refused, known)
        self._ranks = {id(process): self._rank(process) for process in state.processes}
        self._best = min(self._ranks.values(), default=9)

    @property
    def in_use(self) -> bool:
        """The program computes on a GPU, more than guessed."""
        return self.mode.verdict in ("cuda", "rocm", "vulkan") and self.mode.confidence != "guess"

    def uses(self, process: Process) -> dict[str, Use]:
        """What the process has to do with each API."""
        return uses(self.state, process, self.profiles)

    def all_uses(self) -> Iterator[tuple[Process, Use]]:
        """Every process with every API."""
        for process in self.state.processes:
            for use in self.uses(process).values():
                yield process, use

    def computing(self, process: Process) -> list[Use]:
        """Uses of APIs through which one computes (NVML only reads figures)."""
        return [use for use in self.uses(process).values() if self.profiles.apis[use.api].mode is not None]

    def failures(self, process: Process) -> list[FailedLoad]:
        """Loads of the process that failed or would fail, and that have to do with an API."""
        own = failures(self.state, process, self.profiles)
        return [failure for failure in (*own, *self._told) if failure.process is process and failure.concerns]

    def all_failures(self) -> Iterator[FailedLoad]:
        """Those of all processes."""
        for process in self.state.processes:
            yield from self.failures(process)

    def weight(self, failure: FailedLoad) -> Severity:
        """How bad a failed load is: no error where an API was reached without it."""
        later = (calls.last for use in self.computing(failure.process) for calls in use.calls.values())
        reached = any(use.consumer_calls for use in self.computing(failure.process))
        return "warning" if reached and max(later, default=0) > failure.at else "error"

    def environment(self, process: Process) -> dict[str, str] | None:
        """The collected variables of a process; None when they are unknown."""
        runs = program(process)
        return runs.environment if runs is not None and runs.environment_known else None

    def preloads(self, process: Process) -> list[PreloadChecked]:
        """The preload entries as they were checked: of the process itself, or of the ancestor that it has them from."""
        if process.preloads:
            return process.preloads
        own = program(process)
        if own is None:
            return []
        for ancestor in ancestors(process):
            above = program(ancestor)
            if above is None or (above.mount_namespace, above.own_root) != (own.mount_namespace, own.own_root):
                break
            if ancestor.preloads:
                same = above.environment.get("LD_PRELOAD") == own.environment.get("LD_PRELOAD")
                return [entry for entry in ancestor.preloads if same or entry.source != "LD_PRELOAD"]
        return []

    def program(self, process: Process) -> ProcessExec | None:
        """What the process runs."""
        return program(process)

    def rank(self, process: Process | None) -> int:
        """How much a process mattered: 0 asked for or called an API of devices, 4 has nothing to do with one."""
        return self._ranks.get(id(process), 5) if process is not None else 0

    def matters(self, process: Process) -> bool:
        """No process of the tree is nearer to the GPU than this one."""
        return self._ranks.get(id(process), 5) <= max(self._best, 0)

    def _rank(self, process: Process) -> int:
        computing = self.computing(process)
        if any(failure.seen for failure in self.failures(process)):
            return 0
        if any(consumer.observed for use in computing for consumer in use.consumers):
            return 0
        if any(use.consumers for use in computing) or self._discovers(process):
            return 1
        if self.uses(process):
            return 2
        runs = program(process)
        return 3 if runs is not None and any(runs.environment.get(key) for key in LOADER_KEYS) else 4

    def _discovers(self, process: Process) -> bool:
        """Its arguments are those of a child that a profile knows to look for devices."""
        runs = program(process)
        if runs is None or not runs.argv:
            return False
        known = self.profiles.program(runs.argv[0].rsplit("/", 1)[-1])
        return known is not None and any(word in runs.argv[1:] for word in known.discovery)


class Rule(ABC):
    """One named cause. `id` is stable and documented; `meaning` is what `explain` says of it."""

    id: ClassVar[str]
    place: ClassVar[Place]
    meaning: ClassVar[str]
    ranked_as: ClassVar[Place | None] = None
    """Told at another place of the ladder than its own, because it explains what stands there."""
    notice: ClassVar[bool] = False
    """It stays worth telling when the GPU is in use; other rules are silent then."""

    @abstractmethod
    def find(self, scene: Scene) -> Iterable[Hit]:
        """All that this rule has to say about the scene."""
