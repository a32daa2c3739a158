"""The pane Processes: the tree with its dead, how each one ended, and what environment it got."""

from functools import partial

from inspector.model.formatting import duration, name_of, size
from inspector.model.state import Process
from inspector.model.tree import environment_change, inherits, program
from inspector.stream.processes import SameNameProcess
from inspector.view.clock import wall_of
from inspector.view.pane_context import PaneContext

from .exit_status import LOADER_KEYS, end_of
from .process_details import details_of
from .process_groups import Folds, Group, TreeRow, key_of, tree_rows
from .row import EMPTY, Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell
from .told import Told, failed, told_of

COLUMNS = (
    Column("PID", 8, right=True),
    Column("PROCESS", tree=True),
    Column("LIVED", 11, right=True),
    Column("END", 20),
    Column("ENVIRONMENT", 23),
    Column("CPU", 5, right=True, least=110),
    Column("MEMORY", 9, right=True, least=110),
)


OTHER_TREE = "other:"
"""How the keys of rows begin that stand for processes of the same name in other trees; behind it the pid."""


def processes(context: PaneContext, folds: Folds | None = None) -> ListTable:
    """All processes of the tree, then others of the same name that may be the ones that really answer."""
    state = context.state
    items = [_item(context, tree_row) for tree_row in tree_rows(context, folds or Folds())]
    items += [_other(one) for one in state.others if not one.in_tree]
    dead = sum(1 for one in state.processes if one.ended)
    heading = f"{len(state.processes) - dead} running, {dead} ended"
    return ListTable(COLUMNS, items, heading)


def _group(context: PaneContext, group: Group, branch: str) -> Item:
    """Several processes as one row; what they share is shown."""
    first = group.members[0]
    longest = max(one.ended - one.started for one in group.members)
    row = Row(
        group.key,
        (
            EMPTY,
            ((branch, "quiet"), (group.words, "plain" if group.alike else "quiet")),
            cell(f"≤ {duration(longest)}", "quiet"),
            end_of(first, told_of(context.answer)) if group.alike else EMPTY,
            _environment(first, told_of(context.answer)) if group.alike else EMPTY,
            EMPTY,
            EMPTY,
        ),
    )
    notes = [Note("right", "shows them one by one")]
    notes += [Note(str(one.pid), command_of(one)) for one in group.members]
    also = [key for one in group.members for key in (key_of(one), *([str(one.pid)] if _newest(context, one) else []))]
    return Item(row, Details(group.words, notes), first.started, also, first.pid)


def _newest(context: PaneContext, process: Process) -> bool:
    return context.state.current.get(process.pid) is process


def _item(context: PaneContext, tree_row: TreeRow) -> Item:
    process = tree_row.entry
    if isinstance(process, Group):
        return _group(context, process, f"{tree_row.branch}{'▸' if tree_row.hidden else '▾'} ")
    vitals, told = process.vitals if not process.ended else None, told_of(context.answer)
    tone: Tone = "quiet" if process.ended else "name"
    row = Row(
        key_of(process),
        (
            cell(str(process.pid), "quiet" if process.ended else "plain"),
            ((tree_row.branch, "quiet"), (command_of(process), tone), *_folded(tree_row.hidden)),
            _lived(context, process),
            end_of(process, told),
            _environment(process, told),
            cell(f"{vitals.cpu:.1f}", "plain") if vitals else EMPTY,
            cell(size(vitals.rss), "quiet") if vitals else EMPTY,
        ),
    )
    also = (str(process.pid),) if _newest(context, process) else ()
    return Item(row, partial(details_of, context, process), process.started, also)


def _folded(hidden: int) -> Cell:
    return ((f"  ▸ {hidden} below", "name"),) if hidden else EMPTY


def _lived(context: PaneContext, process: Process) -> Cell:
    """How long it lived; of a living one since when, which does not change each second."""
    if not process.started:
        return EMPTY
    if process.ended:
        return cell(duration(process.ended - process.started), "quiet")
    since = wall_of(context.state, process.started)
    return cell(f"since {since[:5]}" if since else "", "quiet")


def command_of(process: Process) -> str:
    """The command line, its program without the directory."""
    runs = program(process)
    if runs is None or not runs.argv:
        return process.comm or "?"
    first, *rest = runs.argv
    return " ".join([name_of(first), *rest, "(forked)"] if inherits(process) else [name_of(first), *rest])


def _environment(process: Process, told: Told) -> Cell:
    runs = program(process)
    if inherits(process):
        return cell("same as parent (fork)", "quiet")
    if runs is None or not runs.environment_known:
        return (("? ", "unknown"), ("not readable", "quiet"))
    changes = environment_change(process)
    if changes is None:
        return cell(", ".join(key for key in LOADER_KEYS if runs.environment.get(key)), "quiet")
    if not changes:
        return cell("same as parent", "quiet")
    first = min(changes, key=lambda one: (one.key not in LOADER_KEYS, one.change != "removed"))
    if first.key in LOADER_KEYS and first.change == "removed":
        return failed(f"{first.key} lost", "environment-lost" in told.rules and process.pid in told.pids)
    sign = {"added": "+ ", "removed": "- ", "changed": "≠ "}[first.change]
    return ((sign, "unknown"), (first.key, "plain"), (f" (+{len(changes) - 1})" if changes[1:] else "", "quiet"))


def _other(one: SameNameProcess) -> Item:
    argv = " ".join(one.argv) or one.exe
    row = Row(
        f"{OTHER_TREE}{one.pid}",
        (
            cell(str(one.pid), "quiet"),
            ((argv, "quiet"),),
            EMPTY,
            cell("other tree: press o", "quiet"),
            EMPTY,
            EMPTY,
            EMPTY,
        ),
    )
    notes = [Note("o", "observes this one instead"), Note("command", argv), Note("program", one.exe)]
    notes.append(Note("unit", one.unit or "none"))
    notes += [Note("serves", address) for address in one.listening]
    return Item(row, Details(f"{one.pid}: same name, another tree", notes, [f"cat /proc/{one.pid}/cgroup"]))
