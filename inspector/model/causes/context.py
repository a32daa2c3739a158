"""What explanations look at: the state with its analysis, and one chain of refusals."""

from collections.abc import Iterator

import msgspec

from inspector.model.analysis import Analysis
from inspector.model.attempts.row import Attempt
from inspector.model.attempts.wording import row_of
from inspector.model.decision import CONTRADICTING, Decision, covered
from inspector.model.failed_loads import FailedLoad
from inspector.model.families import MANAGEMENT, family_of_api
from inspector.model.formatting import ON_GPU
from inspector.model.log_runs import LogRun
from inspector.model.profiles import Profiles
from inspector.model.start_again import LOADER_KEYS, observed_again, rerun
from inspector.model.state import Process, State
from inspector.model.tree import ancestors, program
from inspector.model.usage import Use, uses
from inspector.model.verdict import Confidence, Evidence
from inspector.model.worker import is_tool
from inspector.stream.libraries import PreloadChecked
from inspector.stream.processes import ProcessExec


class Context:
    """Everything that a pattern may look at."""

    def __init__(self, analysis: Analysis, decision: Decision) -> None:
        self.analysis, self.decision = analysis, decision
        self.state: State = analysis.state
        self.profiles: Profiles = analysis.profiles
        self.start: LogRun = analysis.start
        self._ranks = {id(process): self._rank(process) for process in self.state.processes}
        self._best = min(self._ranks.values(), default=9)

    @property
    def in_use(self) -> bool:
        """The program computes on a GPU, or found one and is ready to, more than guessed."""
        return self.decision.verdict in ON_GPU and self.decision.confidence != "guess"

    def uses(self, process: Process) -> dict[str, Use]:
        """How the process uses or provides each API."""
        return uses(self.state, process, self.profiles)

    def all_uses(self) -> Iterator[tuple[Process, Use]]:
        """Every process with every API."""
        for process in self.state.processes:
            for use in self.uses(process).values():
                yield process, use

    def computing(self, process: Process) -> list[Use]:
        """Uses of APIs through which one computes (NVML only reads figures)."""
        return [use for use in self.uses(process).values() if self.profiles.apis[use.api].mode is not None]

    def refused(self, process: Process) -> list[Attempt]:
        """Loads and look-ups of a process that were refused for good."""
        rows = self.analysis.attempts.get(process, [])
        return [one for one in rows if one.ok is False and one.kind in ("load", "lookup") and self._counts(one)]

    def _counts(self, attempt: Attempt) -> bool:
        return attempt not in self.analysis.excused and not attempt.own_ends

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
        if any(one.family not in MANAGEMENT for one in self.analysis.of_process(process)):
            return 0
        computing = self.computing(process)
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

    def spoke_of(self, process: Process, *means: str) -> bool:
        """A line of this start of one of these meanings was written by this process."""
        return any(one.pid == process.pid and one.rule.means in means for one in self.start.this)


class Case(msgspec.Struct, frozen=True):
    """One chain of refusals, from the stop to its leaf."""

    context: Context
    chain: list[Attempt]
    alternatives: tuple[str, ...] = ()
    """Names of the same step that were refused as well."""

    @property
    def stop(self) -> Attempt:
        """Where it ended."""
        return self.chain[0]

    @property
    def leaf(self) -> Attempt:
        """The last refusal that was seen."""
        return self.chain[-1]

    @property
    def process(self) -> Process:
        """The process in which it happened."""
        return self.leaf.process

    @property
    def state(self) -> State:
        """What is known."""
        return self.context.state

    @property
    def load(self) -> Attempt | None:
        """The innermost refused load of the chain whose loader speaks of it."""
        return next((one for one in reversed(self.chain) if one.kind in ("load", "prediction") and one.failure), None)

    @property
    def failure(self) -> FailedLoad | None:
        """What the loader or the files say of that load; of what was not found the one that asked for it."""
        load = self.load
        return load.failure if load is not None else None

    @property
    def call(self) -> Attempt | None:
        """The innermost refused call of the chain."""
        return next((one for one in reversed(self.chain) if one.kind == "call"), None)

    @property
    def unanswered(self) -> Attempt | None:
        """The innermost call, load or look-up of the chain that did not return."""
        asked = (one for one in reversed(self.chain) if one.kind in ("call", "load", "lookup"))
        return next((one for one in asked if not one.came_back), None)

    @property
    def use(self) -> Use | None:
        """The API of the innermost call or of the leaf in its process."""
        one = self.call or self.leaf
        return self.context.uses(self.process).get(one.api) if one.api else None

    @property
    def family_uses(self) -> list[Use]:
        """All APIs of the family of the stop in this process."""
        family = self.stop.family
        found = self.context.uses(self.process).values()
        return [use for use in found if family_of_api(self.context.profiles, use.api) == family]

    @property
    def sure(self) -> Confidence:
        """Proven where kernel or loader tell every link, and whatever could contradict was seen; else likely."""
        told = all(one.source in ("kernel", "loader") for one in self.chain)
        stop = self.context.decision.stop
        told = told and not (stop is not None and (stop.unsaid or (stop.before and len(self.chain) > 1)))
        return "proven" if told and covered(self.state, self._relatives(), CONTRADICTING) else "likely"

    def _relatives(self) -> list[Process]:
        return [one for one in self.state.processes if one is self.process or not is_tool(one)]

    def rows(self) -> list[Evidence]:
        """Every link as evidence, the root first."""
        return [row_of(self.state, one) for one in reversed(self.chain)]

    def again(self) -> str:
        """The command that observes the next start from its first instruction."""
        return observed_again(self.process)

    def rerun(self, *settings: str) -> str:
        """The program once more with these settings; empty where it cannot be started from here."""
        return rerun(self.process, *settings)
