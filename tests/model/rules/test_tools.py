"""Tools of devices that a program needs, and that are not installed."""

import pytest

from ..asking import answer, rules
from ..build import Story


def _ended(said: str) -> Story:
    story = Story()
    story.process(812)
    story.log(said)
    story.end(812, code=1)
    return story


@pytest.mark.parametrize(
    "said",
    [
        "Error: Couldn't find 'nvidia-smi' in $PATH: /usr/bin:/bin",
        "Error: sh: nvidia-smi: command not found",
        "FileNotFoundError: [Errno 2] No such file or directory: 'nvidia-smi'",
    ],
)
def test_a_tool_that_only_the_programs_error_names_is_told(said: str) -> None:
    finding = answer(_ended(said))
    assert (finding.rule, finding.confidence) == ("tool-missing", "likely")
    assert finding.next_step.startswith("install nvidia-smi")


def test_a_tool_that_ran_and_failed_is_not_missing() -> None:
    assert "tool-missing" not in rules(_ended("Error: nvidia-smi failed: no devices were found"))
    assert "tool-missing" not in rules(_ended("Error: could not run nvidia-smi-wrapper.py"))
