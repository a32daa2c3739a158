"""Answers about programs that had hardly begun, or that say why they went on without a device."""

from inspector.stream.processes import Vitals

from ..asking import BACKEND, answer
from ..build import SECOND, Story
from .asking import decision
from .test_decision import CHANNELS


def test_a_program_that_is_still_with_its_loader_has_asked_nobody_yet() -> None:
    story = Story(can=(*CHANNELS, "process-births", "environment", "open-files", "library-loads"))
    story.process(812)
    story.map(812, "/opt/app/server", route="executable")
    story.map(812, "/lib64/ld-linux-x86-64.so.2", route="interpreter")
    story.later(5 * SECOND)
    assert decision(story.state).reason != "nobody-asked"
    story.map(812, "/lib/libc.so.6")
    assert decision(story.state).reason == "nobody-asked"


def test_too_little_memory_in_the_words_of_the_program_is_why_it_left_the_device_aside() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    for function in ("cuInit", "cuDeviceGetCount", "cuMemGetInfo_v2"):
        story.call(812, function, by=BACKEND, values={"count": 1} if function == "cuDeviceGetCount" else None)
    story.log("not enough VRAM for the model, available 300 MiB")
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    first = answer(story)
    assert first.rule == "found-not-used"
    assert "not enough VRAM for the model" in first.cause
    assert "Nothing refused it" not in first.cause
    assert "ask for less" in first.next_step
