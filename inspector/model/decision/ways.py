"""The analysis with what all steps of the decision ask for, and when a "no" may be proven."""

from collections.abc import Iterable

from inspector.model.analysis import Analysis
from inspector.model.attempts.wording import word_row
from inspector.model.coverage import born_here, capability, of_lookups, of_use
from inspector.model.drivers import software_drivers
from inspector.model.families import family_of_api
from inspector.model.losses import holes
from inspector.model.progress import Progress
from inspector.model.stages import LEVEL
from inspector.model.state import Process, State
from inspector.model.usage import uses
from inspector.model.verdict import Evidence, ModeName
from inspector.model.worker import Worker, is_tool

from .reason import CONTRADICTING

VERDICTS: dict[str, ModeName] = {"cuda": "cuda", "rocm": "rocm", "vulkan": "vulkan", "opencl": "opencl"}


class Ways:
    """The analysis with what the steps of the decision all ask for."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis, self.state = analysis, analysis.state
        self.word = analysis.last_word
        self.worker: Worker | None = analysis.worker
        asked = [one for one in analysis.computing() if not is_tool(one.process)]
        self.software = [one for one in asked if self._software_behind(one)]
        """What was done through drivers that compute on the CPU: no use of a GPU."""
        self.compute = [one for one in asked if one not in self.software]

    def _software_behind(self, one: Progress) -> bool:
        return bool(software_drivers(self.state, one.process, one.family, self.analysis.profiles))

    @property
    def says_cpu(self) -> bool:
        """The program's last word is that it runs on the CPU, or that it gave the device nothing."""
        return self.word is not None and self.word.saying in ("cpu", "dropped", "given-nothing")

    @property
    def role(self) -> Process | None:
        """The process that was started for a model."""
        return self.worker.process if self.worker is not None and self.worker.by_role else None

    def nothing_to_compute_with(self) -> bool:
        """Whoever would compute was seen from its first instruction and never loaded a library to compute with: no
        device of this tree is what the program's words are about."""
        doers = [self.role] if self.role is not None else self.state.processes
        loaded = [one.process for one in self.compute if one.got_to("loaded")]
        return covered(self.state, doers, ("lookups", "library-loads")) and not any(one in doers for one in loaded)

    def complete(self) -> bool:
        """Every process was seen from its first instruction, and every channel that could contradict was open."""
        return covered(self.state, self.state.processes, CONTRADICTING)

    def word_rows(self) -> list[Evidence]:
        """The program's last word as evidence."""
        return [word_row(self.state, self.word)] if self.word is not None else []


def covered(state: State, processes: Iterable[Process], channels: Iterable[str], *, without_loss: bool = True) -> bool:
    """Whether these processes were all seen from their first instruction through all these channels.

    Records that were dropped leave a hole in that, unless `without_loss` is false.
    """
    processes = list(processes)
    own = [process for process in processes if not is_tool(process)] or processes
    if not all(born_here(process) for process in own):
        return False
    names = tuple(channels)
    for name in names:
        found = capability(state, name)
        if found is not None and found.state != "yes":
            return False
    if "lookups" in names and not all(of_lookups(state, one).complete for one in own):
        return False
    return not holes(state) or not without_loss


def calls_counted(ways: Ways, progress: Progress) -> bool:
    """Whether a call of what it got to would have been seen: through every channel, from the first moment on or for all
    but a small part of the time.
    """
    state, profiles = ways.state, ways.analysis.profiles
    own = uses(state, progress.process, profiles).values()
    mine = [use for use in own if family_of_api(profiles, use.api) == progress.family and use.providers]
    counted = all(known.complete or known.mostly for known in (of_use(state, use) for use in mine))
    return counted and bool(mine) and covered(state, [progress.process], (*CONTRADICTING, "environment"))


def verdict_of(progress: Progress) -> ModeName:
    """The mode that its family stands for."""
    return VERDICTS.get(progress.family, "cuda")


def deepest_of(ways: Ways, process: Process) -> Progress | None:
    """What the process got furthest with."""
    own = [one for one in ways.compute if one.process is process]
    return max(own, key=lambda one: LEVEL[one.stage], default=None)
