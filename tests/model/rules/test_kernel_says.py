"""What the kernel refused inside a call, told by what it means and not by its number alone."""

import pytest

from inspector.model.verdict import Finding
from inspector.stream.syscalls import SystemCallRefused

from ..asking import BACKEND, answer
from ..build import MS, Story


def _refused_inside_init(call: str, errno: int, subject: str = "", result: int = 304) -> Finding:
    """The answer about a program whose cuInit is refused just after the kernel refused something inside it."""
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    at = story.now + 2 * MS
    story.tell(SystemCallRefused(at=at, pid=812, tid=812, call=call, errno=errno, subject=subject))
    story.call(812, "cuInit", result, by=BACKEND, took=10 * MS)
    story.end()
    return answer(story)


def test_a_thread_that_may_not_be_born_is_told_by_the_limit_of_processes() -> None:
    finding = _refused_inside_init("clone3", 11)
    assert finding.rule == "limit-reached"
    assert "the limit of processes and threads" in finding.title
    assert "pids.max" in finding.next_step
    assert "== of" not in finding.next_step


def test_memory_that_may_not_be_executed_is_no_matter_of_a_file() -> None:
    finding = _refused_inside_init("mmap", 1)
    assert finding.rule == "not-permitted"
    assert "seccomp" in finding.cause
    assert "noexec" not in f"{finding.cause} {finding.next_step}"


def test_a_node_of_another_device_is_told_as_that() -> None:
    finding = _refused_inside_init("ioctl", 25, "/dev/nvidia-uvm", 999)
    assert finding.rule == "system-call-refused"
    assert "the number of another device" in finding.cause


@pytest.mark.parametrize(
    ("result", "step"),
    [(46, "compute mode"), (101, "numbered from 0"), (209, "code for this device"), (222, "newer driver"),
     (805, "CUDA_MPS_PIPE_DIRECTORY"), (804, "compatibility libcuda")],
)  # fmt: skip
def test_a_result_that_leaves_no_doubt_has_a_step_of_its_own(result: int, step: str) -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", result, by=BACKEND)
    story.end()
    finding = answer(story)
    assert finding.rule == "api-error"
    assert step in finding.next_step
