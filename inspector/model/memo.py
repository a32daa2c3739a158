"""What readers of the state computed for a process, kept until something that they looked at has changed."""

from collections.abc import Callable
from typing import TypeVar, cast

from .profiles import Profiles
from .state import Process, State
from .tree import ancestors

T = TypeVar("T")


def once(
    what: str, state: State, process: Process, profiles: Profiles, compute: Callable[[], T], also: object = None
) -> T:
    """The value of `compute`, taken from last time if neither the process nor what is known of files has changed.

    `also` is anything else that the value depends on.
    """
    lineage = tuple(parent.revision for parent in ancestors(process)) if not process.execs else ()
    revisions = state.revisions
    known_of_files = (revisions.get("images"), revisions.get("functions"))
    key = (id(state), id(profiles), process.revision, lineage, known_of_files, also)
    known = process.memo.get(what)
    if known is None or known[0] != key:
        known = process.memo[what] = (key, compute())
    return cast(T, known[1])
