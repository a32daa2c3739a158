"""What a pane is given to look at: what is known, what it means, and what the person has chosen."""

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.model.formatting import name_of
from inspector.model.profiles import Profiles
from inspector.model.state import Process, State
from inspector.model.tree import program
from inspector.model.verdict import Answer


class Scope(Struct, frozen=True):
    """The person's choices that more than one pane follows."""

    process: tuple[int, int] | None = None
    """pid and birth of the chosen process; None is the whole tree."""
    file: str = ""
    """Identity of the chosen library; empty is all of them."""
    at: int = 0
    """The moment that is marked in all panes; 0 is none."""


class PaneContext(Struct, frozen=True):
    """State, answer and choices at one moment."""

    state: State = field(default_factory=State)
    answer: Answer | None = None
    scope: Scope = Scope()
    generation: int = 0
    """Grows when the state is built anew (a recording was wound back): nothing that was seen before counts."""
    verdicts: int = 0
    """Grows with each new answer."""
    now: int = 0
    """The present on the target's clock; runs on while no event comes from a living collector."""
    live: bool = False
    """A collector answers requests."""
    waits_for: str = ""
    """The name of the target that has yet to begin (`--wait`)."""

    def narrowed(self, **choices: object) -> "PaneContext":
        """A copy with other choices."""
        return replace(self, scope=replace(self.scope, **choices))

    @property
    def process(self) -> Process | None:
        """The chosen process, None for the whole tree."""
        if self.scope.process is None:
            return None
        return next((one for one in self.state.processes if (one.pid, one.started) == self.scope.process), None)

    @property
    def profiles(self) -> Profiles:
        """The profiles, which say what results and variables mean."""
        return self.state.profiles

    def result_name(self, api: str, result: int) -> str:
        """A result by its name where a profile knows it."""
        return self.profiles.result_name(api, result)

    @property
    def processes(self) -> list[Process]:
        """The processes that the panes are about: the chosen one or all."""
        chosen = self.process
        return [chosen] if chosen is not None else self.state.processes


def title_of(process: Process) -> str:
    """`4712 ollama runner`: pid and the words by which a person knows a process."""
    return f"{process.pid} {short_name(process)}"


def short_name(process: Process) -> str:
    """Program name and its first word that is no option: `ollama runner`, `python3 train.py`."""
    runs = program(process)
    argv = runs.argv if runs is not None else []
    return " ".join(name_and_word(argv)).strip() if argv else process.comm or "?"


def name_and_word(argv: Sequence[str]) -> tuple[str, str]:
    """What runs, and in which way: the name of the program and its first word, unless that is an option or a number."""
    word = argv[1] if len(argv) > 1 and not argv[1].startswith("-") else ""
    word = "" if word[:1].isdigit() else word  # beside a pid a number says nothing
    return name_of(argv[0]), name_of(word)
