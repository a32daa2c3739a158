"""Silence about opens proves nothing for a process during whose life they were not told for a while."""

import pytest

from inspector.model.coverage import opens_told_throughout
from inspector.stream.session import OPENS_UNTOLD, LimitNoted
from inspector.stream.syscalls import SystemCallsWatched

from .build import MS, Story


def _change(story: Story, on: bool) -> None:
    story.tell(SystemCallsWatched(at=story.later(), on=on, means="tracepoint"))


@pytest.mark.parametrize(
    ("before", "during", "told"),
    [
        ([], [], True),
        ([True], [], True),
        ([True, False, True], [], True),
        ([True], [False], False),
        ([True, False], [True], False),
        ([True, False], [], False),
    ],
)
def test_a_pause_counts_when_it_overlaps_the_life_of_the_process(
    before: list[bool], during: list[bool], told: bool
) -> None:
    story = Story(can=("open-files",))
    for on in before:
        _change(story, on)
    story.process(812)
    for on in during:
        _change(story, on)
    story.later(10 * MS)
    story.end(812)
    _change(story, False)
    assert opens_told_throughout(story.state, story.state.current[812]) is told


def test_a_pause_counts_only_up_to_the_moment_that_is_asked_about() -> None:
    story = Story(can=("open-files",))
    _change(story, True)
    story.process(812)
    asked = story.later(10 * MS)
    story.later(10 * MS)
    _change(story, False)
    story.later(10 * MS)
    assert opens_told_throughout(story.state, story.state.current[812], asked)
    assert not opens_told_throughout(story.state, story.state.current[812])


@pytest.mark.parametrize(("pid", "told"), [(812, False), (None, False), (813, True)])
def test_a_process_that_asks_by_ways_that_are_not_watched_is_not_told_throughout(pid: int | None, told: bool) -> None:
    story = Story(can=("open-files",))
    story.process(812)
    story.tell(LimitNoted(at=story.later(), what=OPENS_UNTOLD, why="more than 16 processes have an io_uring", pid=pid))
    assert opens_told_throughout(story.state, story.state.current[812]) is told
