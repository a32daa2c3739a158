"""Which log lines belong to this start of the program, and which to earlier runs (case: old lines taken for new)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .coverage import began, born_here
from .profiles.schema import Meaning
from .state import LogSource, Process, Reading, State
from .tree import roots

_SLACK = 2_000_000_000
"""ns by which a line may seem older than its process: clocks of loggers, time zones of a second."""


@dataclass(slots=True)
class Start:
    """The lines of this start that profiles understand, and those of earlier ones."""

    this: list[Reading] = field(default_factory=list)
    earlier: list[Reading] = field(default_factory=list)
    doubtful: set[tuple[int, int]] = field(default_factory=set)
    """Source and number of lines in `this` that may be of an earlier run: no time in them, no start before them."""

    def of(self, *meanings: Meaning) -> Iterator[Reading]:
        """Lines of this start with one of these meanings."""
        return (reading for reading in self.this if reading.rule.means in meanings)

    def last(self, *meanings: Meaning) -> Reading | None:
        """The newest of them."""
        return max(self.of(*meanings), key=lambda reading: (reading.at, reading.number), default=None)

    def doubts(self, reading: Reading) -> bool:
        """Whether this line may be of an earlier run."""
        return (reading.source, reading.number) in self.doubtful


def this_start(state: State) -> Start:
    """Cut every log at the last start of the program that is observed."""
    start = Start()
    first = min(roots(state), key=lambda process: process.started, default=None)
    for source in state.logs.values():
        _sort_out(start, source, first)
    start.this.sort(key=lambda reading: (reading.at, reading.number))
    return start


def _sort_out(start: Start, source: LogSource, first: Process | None) -> None:
    readings = sorted((r for group in source.readings.values() for r in group), key=lambda reading: reading.number)
    marks = [reading.number for reading in readings if reading.rule.means == "start"]
    cut = marks[-1] if marks else -1
    old = [reading for reading in readings if reading.number < cut or _before(reading, first)]
    start.earlier += old
    numbers = {(reading.number, reading.rule.id) for reading in old}
    for reading in readings:
        if (reading.number, reading.rule.id) in numbers:
            continue
        start.this.append(reading)
        if reading.backlog and not reading.at and cut < 0 and (bool(old) or first is None or not born_here(first)):
            start.doubtful.add((reading.source, reading.number))


def _before(reading: Reading, first: Process | None) -> bool:
    """Whether a line was surely written before the first process of the tree began."""
    if first is None or not reading.backlog:
        return False
    if reading.at:
        return reading.at < first.started - _SLACK
    return born_here(first) and reading.read_at < began(first)
