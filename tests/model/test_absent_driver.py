"""Attached late to who tells an error about a GPU: that decides where no driver is mapped that could reach one."""

from inspector.model.diagnosis import diagnose
from inspector.model.verdict import Mode
from inspector.stream.processes import Descriptor, DescriptorsRead

from .asking import answer
from .build import Story

ERROR = "CUDA driver library cannot be found."


def mode(story: Story) -> Mode:
    return diagnose(story.state).mode


def _late(*, driver: bool, device: str = "", words: tuple[str, ...] = (ERROR,)) -> Story:
    story = Story(can=("process-births", "environment", "library-loads", "count-calls", "results", "lookups"))
    story.process(812, ("/opt/app/server",), age=10**10)
    held = [Descriptor(fd=2, target="/var/log/app.log", kind="file")]
    held += [Descriptor(fd=5, target=device, kind="device")] if device else []
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=held))
    story.consumer(812, "/opt/app/binding.so", imports=["cuInit"], route="dlopen")
    if driver:
        story.driver(812)
    for line in words:
        story.log(line, backlog=True)
    return story


def test_without_any_driver_it_is_on_the_cpu() -> None:
    story = _late(driver=False)
    assert (mode(story).verdict, mode(story).confidence) == ("cpu", "likely")
    assert ERROR in answer(story).title


def test_a_driver_that_is_mapped_or_a_device_that_is_held_leaves_it_open() -> None:
    assert mode(_late(driver=True)).verdict == "undecided"
    assert mode(_late(driver=False, device="/dev/nvidia0")).verdict != "cpu"


def test_who_could_not_begin_with_a_mapped_driver_is_on_the_cpu() -> None:
    story = _late(driver=True, words=("Failed to initialize the GPU engine: see above", "listening on port 8080"))
    assert (mode(story).verdict, mode(story).confidence) == ("cpu", "likely")


def test_a_line_that_speaks_of_a_gpu_behind_it_leaves_it_open() -> None:
    story = _late(driver=True, words=("Failed to initialize the GPU engine: see above", "GPU engine is up now"))
    assert mode(story).verdict != "cpu"


def test_a_device_that_is_held_leaves_it_open_whatever_was_said_before() -> None:
    story = _late(driver=True, device="/dev/nvidia0", words=("Failed to initialize the GPU engine: see above",))
    assert mode(story).verdict != "cpu"
