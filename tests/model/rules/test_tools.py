"""Tools of devices that a program needs, and that are not installed."""

from errno import ENOENT

import pytest

from inspector.stream.syscalls import SystemCallRefused

from ..asking import answer, found, rules
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


def _looked_for(path: str, *more: str) -> Story:
    story = Story()
    story.process(812, environment={"PATH": "/usr/bin:/bin"})
    for one in (path, *more):
        story.tell(SystemCallRefused(at=story.later(), pid=812, tid=812, call="execve", errno=ENOENT, subject=one))
    story.end(812, code=1)
    return story


def test_a_tool_that_is_looked_for_in_one_place_is_to_be_put_there() -> None:
    finding = found(_looked_for("/opt/rocm/bin/rocminfo"), "tool-missing")
    assert "runs /opt/rocm/bin/rocminfo" in finding.title and "does not look in PATH" in finding.next_step
    assert finding.command == "ls -ld /opt/rocm/bin/rocminfo"


def test_one_that_is_looked_for_in_path_is_to_be_installed() -> None:
    finding = found(_looked_for("/usr/bin/rocminfo", "/bin/rocminfo"), "tool-missing")
    assert finding.command == "command -v rocminfo"
