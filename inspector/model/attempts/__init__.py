"""All evidence of one process as one kind of row: who asked whom for what, and what was answered."""

from itertools import chain

from inspector.model.memo import Steps, once_in_steps
from inspector.model.profiles import Profiles
from inspector.model.state import Process, State

from .calls import calls
from .ends import ends, ignored_preloads
from .load_attempts import LoadReader
from .lookups import lookups
from .nesting import nest
from .row import Attempt
from .searches import searched, searched_by_linker
from .system import refused_calls, refused_opens
from .undefined import without_beginning
from .waiting import waiting_calls

__all__ = ["Attempt", "attempts_of"]


_STEP = 250
"""Rows between two glances at the keys."""


def attempts_of(state: State, process: Process, profiles: Profiles) -> Steps[list[Attempt]]:
    """What this process was seen to ask for, in order of the answers, each put into what it happened in."""
    open_since = min((call.entered for call in process.open_calls), default=0)
    age = (state.now - open_since) // 1_000_000_000 if open_since and not process.ended else 0
    return once_in_steps("attempts", state, process, profiles, lambda: _read(state, process, profiles), age)


def _read(state: State, process: Process, profiles: Profiles) -> Steps[list[Attempt]]:
    rows: list[Attempt] = []
    for row in chain(
        LoadReader(state, process, profiles).read(),
        searched(process, profiles),
        searched_by_linker(process, profiles),
        lookups(state, process, profiles),
        calls(state, process, profiles),
        waiting_calls(state, process, profiles),
        refused_opens(process),
        refused_calls(process),
        ends(process),
        ignored_preloads(process),
    ):
        rows.append(row)
        if len(rows) % _STEP == 0:
            yield
    refused = {row.what for row in rows if row.kind == "lookup" and row.ok is False}
    rows += without_beginning(state, process, profiles, refused)
    rows.sort(key=lambda row: (row.at, -row.begin))
    for number, _ in enumerate(nest(rows)):
        if number % _STEP == 0:
            yield
    return rows
