"""Whatever stream comes, an answer comes out of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply_all
from inspector.model.verdict import RUNGS
from inspector.stream.base import Event

from . import strategies


@pytest.mark.longer
@settings(max_examples=150, deadline=None)
@given(st.lists(strategies.events(), max_size=40))
def test_no_stream_of_events_makes_the_diagnosis_raise(events: list[Event]) -> None:
    answer = diagnose(apply_all(events))
    for ladder in answer.ladders:
        assert tuple(rung.rung for rung in ladder.rungs) == RUNGS
        assert all(rung.evidence for rung in ladder.rungs if rung.state == "no" and rung.rung == "mapped")
    for finding in answer.findings:
        assert finding.title and finding.cause
        assert finding.evidence
