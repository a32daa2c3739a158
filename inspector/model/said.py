"""What the program itself says about this start: claims, told answers, last words, and who of the tree wrote them."""

from collections.abc import Iterator

from .program_words import CLAIMS, Kind
from .starts import Start
from .state import Process, Said, State


def of(start: Start, *kinds: Kind) -> Iterator[Said]:
    """What was said of these kinds, in order of time; lines whose time is not known come first."""
    return (said for said in start.said if said.words.kind in kinds)


def last_claim(start: Start, state: State | None = None, process: Process | None = None) -> Said | None:
    """The last word about what became of the GPU; with a process, the last one that it may have written."""
    claims = [said for said in start.said if said.words.kind in CLAIMS]
    if state is not None and process is not None:
        claims = [said for said in claims if may_have_written(state, process, said)]
    return claims[-1] if claims else None


def last_words(state: State, start: Start, process: Process) -> Said | None:
    """The error by which a process that ended said that it ends; None while it lives or when it said none.

    It must stand among what was written last: an error that was caught and logged has other lines after it.
    """
    if process.end is None or not (process.end.code or process.end.signal):
        return None
    endings = [said for said in of(start, "ended") if may_have_written(state, process, said)]
    return endings[-1] if endings and _stands_last(state, endings[-1]) else None


_LAST_LINES = 12
"""Lines that may follow the one that names the error: frames, hints, what the shell says of it."""


def _stands_last(state: State, said: Said) -> bool:
    return state.logs[said.source].lines_total - said.number <= _LAST_LINES


def writers(state: State, said: Said) -> list[int]:
    """Pids that may have written it: the one that the carrier names or that was seen to write this line, else all that
    hold the log; [] unknown.
    """
    if said.pid:
        return [said.pid]
    source = state.logs.get(said.source)
    if source is None or len(source.found.pids) < 2:
        return source.found.pids if source is not None else []
    text = said.words.text
    seen = [p.pid for p in state.processes if any(text in line for w in p.writes.values() for line in w.sample)]
    return sorted(set(seen)) or source.found.pids


def may_have_written(state: State, process: Process, said: Said) -> bool:
    """Whether it is this process's line as far as is known."""
    who = writers(state, said)
    return not who or process.pid in who
