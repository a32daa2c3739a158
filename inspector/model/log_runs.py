"""Which log lines belong to this start of the program, and which to earlier runs (case: old lines taken for new)."""

from collections.abc import Iterator

import msgspec

from .coverage import began, born_here
from .first_lines import said_in_first_lines
from .profiles.schema import Meaning
from .state import LogSource, Process, Reading, Said, State
from .tree import roots

_SLACK = 2_000_000_000
"""ns by which a line may seem older than its process: clocks of loggers, time zones of a second."""


class LogRun(msgspec.Struct):
    """The lines of this start that profiles understand, and those of earlier ones."""

    this: list[Reading] = msgspec.field(default_factory=list)
    earlier: list[Reading] = msgspec.field(default_factory=list)
    said: list[Said] = msgspec.field(default_factory=list)
    """What the lines of this start say without a profile, in order of time; see `log_claims.py`."""
    doubtful: set[tuple[int, int]] = msgspec.field(default_factory=set)
    """Source and number of lines in `this` that may be of an earlier run: no time in them, no start before them."""

    def of(self, *meanings: Meaning) -> Iterator[Reading]:
        """Lines of this start with one of these meanings."""
        return (reading for reading in self.this if reading.rule.means in meanings)

    def last(self, *meanings: Meaning) -> Reading | None:
        """The newest of them."""
        return max(self.of(*meanings), key=lambda reading: (reading.at, reading.number), default=None)

    def doubts(self, reading: Reading | Said) -> bool:
        """Whether this line may be of an earlier run."""
        return (reading.source, reading.number) in self.doubtful


def this_start(state: State) -> LogRun:
    """Cut every log at the last start of the program that is observed."""
    start = LogRun()
    first = min(roots(state), key=lambda process: process.started, default=None)
    for source in state.logs.values():
        _sort_out(start, source, first, _is_of_this_start(state, source, first), _is_older(state, source, first))
    start.said += said_in_first_lines(state)
    start.this.sort(key=lambda reading: (reading.at, reading.number))
    start.said.sort(key=lambda said: (said.at, said.source, said.number))
    return start


def _is_of_this_start(state: State, source: LogSource, first: Process | None) -> bool:
    """Whether the file itself is no older than the first process, so that no earlier run can have written to it."""
    if first is None or state.session is None or not source.found.born:
        return False
    return source.found.born - state.session.wall + state.session.at >= first.started - _SLACK


def _is_older(state: State, source: LogSource, first: Process | None) -> bool:
    """Whether nobody has written to the file since the first process began, when it was first read."""
    if first is None or state.session is None or not source.found.modified:
        return False
    return source.found.modified - state.session.wall + state.session.at < first.started - _SLACK


def _sort_out(start: LogRun, source: LogSource, first: Process | None, young: bool, older_file: bool) -> None:
    def before(one: Reading | Said) -> bool:
        return (older_file and one.backlog) or _before(one, first)

    readings = sorted((r for group in source.readings.values() for r in group), key=lambda reading: reading.number)
    fresh = [reading for reading in readings if not before(reading)]
    cut, begun = _last_start(fresh)
    older = [reading for reading in readings if before(reading) or reading.number < cut]
    newer = [reading for reading in fresh if reading.number >= cut]
    said = [one for one in source.all_said() if one.number >= cut and not before(one)]
    if source.found.shared and not young and not begun:
        older += [reading for reading in newer if _of_whomever(reading)]
        newer = [reading for reading in newer if not _of_whomever(reading)]
        said = [one for one in said if not _of_whomever(one)]
    start.earlier += older
    start.this += newer
    start.said += said
    if young or begun or (not older and first is not None and born_here(first)):
        return
    told: list[Reading | Said] = [*newer, *said]
    start.doubtful |= {(one.source, one.number) for one in told if one.backlog and not one.at}


def _of_whomever(one: Reading | Said) -> bool:
    """It stood there when we came, and bears no time: of a file with several writers that is nobody's word."""
    return one.backlog and not one.at


def _last_start(readings: list[Reading]) -> tuple[int, bool]:
    """Number of the first line of the last start, and whether a start is told at all.

    Lines before the only start belong to it as well: a shim speaks before the program's first line. Marks with no
    word about the mode between them belong to one start.
    """
    starts: list[int] = []
    spoken = True
    for reading in readings:
        if reading.rule.means == "start" and spoken:
            starts.append(reading.number)
            spoken = False
        spoken = spoken or reading.rule.means == "mode"
    return (starts[-1] if len(starts) > 1 else -1), bool(starts)


def _before(reading: Reading | Said, first: Process | None) -> bool:
    """Whether a line was surely written before the first process of the tree began."""
    if first is None or not reading.backlog:
        return False
    if reading.at:
        return reading.at < first.started - _SLACK
    return born_here(first) and reading.read_at < began(first)
