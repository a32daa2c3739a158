"""The rows of the picker: processes of the machine, those that have to do with a GPU first."""

from collections.abc import Iterable, Iterator, Sequence

from inspector.model.formatting import name_of, plural, size
from inspector.model.state import Process
from inspector.model.tree import program
from inspector.stream.invocation import program_name
from inspector.stream.own_command import runnable
from inspector.stream.processes import ProcessListed

from .exit_status import end_of
from .row import Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell

COLUMNS = (
    Column("PID", 9, right=True),
    Column("USER", 9),
    Column("AGE", 8, right=True),
    Column("GPU", 24),
    Column("MEMORY", 9, right=True, least=120),
    Column("COMMAND"),
)

ENDED = "ended:"
"""What the key of a process begins with that is observed and has ended: its pid may be another one's by now."""


def candidates(listed: Iterable[ProcessListed], ended: Process | None = None) -> ListTable:
    """All of them, each with what makes it interesting and why it may not be observable; then units and containers.

    `ended` is the observed process where it no longer runs: it comes first, because what was seen of it is still known.
    """
    ordered = sorted(listed, key=lambda one: (_rank(one), one.observable == "no", one.pid))
    relevant = sum(1 for one in ordered if _rank(one) < 2)
    groups = list(_groups(ordered))
    heading = f"{plural(len(ordered), 'process')}, {relevant or 'none'} with a GPU library or a preload"
    if groups:
        heading += "; units and containers below"
    gone = [_ended(ended)] if ended is not None else []
    return ListTable(COLUMNS, [*gone, *(_item(one) for one in ordered), *groups], heading)


def _ended(process: Process) -> Item:
    """The observed process that has ended, with how it ended in place of what it uses."""
    runs = program(process)
    command = " ".join(runs.argv) if runs is not None and runs.argv else f"[{process.comm}]"
    row = Row(
        f"{ENDED}{process.pid}",
        (
            cell(str(process.pid)),
            cell(""),
            cell("ended", "quiet"),
            cell(""),
            cell(""),
            (*end_of(process), ("  ", "plain"), (command, "plain")),
        ),
    )
    notes = [Note("command", command), Note("ended", "all that was seen of it is still known: Enter shows it")]
    return Item(row, Details(f"{process.pid} {name_of(command.split()[0])}", notes))


def _groups(listed: Iterable[ProcessListed]) -> Iterator[Item]:
    """A row for each unit and container, those with something of a GPU first."""
    found: dict[tuple[str, str], list[ProcessListed]] = {}
    for one in listed:
        for kind, name in (("unit", one.unit), ("container", one.container)):
            if name:
                found.setdefault((kind, name), []).append(one)
    for (kind, name), members in sorted(found.items(), key=lambda one: (min(map(_rank, one[1])), one[0])):
        yield _group(kind, name, members)


def _group(kind: str, name: str, members: Sequence[ProcessListed]) -> Item:
    gpu = ", ".join(dict.fromkeys(api for one in members for api in one.apis))
    relevant = min(map(_rank, members)) < 3
    words = f"{kind} {name if kind == 'unit' else name[:12]}: {plural(len(members), 'process')}"
    row = Row(
        f"{kind}:{name}",
        (
            cell(kind, "quiet"),
            cell(members[0].user, "quiet"),
            cell(_age(max(one.age for one in members)), "quiet"),
            cell(gpu, "name"),
            cell(size(sum(one.rss for one in members)), "quiet"),
            cell(words, "plain" if relevant else "quiet"),
        ),
    )
    notes = [Note(kind, name)] + [Note("process", f"{one.pid} {' '.join(one.argv)}") for one in members[:40]]
    return Item(row, Details(f"{kind} {name}", notes, [runnable(f"inspector {kind}:{name}")]))


def _rank(one: ProcessListed) -> int:
    if one.apis and one.preloads:
        return 0
    if one.apis or one.preloads:
        return 1
    return 2 if one.known_program else 3


def _item(one: ProcessListed) -> Item:
    relevant = _rank(one) < 3
    command = " ".join(one.argv) if one.argv else f"[{name_of(one.exe)}]"
    row = Row(
        str(one.pid),
        (
            (*_observable(one), (str(one.pid), "plain")),
            cell(one.user, "quiet"),
            cell(_age(one.age), "quiet"),
            cell(_gpu(one), "name"),
            cell(size(one.rss), "quiet"),
            cell(command, "plain" if relevant else "quiet"),
        ),
    )
    return Item(row, _details(one, command))


def _age(seconds: float) -> str:
    """`42 s`, `12 min`, `3 h`, `4 d`."""
    for step, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= step:
            return f"{int(seconds // step)} {unit}"
    return f"{int(seconds)} s"


def _observable(one: ProcessListed) -> Cell:
    shown: dict[str, tuple[str, Tone]] = {"yes": ("", "plain"), "partly": ("? ", "unknown"), "no": ("✗ ", "no")}
    return (shown[one.observable],)


def _gpu(one: ProcessListed) -> str:
    words = [*one.apis]
    if one.preloads:
        words.append(f"preload {name_of(one.preloads[0])}")
    if not words and one.known_program:
        words.append("known program")
    return ", ".join(words)


def _details(one: ProcessListed, command: str) -> Details:
    notes = []
    if one.why:
        notes.append(Note(one.observable, runnable(one.why), "no" if one.observable == "no" else "unknown"))
    notes += [Note("command", command), Note("program", one.exe or "not readable"), Note("user", one.user)]
    if one.unit:
        notes.append(Note("unit", one.unit))
    if one.container:
        notes.append(Note("container", one.container))
    notes += [Note("library" if not place else "", path) for place, path in enumerate(one.libraries)]
    notes += [Note("preload" if not place else "", entry) for place, entry in enumerate(one.preloads)]
    return Details(f"{one.pid} {program_name(one.argv, one.exe)}", notes, [runnable(f"inspector {one.pid}")])
