"""Which processes of a tree have a row of their own, and which are folded: helper programs, rows that are alike."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from inspector.model.formatting import name_of
from inspector.model.state import Process
from inspector.model.tree import children, libraries, program, roots
from inspector.stream.lazy_pattern import lazy
from inspector.view.pane_context import PaneContext

from .exit_status import end_of

_NUMBERS = lazy(r"\b(?:\d{4,}|[0-9a-f]{8,})\b")
"""Ports, pids and hashes in arguments: they differ from start to start."""
ALIKE = 3
"""So many rows that are alike are folded into one."""
HELPERS = 2


class Folds(Struct):
    """What a person folded and unfolded in a list, and what can be."""

    opened: set[str] = set()
    """Groups that are shown row by row."""
    closed: set[str] = set()
    """Rows whose children are hidden."""
    everything: bool = False
    """All rows are shown: a filter must find them."""
    groups: set[str] = set()
    above: dict[str, str] = {}
    """Of the list that was made last: its groups, and the row above each row in the tree."""

    def turn(self, key: str, step: int) -> str | None:
        """Fold (-1) or unfold (1) at a row; the key of the row to go to, None when there was nothing to fold."""
        if step > 0:
            if key in self.groups and key not in self.opened:
                self.opened.add(key)
                return key
            return self._unfold(key)
        if key in self.opened:
            self.opened.discard(key)
            return key
        if key in self.above.values() and key not in self.closed and key not in self.groups:
            self.closed.add(key)
            return key
        above = self.above.get(key)
        if above in self.opened:
            self.opened.discard(above or "")
        return above

    def _unfold(self, key: str) -> str | None:
        if key not in self.closed:
            return None
        self.closed.discard(key)
        return key


class Group(NamedTuple):
    """Processes that are one row."""

    key: str
    words: str
    members: Sequence[Process]
    alike: bool


class TreeRow(NamedTuple):
    """A process, or a folded group, at its place in the tree."""

    entry: Process | Group
    branch: str
    """Lines that lead to it: `│  ├─ `."""
    hidden: int = 0
    """Processes below it that are folded away."""


def key_of(process: Process) -> str:
    """The stable name of its row."""
    return f"{process.pid}:{process.started}"


def helper_programs(context: PaneContext) -> set[int]:
    """`id` of processes that ended and have nothing to do with a GPU, nor has one of their descendants.

    None of them maps a library that uses one, has a ladder, is spoken of in a finding or died of a signal; without an
    answer nobody is one.
    """
    answer, state = context.answer, context.state
    if answer is None:
        return set()
    spoken = {one.pid for one in answer.ladders} | {one.pid for one in answer.findings}
    spoken |= {row.pid for one in answer.findings for row in one.evidence}
    born = children(state)
    users = {file for file, apis in state.apis.items() if apis.consumes}
    telling = [one for one in state.processes if one.pid in spoken or not one.ended or _died(one) or _uses(one, users)]
    telling += list(roots(state))
    parents = {id(child): parent for parent in state.processes for child in born.get(id(parent), ())}
    kept: set[int] = set()
    for process in telling:
        current: Process | None = process
        while current is not None and id(current) not in kept:
            kept.add(id(current))
            current = parents.get(id(current))
    return {id(one) for one in state.processes} - kept


def _uses(process: Process, users: set[str]) -> bool:
    """Whether its program, or a library that it maps, uses an API of GPUs; one that is preloaded is in every child."""
    runs = program(process)
    files = {one.file for one in libraries(process).values() if one.route != "preload"}
    return bool(users & files) or (runs is not None and runs.file in users)


def _died(process: Process) -> bool:
    return process.end is not None and process.end.signal is not None


def tree_rows(context: PaneContext, folds: Folds) -> Iterator[TreeRow]:
    """All processes in tree order, children in order of birth, as far as they are not folded away."""
    folds.groups, folds.above = set(), {}
    state, helpers = context.state, helper_programs(context)
    born = children(state)
    for root in roots(state):
        below = _below(born, root) if key_of(root) in folds.closed and not folds.everything else 0
        yield TreeRow(root, "", below)
        if not below:
            yield from _descendants(born.get(id(root), []), key_of(root), "", born, helpers, folds)


def _below(born: dict[int, list[Process]], process: Process) -> int:
    return sum(1 + _below(born, child) for child in born.get(id(process), ()))


def _descendants(
    siblings: Sequence[Process], above: str, lead: str, born: dict[int, list[Process]], helpers: set[int], folds: Folds
) -> Iterator[TreeRow]:
    entries = _entries(siblings, above, born, helpers) if not folds.everything else siblings
    for number, entry in enumerate(entries, 1):
        last = number == len(entries)
        branch, inside = lead + ("└─ " if last else "├─ "), lead + ("   " if last else "│  ")
        key = entry.key if isinstance(entry, Group) else key_of(entry)
        folds.above[key] = above
        if isinstance(entry, Group):
            folds.groups.add(key)
            yield TreeRow(entry, branch, 0 if key in folds.opened else len(entry.members))
            if key in folds.opened:
                yield from _descendants_of_group(entry, key, inside, born, helpers, folds)
            continue
        below = _below(born, entry) if key in folds.closed and not folds.everything else 0
        yield TreeRow(entry, branch, below)
        if not below:
            yield from _descendants(born.get(id(entry), []), key, inside, born, helpers, folds)


def _descendants_of_group(
    group: Group, key: str, lead: str, born: dict[int, list[Process]], helpers: set[int], folds: Folds
) -> Iterator[TreeRow]:
    for number, process in enumerate(group.members, 1):
        last = number == len(group.members)
        branch, inside = lead + ("└─ " if last else "├─ "), lead + ("   " if last else "│  ")
        folds.above[key_of(process)] = key
        yield TreeRow(process, branch)
        yield from _descendants(born.get(id(process), []), key_of(process), inside, born, set(), folds)


def _entries(
    siblings: Sequence[Process], above: str, born: dict[int, list[Process]], helpers: set[int]
) -> list[Process | Group]:
    """Children as they are listed: in order of birth, a group where its first member stands."""
    groups: dict[object, list[Process]] = {}
    for process in siblings:
        groups.setdefault("helper" if id(process) in helpers else _signature(process, born), []).append(process)
    listed: list[Process | Group] = []
    for signature, members in groups.items():
        if signature == "helper" and len(members) >= HELPERS:
            everyone = list(_with_children(members, born))
            words = f"+{len(everyone)} helper programs  {tally(everyone)}"
            listed.append(Group(f"helpers:{above}", words, members, False))
        elif signature != "helper" and len(members) >= ALIKE:
            words = f"×{len(members)} alike: {_command(members[0])}"
            listed.append(Group(f"alike:{key_of(members[0])}", words, members, True))
        else:
            listed += members
    return sorted(listed, key=lambda one: one.members[0].started if isinstance(one, Group) else one.started)


def _with_children(members: Sequence[Process], born: dict[int, list[Process]]) -> Iterator[Process]:
    """They, and all that they started."""
    due = [*members]
    while due:
        process = due.pop()
        yield process
        due += born.get(id(process), [])


def _signature(process: Process, born: dict[int, list[Process]]) -> object:
    """What processes that are alike have in common; those that live, or have children, are like no other."""
    runs = program(process)
    if not process.ended or born.get(id(process)) or runs is None:
        return id(process)
    return _NUMBERS().sub("#", _command(process)), end_of(process), tuple(sorted(runs.environment.items()))


def _command(process: Process) -> str:
    runs = program(process)
    return " ".join([name_of(runs.argv[0]), *runs.argv[1:]]) if runs is not None and runs.argv else process.comm or "?"


def tally(members: Sequence[Process]) -> str:
    """`readlink ×3, rm`."""
    names = Counter(name_of(_command(one).split(" ", 1)[0]) for one in members)
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in names.most_common(8))
