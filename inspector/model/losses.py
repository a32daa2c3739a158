"""What records that were lost leave open: each kind takes away what it alone could have told."""

from inspector.stream.session import LOST_COUNTERS, LOST_LIVES, LOST_LOOKUPS, LOST_MAPPINGS, LOST_STACKS

from .state import Process, State

UNCOUNTED = (LOST_COUNTERS, LOST_LIVES)
"""Sources (`EventsLost.source`) after whose losses a process may have called and have no count."""
_UNMAPPED = (LOST_MAPPINGS, LOST_LIVES)
"""The same for a library that it mapped."""


def holes(state: State) -> int:
    """How many records were lost whose absence may be taken for silence: a stack tells only who called."""
    return sum(count for source, count in state.lost.items() if source != LOST_STACKS)


def may_have_no_counts(state: State, process: Process) -> bool:
    """Whether a process may have called though nothing of it was counted: who has one count has counters of its own."""
    return not process.counts and any(source in state.lost for source in UNCOUNTED)


def mappings_are_missing(state: State) -> bool:
    """Whether a process may have mapped a library that is not known."""
    return any(source in state.lost for source in _UNMAPPED)


def look_ups_are_missing(state: State) -> bool:
    """Whether a look-up may have been made that is not known."""
    return LOST_LOOKUPS in state.lost
