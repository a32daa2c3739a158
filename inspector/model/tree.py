"""The process tree: what a process runs, whom it descends from, and how its environment differs from its parent's."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from inspector.stream.libraries import LibraryMapped, PreloadChecked
from inspector.stream.processes import ProcessExec
from inspector.stream.text import visible

from .formatting import command, name_of
from .state import Process, State

_DEEPEST = 1_000
"""Generations followed before a damaged stream is taken for a circle."""
_MOST_OF_COMMAND = 40
"""Characters of a command line in a title."""


class KeyChange(Struct, frozen=True):
    """One environment variable that a process has otherwise than its parent."""

    key: str
    change: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None


def ancestors(process: Process) -> Iterator[Process]:
    """Parent, grandparent and so on, as far as the tree goes."""
    for _ in range(_DEEPEST):
        if process.parent is None:
            return
        process = process.parent
        yield process


def program(process: Process) -> ProcessExec | None:
    """What it runs: its last exec, or what it inherited by fork."""
    if process.execs:
        return process.execs[-1]
    return next((parent.execs[-1] for parent in ancestors(process) if parent.execs), None)


def inherits(process: Process) -> bool:
    """It was born by fork and has not executed anything: it is its parent's program."""
    return not process.execs and process.parent is not None


def is_preloaded(process: Process, entry: PreloadChecked) -> bool:
    """The file of an entry is mapped by it, whatever became of the file since."""
    return any(one.route == "preload" and one.path in (entry.entry, entry.path) for one in libraries(process).values())


def libraries(process: Process) -> dict[int, LibraryMapped]:
    """What it maps or mapped; a fork without exec has its parent's."""
    if process.execs or process.parent is None:
        return process.libraries
    merged: dict[int, LibraryMapped] = {}
    for parent in reversed([process, *ancestors(process)]):
        merged = parent.libraries if parent.execs else merged | parent.libraries
    return merged


def opened_as(process: Process, library: LibraryMapped) -> str:
    """By which name it came in: as dlopen was asked for it, where that was seen."""
    opened = (one.name for one in process.lookups if one.via in ("dlopen", "dlmopen") and one.answer == library.path)
    return next(filter(None, opened), "") or library.asked


def preload_source(process: Process, path: str) -> str:
    """Which list of preloads brought a file in: `LD_PRELOAD`, `/etc/ld.so.preload`."""
    entries = (one for one in process.preloads if name_of(one.entry) == name_of(path))
    return next((one.source for one in entries), "LD_PRELOAD")


def unread(state: State, process: Process) -> list[LibraryMapped]:
    """Mapped files whose own facts are not known (yet): one of them may hold what is not found in the others."""
    mapped = libraries(process).values()
    return [library for library in mapped if library.file not in state.images and library.route != "vdso"]


def environment_change(process: Process) -> list[KeyChange] | None:
    """Collected keys that differ from the parent's; None when either environment is unknown."""
    own = program(process)
    above = program(process.parent) if process.parent is not None else None
    if own is None or above is None or not own.environment_known or not above.environment_known:
        return None
    return compare_environments(above.environment, own.environment)


def compare_environments(before: dict[str, str], after: dict[str, str]) -> list[KeyChange]:
    """All keys that one has and the other has not, or has otherwise, by name."""
    changes = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None:
            changes.append(KeyChange(key, "added", old, new))
        elif new is None:
            changes.append(KeyChange(key, "removed", old, new))
        elif old != new:
            changes.append(KeyChange(key, "changed", old, new))
    return changes


def roots(state: State) -> list[Process]:
    """Processes whose parent is not of the tree."""
    return [process for process in state.processes if process.parent is None]


def children(state: State) -> dict[int, list[Process]]:
    """By identity of the parent object (`id`), in order of birth."""
    found: dict[int, list[Process]] = {}
    for process in state.processes:
        if process.parent is not None:
            found.setdefault(id(process.parent), []).append(process)
    return found


def title(process: Process) -> str:
    """`PID 850 (ollama runner --port 41227)`; a long one without folders: `PID 850 (python train.py)`."""
    runs = program(process)
    argv = runs.argv if runs is not None else []
    if len(" ".join(argv)) > _MOST_OF_COMMAND:
        argv = [name_of(word) if word.startswith("/") else word for word in argv]
    what = command(argv, _MOST_OF_COMMAND) if argv else visible(process.comm) or (name_of(runs.exe) if runs else "")
    return f"PID {process.pid} ({what})" if what else f"PID {process.pid}"
