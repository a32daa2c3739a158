"""Attached late: a log that is younger than the program is all of this start, whatever its lines say of time."""

from inspector.model.log_claims import last_word, words_of
from inspector.model.log_runs import this_start
from inspector.stream.logs import LogFound

from .build import SECOND, WALL, Story


def test_lines_of_a_file_that_is_younger_than_the_program_are_of_this_start_beyond_doubt() -> None:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    story.tell(LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", born=WALL - 99 * SECOND))
    story.log("no GPU found, using CPU", backlog=True)
    start = this_start(story.state)
    word = last_word(words_of(start, story.state.profiles))
    assert word is not None and not word.doubtful


def test_lines_of_an_older_file_may_be_of_an_earlier_run() -> None:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    story.tell(LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", born=WALL - 999 * SECOND))
    story.log("no GPU found, using CPU", backlog=True)
    start = this_start(story.state)
    word = last_word(words_of(start, story.state.profiles))
    assert word is not None and word.doubtful
