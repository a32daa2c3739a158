"""What the logs that a process keeps beside its output tell of trouble: a library's own reason for its answer."""

from dataclasses import dataclass

from inspector.stream import log_line
from inspector.stream.log_line import Level
from inspector.stream.logs import LogLine
from inspector.stream.text import visible

from . import commands_by_hand
from .state import LogSource, Process, State
from .verdict import Evidence

_SLACK = 100_000_000
"""ns by which a line may come to us after the answer that it tells of."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Trouble:
    """A line of level error or worse, or one whose words tell of something that failed."""

    source: LogSource
    line: LogLine
    at: int
    """CLOCK_MONOTONIC ns; 0 for what stood there when we came."""

    @property
    def words(self) -> str:
        """What it says, without its time and level."""
        return visible(log_line.read(self.line.text).message.strip())[:_LONGEST]

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


def trouble_told(state: State, process: Process, until: int) -> Trouble | None:
    """The newest line of trouble in a file that only libraries of the process write to; `until` is 0 for any time."""
    told = (
        Trouble(source, line, source.seen_at.get(line.number, 0))
        for source in state.logs.values()
        if _is_beside_output(source, process)
        for line in source.lines
        if log_line.read(line.text).rank >= Level.ERROR
    )
    before = (one for one in told if not until or one.at <= until + _SLACK)
    return max(before, key=lambda one: (one.at, one.line.number), default=None)


def _is_beside_output(source: LogSource, process: Process) -> bool:
    found = source.found
    output = {process.descriptors[number].target for number in (1, 2) if number in process.descriptors}
    return found.kind == "file" and process.pid in found.pids and found.name not in output
