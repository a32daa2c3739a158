"""The pane Processes: the tree with its dead, how each one ended, and what environment it got."""

import shlex
import signal
from collections.abc import Iterator
from typing import NamedTuple

from inspector.model.state import Process, State
from inspector.model.tree import KeyChange, children, environment_change, inherits, program, roots
from inspector.model.wording import duration, name_of, signal_name, size
from inspector.stream.processes import Descriptor, ProcessExec, SameNameProcess, SignalDelivered
from inspector.view.clock import wall_of
from inspector.view.sight import Sight, short_name

from .row import EMPTY, Cell, Column, Details, Item, ListTable, Note, Row, Tone, cell

COLUMNS = (
    Column("PID", 8, right=True),
    Column("PROCESS"),
    Column("LIVED", 11, right=True),
    Column("END", 24),
    Column("ENVIRONMENT", 23),
    Column("CPU", 5, right=True, least=110),
    Column("MEMORY", 9, right=True, least=110),
)


FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
"""Signals that a program brings on itself: the place where it was tells something."""
LOADER_KEYS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")


class Kin(NamedTuple):
    """A process at its place in the tree."""

    process: Process
    branch: str
    """Lines that lead to it: `│  ├─ `."""


def family(state: State) -> Iterator[Kin]:
    """All processes in tree order, children in order of birth."""
    born = children(state)
    for root in roots(state):
        yield Kin(root, "")
        yield from _descendants(born, root, "")


def _descendants(born: dict[int, list[Process]], parent: Process, lead: str) -> Iterator[Kin]:
    siblings = born.get(id(parent), [])
    for number, process in enumerate(siblings, 1):
        last = number == len(siblings)
        yield Kin(process, lead + ("└─ " if last else "├─ "))
        yield from _descendants(born, process, lead + ("   " if last else "│  "))


def processes(sight: Sight) -> ListTable:
    """All processes of the tree, then others of the same name that may be the ones that really answer."""
    state = sight.state
    items = [_item(sight, kin) for kin in family(state)]
    items += [_other(one) for one in state.others if not one.in_tree]
    dead = sum(1 for one in state.processes if one.ended)
    heading = f"{len(state.processes) - dead} alive, {dead} ended"
    return ListTable(COLUMNS, items, heading)


def _item(sight: Sight, kin: Kin) -> Item:
    process = kin.process
    vitals = process.vitals if not process.ended else None
    tone: Tone = "quiet" if process.ended else "name"
    row = Row(
        f"{process.pid}:{process.started}",
        (
            cell(str(process.pid), "quiet" if process.ended else "plain"),
            ((kin.branch, "quiet"), (command_of(process), tone)),
            _lived(sight, process),
            end_of(process),
            _environment(process),
            cell(f"{vitals.cpu:.1f}", "plain") if vitals else EMPTY,
            cell(size(vitals.rss), "quiet") if vitals else EMPTY,
        ),
    )
    newest = sight.state.current.get(process.pid) is process
    return Item(row, _details(sight, process), process.started, (str(process.pid),) if newest else ())


def _lived(sight: Sight, process: Process) -> Cell:
    """How long it lived; of a living one since when, which does not change each second."""
    if not process.started:
        return EMPTY
    if process.ended:
        return cell(duration(process.ended - process.started), "quiet")
    since = wall_of(sight.state, process.started)
    return cell(f"since {since[:5]}" if since else "", "quiet")


def command_of(process: Process) -> str:
    """The command line, its program without the directory."""
    runs = program(process)
    if runs is None or not runs.argv:
        return process.comm or "?"
    first, *rest = runs.argv
    return " ".join([name_of(first), *rest, "(forked)"] if inherits(process) else [name_of(first), *rest])


def end_of(process: Process) -> Cell:
    """How it ended, with a glyph: `✗ SIGSEGV in libx.so`, `· exit 0`, `● alive`."""
    if not process.ended:
        return (("● ", "yes"), ("alive", "plain"))
    end = process.end
    if end is not None and end.signal is not None:
        deadly = next((one for one in reversed(process.signals) if one.fatal and one.signal == end.signal), None)
        library = deadly.library if deadly is not None and end.signal in FAULTS else None
        place = f" in {name_of(library)}" if library else ""
        return (("✗ ", "no"), (signal_name(end.signal) + place, "no"))
    if end is None or end.code is None:
        return (("? ", "unknown"), ("ended, how is unknown", "quiet"))
    return (("✗ ", "no"), (f"exit {end.code}", "no")) if end.code else (("○ ", "quiet"), ("exit 0", "quiet"))


def _environment(process: Process) -> Cell:
    runs = program(process)
    if inherits(process):
        return cell("as parent (forked)", "quiet")
    if runs is None or not runs.environment_known:
        return (("? ", "unknown"), ("not readable", "quiet"))
    changes = environment_change(process)
    if changes is None:
        return cell(", ".join(key for key in LOADER_KEYS if runs.environment.get(key)), "quiet")
    if not changes:
        return cell("as parent", "quiet")
    first = min(changes, key=lambda one: (one.key not in LOADER_KEYS, one.change != "removed"))
    if first.key in LOADER_KEYS and first.change == "removed":
        return (("✗ ", "no"), (f"{first.key} lost", "no"))
    sign = {"added": "+ ", "removed": "- ", "changed": "≠ "}[first.change]
    return ((sign, "unknown"), (first.key, "plain"), (f" (+{len(changes) - 1})" if changes[1:] else "", "quiet"))


def _other(one: SameNameProcess) -> Item:
    argv = " ".join(one.argv) or one.exe
    row = Row(
        f"other:{one.pid}",
        (
            cell(str(one.pid), "quiet"),
            ((argv, "quiet"),),
            EMPTY,
            cell("not of this tree", "quiet"),
            EMPTY,
            EMPTY,
            EMPTY,
        ),
    )
    notes = [Note("command", argv), Note("program", one.exe), Note("unit", one.unit or "none")]
    notes += [Note("serves", address) for address in one.listening]
    return Item(row, Details(f"{one.pid}: same name, another tree", notes, [f"cat /proc/{one.pid}/cgroup"]))


def _details(sight: Sight, process: Process) -> Details:
    notes = [
        *_life(sight, process),
        *_commands(process),
        *_environment_notes(sight, process),
        *_programs(process),
        *_surroundings(process),
    ]
    return Details(f"{process.pid} {short_name(process)}", notes, _by_hand(process))


def _life(sight: Sight, process: Process) -> Iterator[Note]:
    state = sight.state
    words = {
        "attach": "was there when we came",
        "fork": "born while we watched",
        "run": "started by us",
        "map": "found because it maps the library",
    }
    yield Note("came", words.get(process.origin, process.origin))
    if process.parent is not None:
        yield Note("parent", f"{process.parent.pid} {short_name(process.parent)}")
    born = wall_of(state, process.started) if process.started else ""
    if process.ended:
        lived = duration(process.ended - process.started)
        yield Note("lived", f"{born} to {wall_of(state, process.ended)}, {lived}" if born else lived)
        yield Note("end", "".join(text for text, _ in end_of(process)), end_of(process)[0][1])
    elif born:
        yield Note("born", born)
    for one in process.signals:
        yield Note("signal", _signal_words(one), "no" if one.fatal else "plain")
    vitals = process.vitals
    if vitals is not None and not process.ended:
        yield Note(
            "now", f"{vitals.cpu:.1f} % CPU, {size(vitals.rss)}, {vitals.threads} threads {vitals.state}".rstrip()
        )


def _signal_words(one: SignalDelivered) -> str:
    place = one.symbol or one.library or "an unknown place"
    where = f" at {place}+{one.offset:#x}" if one.symbol or one.library else ""
    inside = f" in {one.library}" if one.symbol and one.library else ""
    return f"{signal_name(one.signal)}{where}{inside}{'' if one.fatal else ' (handled)'}"


def _commands(process: Process) -> Iterator[Note]:
    for number, run in enumerate(process.execs):
        label = "command" if number == len(process.execs) - 1 else "before"
        yield Note(label, shlex.join(run.argv) or run.comm)
        if run.via_libc is False:
            yield Note("", "executed by a raw system call: no libc hook sees it", "unknown")


def _programs(process: Process) -> Iterator[Note]:
    runs = program(process)
    if runs is not None:
        yield from _program(runs)


def _program(run: ProcessExec) -> Iterator[Note]:
    yield Note("program", run.exe)
    if run.static:
        yield Note("", "statically linked: the loader never runs, LD_PRELOAD has no effect", "no")
    if run.secure:
        added = f" ({run.capabilities_added})" if run.capabilities_added else ""
        yield Note("", f"AT_SECURE{added}: the loader ignores LD_PRELOAD and LD_LIBRARY_PATH", "no")
    yield Note("folder", run.cwd)
    if run.uid >= 0:
        yield Note("user", f"uid {run.uid}")
    if run.unit:
        yield Note("unit", run.unit)
    if run.container:
        yield Note("container", run.container)
    if run.own_root:
        yield Note("root", f"sees another file tree: {run.root}", "unknown")


def _environment_notes(sight: Sight, process: Process) -> Iterator[Note]:
    runs = program(process)
    if runs is None or not runs.environment_known:
        yield Note("environ", "not readable", "unknown")
        return
    changes = {one.key: one for one in environment_change(process) or ()}
    against = "against the parent's" if process.parent is not None else "loader, GPU and profile keys"
    yield Note("environ", f"{against} ({runs.other_keys} other keys not collected)", "head")
    for key in sorted({*runs.environment, *changes}, key=lambda key: (key not in changes, _rank(key))):
        yield from _key_notes(key, runs.environment.get(key, ""), changes.get(key))
        known = sight.profiles.environment_key(key)
        if known is not None and known.effect:
            yield Note("", f"    {known.truth or known.effect}", "quiet")
    for entry in process.preloads:
        if entry.usable is False:
            yield Note("preload", f"{entry.entry}: {entry.words or entry.problem}", "no")


def _rank(key: str) -> tuple[int, str]:
    """Loader keys first, in the order in which they matter."""
    return (LOADER_KEYS.index(key) if key in LOADER_KEYS else len(LOADER_KEYS), key)


def _key_notes(key: str, value: str, change: KeyChange | None) -> Iterator[Note]:
    if change is None:
        yield Note("", f"  {key}={value}")
    elif change.change == "removed":
        yield Note("", f"- {key}={change.before}", "no")
    elif change.change == "added":
        yield Note("", f"+ {key}={value}", "yes")
    else:
        yield Note("", f"~ {key}={value}", "unknown")
        yield Note("", f"  was {change.before}", "quiet")


def _surroundings(process: Process) -> Iterator[Note]:
    for descriptor in process.descriptors.values():
        yield Note(f"fd {descriptor.fd}", _descriptor_words(descriptor), "no" if _thrown_away(descriptor) else "plain")
    for fd, writes in process.writes.items():
        yield Note(f"wrote fd {fd}", f"{size(writes.bytes)} in {writes.writes} writes, {writes.failed} failed")
        for line in writes.sample:
            yield Note("", f"  {line}", "quiet")
    if process.sockets is not None:
        for address in process.sockets.listening:
            yield Note("serves", address)
        for peer in process.sockets.connected:
            yield Note("talks to", f"{peer.address} {peer.pid or ''} {peer.argv}".rstrip())
    if process.opens_skipped:
        yield Note("opens", f"{len(process.opens)} of interest, {process.opens_skipped} others")


def _thrown_away(descriptor: Descriptor) -> bool:
    return descriptor.kind in ("null", "closed") and descriptor.fd in (1, 2)


def _descriptor_words(descriptor: Descriptor) -> str:
    peer = f" read by {descriptor.peer}" if descriptor.peer else ""
    lost = ": what is written here is lost" if _thrown_away(descriptor) else ""
    return f"{descriptor.target}{peer}{lost}"


def _by_hand(process: Process) -> list[str]:
    runs = program(process)
    if process.ended:
        return [f"journalctl -u {shlex.quote(runs.unit)}"] if runs is not None and runs.unit else []
    return [
        f"tr '\\0' '\\n' < /proc/{process.pid}/environ",
        f"pstree -aps {process.pid}",
        f"ls -l /proc/{process.pid}/fd",
    ]
