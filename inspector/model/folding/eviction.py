"""What is dropped so that memory stays bounded: processes that ended long ago, plain ones first, with all of theirs.

A person looks at hundreds of processes, not at the 360,000 that an hour of a busy tree brings. Kept are the first
process, the living, the parents of all that are kept, the first dead ones of which something telling is known, and the
newest of all.
"""

from inspector.model.state import Process, State

MOST_DEAD = 1_000
"""Ended processes that are kept."""
_SLACK = 100
"""So many more may gather: letting go looks at all of them."""
_FIRST_TELLING = 100
"""Of those that tell something, the first ones stay: what went wrong at the start explains the rest."""


def forget_dead(state: State) -> None:
    """Drop the oldest ended processes when there are too many; `state.processes_dropped` counts them."""
    state.dead += 1
    if state.dead <= MOST_DEAD + _SLACK:
        return
    dead = [process for process in state.processes[1:] if process.ended]
    telling = [process for process in dead if _tells(process)]
    kept = {id(process) for process in telling[:_FIRST_TELLING]}
    room = MOST_DEAD - len(kept)
    newest = [process for process in telling if id(process) not in kept][-room // 2 :]
    kept.update(map(id, newest))
    rest = [process for process in dead if id(process) not in kept]
    _drop(state, rest[: max(0, len(rest) - (MOST_DEAD - len(kept)))])
    state.dead = sum(1 for process in state.processes if process.ended)


def _tells(process: Process) -> bool:
    """Something of it could be evidence: calls, refusals, a signal, a bad end."""
    end = process.end
    failed = end is not None and bool(end.signal or end.code)
    refused = any(lookup.found is False for lookup in process.lookups)
    return bool(failed or refused or process.counts or process.refusals or process.signals or process.refused_calls)


def _drop(state: State, gone: list[Process]) -> None:
    """The parent of one that stays stays: a child that executed nothing is its parent's program."""
    dropped = {id(process) for process in gone}
    dropped -= {id(process.parent) for process in state.processes if id(process) not in dropped}
    gone = [process for process in gone if id(process) in dropped]
    state.processes_dropped += len(gone)
    state.processes = [process for process in state.processes if id(process) not in dropped]
    for process in gone:
        if state.current.get(process.pid) is process:
            del state.current[process.pid]
        process.parent = process.previous = None
    for process in state.processes:
        if process.previous is not None and id(process.previous) in dropped:
            process.previous = None
        if process.parent is not None and id(process.parent) in dropped:
            process.parent = None
    for file, waiting in list(state.unexplained.items()):
        left = [pair for pair in waiting if id(pair[0]) not in dropped]
        if left:
            state.unexplained[file] = left
        else:
            del state.unexplained[file]
