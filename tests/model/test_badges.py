"""What a badge says of a program that computed nothing itself."""

import pytest

from inspector.model.verdict import in_place_of_cpu


@pytest.mark.parametrize(
    ("effect", "badge"),
    [
        ("on the CPU", ""),
        ("crashed before it used a GPU", "crashed"),
        ("ended before it used a GPU", "ended"),
        ("failed on the GPU (CUDA)", "failed"),
        ("another process does the work", "another process"),
    ],
)
def test_a_program_that_computed_nothing_is_not_said_to_be_on_the_cpu(effect: str, badge: str) -> None:
    assert in_place_of_cpu(effect) == badge
