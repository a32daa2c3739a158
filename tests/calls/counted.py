"""Targets under counting until they end, and what was counted."""

import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from inspector.collect.elf.exits import find_exits
from inspector.collect.elf.sites import find_sites
from inspector.collect.kernel.call_sums import Outcome
from inspector.collect.kernel.counter_block import Read
from inspector.collect.kernel.counting import Count, Counting
from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.file_watch import FileWatch, Function
from inspector.collect.kernel.records import Exited, Record


@dataclass
class CountedRun:
    """Everything that was told of one run."""

    pid: int
    output: str
    code: int
    records: list[Record]
    counts: dict[tuple[int, str], Count]
    outcomes: dict[tuple[int, str, int, int], Outcome]

    def total(self, name: str) -> int:
        """Entries of a function in all processes."""
        return sum(count.count for (_, function), count in self.counts.items() if function == name)

    def results(self, name: str) -> dict[int, int]:
        """How often a function gave each result."""
        found: dict[int, int] = {}
        for (_, function, _, result), outcome in self.outcomes.items():
            if function == name:
                found[result] = found.get(result, 0) + outcome.count
        return found


@dataclass
class Watcher:
    """Functions of the watched library by name."""

    engine: Engine
    counting: Counting
    names: dict[int, str] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    counts: dict[tuple[int, str], Count] = field(default_factory=dict)
    outcomes: dict[tuple[int, str, int, int], Outcome] = field(default_factory=dict)

    def watch(
        self, library: Path, *names: str, returns: bool = False, hot: bool = False, reads: tuple[Read, ...] = ()
    ) -> FileWatch:
        """Count these functions from now on."""
        sites = {site.name: site for site in find_sites(bytes(library), names).found}
        functions = [
            Function(
                sites[name].entry if returns else sites[name].offset,
                sites[name].cost,
                hot,
                at_entry=returns,
                decides=returns and not hot,
                reads=reads,
            )
            for name in names
        ]
        watch = self.counting.watch(bytes(library), functions)
        if returns:
            exits = find_exits(bytes(library), sites.values())
            watch.read_results({n: exits[sites[name].entry].offsets for n, name in enumerate(names, watch.first)})
        self.names |= dict(enumerate(names, watch.first))
        return watch

    def run(self, *command: str | Path, meanwhile: Callable[[subprocess.Popen[str]], None] | None = None) -> CountedRun:
        """Run a command as a member until it ends."""
        self.records, self.counts, self.outcomes = [], {}, {}
        with self.engine.adopting():
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if meanwhile is not None:
            meanwhile(process)
        output, _ = process.communicate("go\n" * 9)
        self._until_ended(process.pid)
        return CountedRun(process.pid, output, process.returncode, self.records, self.counts, self.outcomes)

    def look(self) -> None:
        """Take in what was told and counted since the last look."""
        self.records += self.engine.drain()
        for count in self.counting.counts():
            self.counts[count.pid, self.names[count.function]] = count
        for outcome in self.counting.outcomes():
            key = (outcome.pid, self.names[outcome.function], outcome.caller, outcome.result)
            self.outcomes[key] = outcome

    def _until_ended(self, pid: int) -> None:
        """Last counts come one drain after the end."""
        end = time.monotonic() + 20
        while not any(isinstance(record, Exited) and record.pid == pid for record in self.records):
            assert time.monotonic() < end, "its end was not told"
            select.select([self.engine.fd], [], [], 0.1)
            self.look()
        self.look()
        self.look()
