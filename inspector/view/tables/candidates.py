"""The rows of the picker: processes of the machine, those that have to do with a GPU first."""

from collections.abc import Iterable

from inspector.model.formatting import duration, name_of, size
from inspector.stream.processes import ProcessListed
from inspector.view.clock import SECOND

from .row import Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell

COLUMNS = (
    Column("PID", 8, right=True),
    Column("OBSERVABLE", 10),
    Column("GPU", 34),
    Column("USER", 10, least=90),
    Column("AGE", 10, right=True, least=100),
    Column("MEMORY", 8, right=True, least=100),
    Column("COMMAND"),
)


def candidates(listed: Iterable[ProcessListed]) -> ListTable:
    """All of them, each with what makes it interesting and why it may not be observable."""
    ordered = sorted(listed, key=lambda one: (_rank(one), one.observable == "no", one.pid))
    relevant = sum(1 for one in ordered if _rank(one) < 3)
    heading = f"{len(ordered)} processes, {relevant or 'none'} using a GPU"
    return ListTable(COLUMNS, [_item(one) for one in ordered], heading)


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
            cell(str(one.pid)),
            _observable(one),
            cell(_gpu(one), "name"),
            cell(one.user, "quiet"),
            cell(duration(int(one.age * SECOND)), "quiet"),
            cell(size(one.rss), "quiet"),
            cell(command, "plain" if relevant else "quiet"),
        ),
    )
    return Item(row, _details(one, command))


def _observable(one: ProcessListed) -> Cell:
    shown: dict[str, tuple[str, Tone]] = {
        "yes": ("✓ yes", "yes"),
        "partly": ("? partly", "unknown"),
        "no": ("✗ no", "no"),
    }
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
        notes.append(Note(one.observable, one.why, "no" if one.observable == "no" else "unknown"))
    notes += [Note("command", command), Note("program", one.exe or "not readable"), Note("user", one.user)]
    if one.unit:
        notes.append(Note("unit", one.unit))
    if one.container:
        notes.append(Note("container", one.container))
    notes += [Note("library" if not place else "", path) for place, path in enumerate(one.libraries)]
    notes += [Note("preload" if not place else "", entry) for place, entry in enumerate(one.preloads)]
    return Details(
        f"{one.pid} {name_of(one.argv[0]) if one.argv else name_of(one.exe)}", notes, [f"inspector {one.pid}"]
    )
