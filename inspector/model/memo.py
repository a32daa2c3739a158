"""What readers of the state computed for a process, kept until something that they looked at has changed."""

from collections.abc import Callable, Generator
from typing import TypeVar, cast

from .profiles import Profiles
from .state import Process, State
from .tree import ancestors

T = TypeVar("T")
Steps = Generator[None, None, T]
"""A computation in steps, so that a screen can answer keys in between."""


def once_of(what: str, process: Process, compute: Callable[[], T]) -> T:
    """The value of `compute`, which looks at nothing but the process; taken from last time if that is the same."""
    known = process.memo.get(what)
    if known is None or known[0] != process.revision:
        known = process.memo[what] = (process.revision, compute())
    return cast(T, known[1])


def once(
    what: str, state: State, process: Process, profiles: Profiles, compute: Callable[[], T], also: object = None
) -> T:
    """The value of `compute`, taken from last time if neither the process nor what is known of files has changed.

    `also` is anything else that the value depends on.
    """
    key = _key(state, process, profiles, also)
    known = process.memo.get(what)
    if known is None or known[0] != key:
        known = process.memo[what] = (key, compute())
    return cast(T, known[1])


def once_in_steps(
    what: str, state: State, process: Process, profiles: Profiles, compute: Callable[[], Steps[T]], also: object = None
) -> Steps[T]:
    """As `once`, of a computation that is done in steps; the state must not change meanwhile."""
    key = _key(state, process, profiles, also)
    known = process.memo.get(what)
    if known is None or known[0] != key:
        known = process.memo[what] = (key, (yield from compute()))
    return cast(T, known[1])


def _key(state: State, process: Process, profiles: Profiles, also: object) -> object:
    lineage = tuple(parent.revision for parent in ancestors(process)) if not process.execs else ()
    known_of_files = (state.revisions.get("images"), state.revisions.get("functions"))
    return id(state), id(profiles), process.revision, lineage, known_of_files, also
