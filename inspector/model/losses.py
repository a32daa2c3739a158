"""What records that were lost leave open: each kind takes away what it alone could have told."""

from .state import Process, State

UNCOUNTED = ("processes without counters", "kernel records")
"""Sources (`EventsLost.source`) after whose losses a process may have called and have no count."""
_UNMAPPED = ("perf", "kernel records")
"""The same for a library that it mapped."""
_STACKS, _LOOKUPS = "call stacks", "look-ups"


def holes(state: State) -> int:
    """How many records were lost whose absence may be taken for silence: a stack tells only who called."""
    return sum(count for source, count in state.lost.items() if source != _STACKS)


def may_have_no_counts(state: State, process: Process) -> bool:
    """Whether a process may have called though nothing of it was counted: who has one count has counters of its own."""
    return not process.counts and any(source in state.lost for source in UNCOUNTED)


def mappings_are_missing(state: State) -> bool:
    """Whether a process may have mapped a library that is not known."""
    return any(source in state.lost for source in _UNMAPPED)


def look_ups_are_missing(state: State) -> bool:
    """Whether a look-up may have been made that is not known."""
    return _LOOKUPS in state.lost
