"""Silence about look-ups proves nothing where the C library of a process was not watched from its beginning on."""

import pytest

from inspector.model.coverage import of_lookups
from inspector.model.diagnosis import diagnose
from inspector.stream.calls import FileOpened, LookupsStopped, LookupsWatched

from .build import MS, Story

_LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
_CAN = ("process-births", "environment", "library-loads", "lookups", "count-calls", "results", "open-files")


def _watch(story: Story, path: str) -> None:
    story.tell(LookupsWatched(at=story.later(), path=path, file=story.file(path), functions=["dlopen"]))


def _story(before: list[str], after: list[str]) -> Story:
    """A program whose C library is watched before or after it begins."""
    story = Story(can=_CAN)
    for path in before:
        _watch(story, path)
    story.process(812)
    story.image(_LIBC)
    story.map(812, _LIBC)
    story.later(MS)
    for path in after:
        _watch(story, path)
    return story


@pytest.mark.parametrize(
    ("before", "after", "complete"),
    [
        ([], [], True),  # a recording of before, which does not tell
        ([_LIBC], [], True),
        (["/lib/ld-musl-x86_64.so.1"], [], False),
        (["/lib/ld-musl-x86_64.so.1"], [_LIBC], False),
    ],
)
def test_look_ups_are_known_whole_when_the_c_library_was_watched_first(
    before: list[str], after: list[str], complete: bool
) -> None:
    story = _story(before, after)
    assert of_lookups(story.state, story.state.current[812]).complete is complete


def test_a_part_of_the_c_library_that_answers_nothing_may_be_met_at_any_time() -> None:
    story = _story([_LIBC], [])
    libdl = "/usr/lib/x86_64-linux-gnu/libdl.so.2"
    story.image(libdl)
    story.map(812, libdl)
    story.tell(LookupsWatched(at=story.later(MS), path=libdl, file=story.file(libdl)))
    assert of_lookups(story.state, story.state.current[812]).complete


def test_a_c_library_that_is_let_go_is_silent_from_then_on() -> None:
    story = _story([_LIBC], [])
    story.tell(LookupsStopped(at=story.later(), file=story.file(_LIBC), why="too many"))
    assert of_lookups(story.state, story.state.current[812]).words == "too many"


def test_a_driver_that_was_looked_for_in_vain_is_named_though_no_look_up_was_seen() -> None:
    story = _story(["/other/libc.so.6"], [_LIBC])
    for folder in ("/app/lib", "/usr/lib"):
        story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=f"{folder}/libcuda.so.1", errno=2))
    story.end()
    first = diagnose(story.state).findings[0]
    assert first.rule != "nobody-asked"
    assert "libcuda.so.1" in first.title


@pytest.mark.parametrize(("static", "complete"), [(False, False), (True, True)])
def test_a_program_whose_c_library_was_not_seen_may_have_asked_unless_it_needs_none(
    static: bool, complete: bool
) -> None:
    story = Story(can=_CAN)
    _watch(story, _LIBC)
    story.process(812, static=static)
    assert of_lookups(story.state, story.state.current[812]).complete is complete
