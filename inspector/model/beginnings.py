"""Whether a program has begun: before that it has asked nobody for anything."""

from .state import Process, State
from .tree import program


def has_begun(state: State) -> bool:
    """Whether every program of the tree was seen to begin: one that we are about to start has done nothing yet."""
    return bool(state.processes) and all(
        (process.execs or process.parent is not None) and not _still_with_its_loader(process)
        for process in state.processes
    )


def _still_with_its_loader(process: Process) -> bool:
    """It lives, and nothing is mapped but the program and its loader: no code of its own has run, so it asked nobody.

    A busy machine, or who stops it, may leave it there for long.
    """
    runs = program(process)
    if process.ended or runs is None or runs.static is not False or not process.libraries:
        return False
    routes = {library.route for library in process.libraries.values()} - {"vdso"}
    return routes == {"executable", "interpreter"}
