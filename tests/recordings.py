"""All recordings, of the demo cases and of foreign programs: each is read and answered once for its tests."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.model.state import State
from inspector.model.verdict import Answer
from inspector.stream.base import Event
from inspector.stream.recording import Recording

_FOREIGN = Path(__file__).parent / "recorded" / "recordings"
OF_CASES = {case.name: recording_of(case) for case in CASES}
OF_PROGRAMS = {path.name.split(".")[0]: path for path in sorted(_FOREIGN.glob("*.zst"))}
ALL = OF_CASES | OF_PROGRAMS
_KEPT = 8
"""The tests of a recording come one after the other, and a state of a long run is large."""


def together(names: Iterable[str]) -> list[ParameterSet]:
    """Parameters whose tests one worker runs one after the other, whatever module they are in."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"recording {name}")) for name in names]


@lru_cache(_KEPT)
def events_of(name: str) -> tuple[Event, ...]:
    """All of a recording; it is read without trouble."""
    recording = Recording(str(ALL[name]))
    events = tuple(recording)
    assert recording.troubles == []
    return events


@lru_cache(_KEPT)
def state_of(name: str) -> State:
    """What a recording leads to; not to be changed."""
    return apply_all(events_of(name))


@lru_cache(_KEPT)
def answer_of(name: str) -> Answer:
    """What is said at the end of a recording."""
    return diagnose(state_of(name))
