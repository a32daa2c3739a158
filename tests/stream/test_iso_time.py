"""Moments as programs write them."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.iso_time import moment

NOON = datetime(2026, 1, 2, 12, 0, 0, 500_000, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T12:00:00.5Z",
        "2026-01-02T12:00:00.500Z",
        "2026-01-02 12:00:00,500000+00:00",
        "2026-01-02T14:00:00.500000123+02:00",
        "2026-01-02T14:00:00.5+0200",
    ],
)
def test_a_moment_is_read_however_a_program_writes_it(text: str) -> None:
    assert moment(text) == NOON


@given(st.text())
def test_what_names_no_moment_is_a_value_error(text: str) -> None:
    try:
        moment(text)
    except ValueError:
        pass
