"""Attached late: a log that is younger than the program is all of this start, whatever its lines say of time."""

from inspector.model.log_claims import last_word, words_of
from inspector.model.log_runs import this_start
from inspector.stream.logs import LogFound

from .asking import answer
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


def test_nothing_of_a_file_that_nobody_wrote_to_since_the_program_began_is_of_this_start() -> None:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    old = WALL - 999 * SECOND
    found = LogFound(
        at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", born=old, modified=old + 99 * SECOND
    )
    story.tell(found)
    story.log("offloaded 33/33 layers to GPU", backlog=True)
    assert last_word(words_of(this_start(story.state), story.state.profiles)) is None
    story.log("no GPU found, using CPU")
    word = last_word(words_of(this_start(story.state), story.state.profiles))
    assert word is not None and word.saying == "cpu"


def _late(*lines: str) -> Story:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    story.driver(812)
    story.tell(LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", born=WALL - 99 * SECOND))
    for line in lines:
        story.log(line, backlog=True)
    return story


def test_who_says_that_memory_of_the_device_was_refused_and_goes_on_on_the_cpu_is_told_so() -> None:
    for lines in (
        ("not enough memory (2), falling back to the CPU",),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "now running on CPU"),
    ):
        found = answer(_late(*lines))
        assert (found.rule, found.confidence) == ("device-memory-missing", "likely") and lines[0] in found.title


def test_who_only_says_that_memory_was_refused_may_have_asked_for_less_and_gone_on() -> None:
    assert answer(_late("CUDA out of memory. Tried to allocate 2.00 GiB")).rule == "cause-not-seen"


def test_an_error_about_a_gpu_before_the_words_that_it_runs_on_the_cpu_is_told_as_what_the_program_says() -> None:
    found = answer(_late("failed: AttributeError('failed to load library cuda: try CUDA_PATH')", "running on CPU"))
    assert found.rule == "told-by-program" and "failed to load library cuda" in found.title
    assert found.confidence != "proven"


def _shared(born: int) -> Story:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    story.driver(812)
    found = LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 1", born=WALL - born, shared=True)
    story.tell(found)
    story.log("cuInit = 100 (CUDA_ERROR_NO_DEVICE)", backlog=True)
    return story


def test_lines_that_stood_in_the_log_of_a_whole_job_are_nobodys_word() -> None:
    story = _shared(999 * SECOND)
    assert answer(story).rule == "cause-not-seen"
    story.log("cuInit = 100 (CUDA_ERROR_NO_DEVICE)")
    assert answer(story).rule == "api-error"


def test_lines_of_a_shared_log_that_is_younger_than_the_program_are_its_own() -> None:
    assert answer(_shared(99 * SECOND)).rule == "api-error"
