"""Rows that say the same of many processes, told once with their number: as the screen folds them."""

import re
from collections.abc import Iterable

from .phrases import fate, folded, pids
from .schema import EvidenceRow, TreeProcess
from .short_text import command

_NUMBERS = re.compile(r"\b(?:\d{4,}|[0-9a-f]{8,})\b")
_AFTER = re.compile(r" after .*")
_PID = re.compile(r"\bPID \d+\b|\bthread \d+\b")
_LEAST = 3
"""So many rows that are alike are told as one."""


def processes(shown: list[TreeProcess], tree: Iterable[TreeProcess]) -> list[list[TreeProcess]]:
    """Processes that ended alike under one parent, that ran the same and had no children, as one entry each."""
    parents = {process.ppid for process in tree}

    def likes(process: TreeProcess) -> object:
        if process.ended is None or process.pid in parents:
            return id(process)
        changes = tuple(sorted(process.environment_changes.items(), key=str))
        words = _NUMBERS.sub("#", command(process.argv) or process.comm)
        return process.ppid, words, _AFTER.sub("", fate(process)), changes, tuple(sorted(process.output.items()))

    entries: list[list[TreeProcess]] = []
    for _, group in folded(shown, likes):
        entries += [group] if len(group) >= _LEAST else [[one] for one in group]
    order = {id(process): number for number, process in enumerate(shown)}
    return sorted(entries, key=lambda group: order[id(group[0])])


def named(group: list[TreeProcess]) -> tuple[str, str]:
    """`845 +11` and `×12 alike: runner`; a single process by its pid and command."""
    words = command(group[0].argv) or group[0].comm or "?"
    return pids([one.pid for one in group]), f"×{len(group)} alike: {words}" if len(group) > 1 else words


def evidence(rows: Iterable[EvidenceRow]) -> list[tuple[EvidenceRow, int]]:
    """Rows that differ in their process only, with how many there are of each."""
    groups = folded(rows, lambda row: _PID.sub("PID #", row.text))
    found: list[tuple[EvidenceRow, int]] = []
    for first, group in groups:
        found += [(first, len(group))] if len(group) >= _LEAST else [(one, 1) for one in group]
    return found
