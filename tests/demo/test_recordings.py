"""All cases again from the recordings that are packaged for machines without a compiler."""

import pytest

from inspector.demo.cases import CASES
from inspector.demo.record import RECORDINGS, sentences
from tests.recordings import answer_of, together

from .answers import faults

SMALL = 64 << 10
"""Bytes that the recording of one case may take in the package."""


@pytest.mark.parametrize("name", together(case.name for case in CASES))
def test_the_recording_of_a_case_leads_to_the_same_answer(name: str) -> None:
    case = next(one for one in CASES if one.name == name)
    assert faults(case, sentences()[name], answer_of(name)) == []


def test_recordings_are_small_and_there_is_none_without_a_case() -> None:
    files = {path.name: path.stat().st_size for path in RECORDINGS.glob("*.zst")}
    assert set(files) == {f"{case.name}.jsonl.zst" for case in CASES}
    assert [name for name, size in files.items() if size > SMALL] == []
