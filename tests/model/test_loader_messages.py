"""What the loader refused before we attached, by what is left of its sentences in memory."""

from inspector.model.attempts import Attempt
from inspector.model.diagnosis import diagnose
from inspector.stream.libraries import LoaderWordsFound

from .analysis.asking import analysis
from .build import SECOND, Story

GONE = "libcuda.so.1: cannot open shared object file: No such file or directory"


def remembered(story: Story, *words: str) -> list[Attempt]:
    story.tell(LoaderWordsFound(at=story.later(), pid=812, words=list(words)))
    return [one for one in analysis(story.state).attempts[story.state.processes[0]] if one.refused]


def late() -> Story:
    story = Story(attach=True)
    story.process(812, age=9 * SECOND)
    return story


def test_a_library_of_an_api_was_refused_before_we_came() -> None:
    (attempt,) = remembered(late(), GONE, "libicu.so.7: cannot open shared object file: No such file or directory")
    assert (attempt.kind, attempt.what, attempt.family, attempt.source) == ("load", "libcuda.so.1", "cuda", "memory")


def test_what_is_mapped_by_now_under_any_name_was_found_after_all() -> None:
    story = late()
    story.map(812, "/opt/x/libcuda.so.535.54")
    assert remembered(story, GONE) == []


def test_who_did_not_ask_why_and_has_another_library_of_the_family_did_without_it() -> None:
    words = "libcudnn.so.9: cannot open shared object file"
    (attempt,) = remembered(late(), words)
    assert attempt.family == "cuda"
    story = late()
    story.map(812, "/opt/x/libcuda.so.1")
    assert remembered(story, words) == []


def test_it_is_the_likely_cause_where_nothing_else_is_known() -> None:
    story = late()
    remembered(story, GONE)
    story.log("no GPU found, using CPU", backlog=True)
    answer = diagnose(story.state, story.state.profiles)
    assert answer.mode.verdict == "cpu"
    assert "libcuda.so.1" in answer.findings[0].title
    assert answer.findings[0].confidence != "proven"


def test_of_a_program_that_was_seen_from_its_first_instruction_its_look_ups_tell_and_not_its_memory() -> None:
    story = Story()
    story.process(812)
    assert remembered(story, GONE) == []


def late_driver(*exports: str, path: str = "/opt/shim/libcuda.so.1") -> Story:
    story = late()
    story.driver(812, path, exports=exports, watch=False)
    return story


def test_words_about_a_library_that_is_mapped_tell_of_a_look_up_even_where_their_beginning_is_gone() -> None:
    story = late_driver("cuDeviceGetCount")
    (attempt,) = remembered(story, "cuda.so.1: undefined symbol: cuInit")
    assert (attempt.kind, attempt.what, attempt.provider) == ("lookup", "cuInit", "/opt/shim/libcuda.so.1")
    answer = diagnose(story.state, story.state.profiles)
    assert (answer.mode.verdict, answer.findings[0].rule) == ("cpu", "lookup-failed")
    assert answer.ladders[0].first_broken == "exported"


def test_a_name_that_another_mapped_file_offers_was_perhaps_found_there() -> None:
    story = late_driver("cuDeviceGetCount")
    story.driver(812, "/opt/other/libcuda.so.1", watch=False)
    assert remembered(story, "/opt/shim/libcuda.so.1: undefined symbol: cuInit") == []


def test_the_programs_own_words_of_a_name_that_a_mapped_library_lacks_are_a_look_up() -> None:
    story = late_driver("cuDeviceGetCount")
    story.log("no GPU: /opt/shim/libcuda.so.1: undefined symbol: cuInit", backlog=True)
    answer = diagnose(story.state, story.state.profiles)
    assert (answer.mode.verdict, answer.findings[0].rule) == ("cpu", "lookup-failed")
    assert "/opt/shim/libcuda.so.1 does not have it" in answer.findings[0].title


def test_a_driver_without_a_beginning_is_told_where_nobody_saw_who_asked() -> None:
    answer = diagnose((story := late_driver("cuDeviceGetCount")).state, story.state.profiles)
    assert (answer.mode.verdict, answer.mode.confidence) == ("cpu", "likely")
    assert "cuInit, without which nothing can start" in answer.findings[0].title


def test_a_driver_that_hands_its_functions_out_by_itself_needs_to_export_none() -> None:
    assert diagnose((story := late_driver("cuGetProcAddress_v2")).state, story.state.profiles).mode.verdict != "cpu"
