"""All cases again from the recordings that are packaged for machines without a compiler."""

import pytest

from inspector.demo.case import Case
from inspector.demo.cases import CASES
from inspector.demo.record import RECORDINGS, recording_of, sentences
from inspector.model.diagnosis import diagnose
from inspector.model.fold import apply
from inspector.model.profiles import builtin_profiles
from inspector.model.state import State
from inspector.stream.recording import Recording

from .answers import faults

SMALL = 64 << 10
"""Bytes that the recording of one case may take in the package."""


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_recording_of_a_case_leads_to_the_same_answer(case: Case) -> None:
    recording = Recording(str(recording_of(case)))
    state = State(profiles=builtin_profiles())
    for event in recording:
        apply(state, event)
    assert recording.troubles == []
    assert faults(case, sentences()[case.name], diagnose(state)) == []


def test_recordings_are_small_and_there_is_none_without_a_case() -> None:
    files = {path.name: path.stat().st_size for path in RECORDINGS.glob("*.zst")}
    assert set(files) == {f"{case.name}.jsonl.zst" for case in CASES}
    assert [name for name, size in files.items() if size > SMALL] == []
