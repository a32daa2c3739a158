"""What the logs that a process keeps beside its output tell of trouble: a library's own reason for its answer."""

from collections.abc import Iterator, Set
from itertools import islice, zip_longest

import msgspec

from inspector.stream import log_line
from inspector.stream.lazy_pattern import lazy
from inspector.stream.log_line import Level
from inspector.stream.logs import LogLine
from inspector.stream.text import visible

from . import commands_by_hand
from .coverage import born_here
from .log_parsing.endings import begins_traceback
from .state import LogSource, Process, State
from .verdict import Evidence

_SLACK = 100_000_000
"""ns by which a line may come to us after the answer that it tells of."""
_LONGEST = 200
_ENDS = lazy(r"\bpanicked at\b|^terminate called\b|^\s+what\(\):")
"""How a program says that it ends by an error: that follows from the answer."""


class Trouble(msgspec.Struct, frozen=True):
    """A line of level error or worse, or one whose words tell of something that failed."""

    source: LogSource
    line: LogLine
    at: int
    """CLOCK_MONOTONIC ns; 0 for what stood there when we attached."""

    @property
    def words(self) -> str:
        """What it says, without its time and level."""
        return visible(log_line.read(self.line.text).message.strip())[:_LONGEST]

    @property
    def where(self) -> str:
        """The log by its path; the program's output has none."""
        name = self.source.found.name
        return name if name.startswith("/") else "its output"

    @property
    def by_hand(self) -> str:
        """The command that shows the line."""
        return commands_by_hand.log(self.source.found.name, self.line.number, self.line.text)

    def row(self, process: Process) -> Evidence:
        """The line as evidence."""
        return Evidence(
            text=f"{self.source.found.name}: {visible(self.line.text)}", at=self.at, pid=process.pid, pane="logs",
            key=f"{self.source.found.source}:{self.line.number}", by_hand=self.by_hand,
        )  # fmt: skip


def trouble_told(
    state: State, process: Process, library: str, during: tuple[int, int] | None, claims: Set[tuple[int, int]]
) -> Trouble | None:
    """Why a library answered as it did, in its own words: the newest trouble in a log of its own, else the first one
    that was printed during the call. A log that the process wrote to before it had the library is the program's own.

    `during` is None where the call was not seen; `claims` (source, number) are lines that only tell of the answer.
    """
    until = during[1] + _SLACK if during is not None else state.now
    told = [one for one in _troubles(state, process) if (one.source.found.source, one.line.number) not in claims]
    own = [one for one in told if _is_of_library(one.source, process, library) and one.at <= until]
    if own:
        return max(own, key=lambda one: (one.at, one.line.number))
    printed = [
        one for one in told
        if during is not None and during[0] <= one.at <= until and not _in_traceback(one.source, one.line, during[0])
    ]  # fmt: skip
    return min(printed, key=lambda one: (one.at, one.line.number), default=None)


def _troubles(state: State, process: Process) -> Iterator[Trouble]:
    for source in state.logs.values():
        if process.pid in source.found.pids:
            for line, following in zip_longest(source.lines, islice(source.lines, 1, None)):
                if following is not None and begins_traceback(following.text):
                    continue  # the program reports an exception of its own: what follows from the answer
                if line.number in source.own or _ENDS().search(line.text) or _is_older(state, process, source, line):
                    continue
                if log_line.read(line.text).rank >= Level.ERROR:
                    yield Trouble(source, line, source.seen_at.get(line.number, 0))


def _in_traceback(source: LogSource, line: LogLine, since: int) -> bool:
    """A traceback has begun by then: that and what it leads to follow from the answer."""
    before = (one for one in source.lines if one.number <= line.number and source.seen_at.get(one.number, 0) >= since)
    return any(begins_traceback(one.text) for one in before)


def _is_of_library(source: LogSource, process: Process, library: str) -> bool:
    if _is_output(source, process):
        return False
    loads = (one for one in process.lookups if one.via in ("dlopen", "dlmopen") and one.answer == library)
    came = min((one.entered for one in loads), default=0)
    return not any(one.writable and one.path == source.found.name and one.at < came for one in process.opens)


def _is_older(state: State, process: Process, source: LogSource, line: LogLine) -> bool:
    """It stood in a file older than the process, which was seen to begin, when that was found."""
    if line.number in source.seen_at or not born_here(process) or state.session is None or not source.found.born:
        return False
    return source.found.born - state.session.wall + state.session.at < process.started


def _is_output(source: LogSource, process: Process) -> bool:
    output = {process.descriptors[number].target for number in (1, 2) if number in process.descriptors}
    return not source.found.name.startswith("/") or source.found.name in output
