"""A name that a consumer asked for in vain as its last, just before its program said that it is on the CPU."""

from .asking import BACKEND, answer, rules
from .build import Story

PLACED = 'level=INFO msg="llm_load_tensors: offloaded 0/33 layers to GPU"'
SECOND = 10**9


def found_a_device() -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    return story


def test_it_is_the_cause_though_a_device_was_found() -> None:
    story = found_a_device()
    story.look_up(812, "dlsym", "cuMemPoolCreate", False, by=BACKEND)
    story.log(PLACED)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("lookup-failed", "likely")
    assert "cuMemPoolCreate" in finding.title
    assert "not-offloaded" not in rules(story)


def test_a_name_that_others_followed_is_not() -> None:
    story = found_a_device()
    story.look_up(812, "dlsym", "cuMemPoolCreate", False, by=BACKEND)
    story.look_up(812, "dlsym", "cuMemAlloc_v2", by=BACKEND)
    story.log(PLACED)
    assert answer(story).rule == "not-offloaded"


def test_nor_one_long_before_the_words_or_of_a_process_that_had_ended() -> None:
    for end in (False, True):
        story = found_a_device()
        story.process(900, ["/opt/app/runner"])
        story.look_up(812, "dlsym", "cuMemPoolCreate", False, by=BACKEND)
        if end:
            story.end(812)
        story.later(SECOND if end else 10 * SECOND)
        story.log(PLACED)
        assert answer(story).rule == "not-offloaded"


def test_nor_one_after_which_nobody_speaks_of_the_cpu() -> None:
    story = found_a_device()
    story.look_up(812, "dlsym", "cuMemPoolCreate", False, by=BACKEND)
    assert "lookup-failed" not in rules(story)
