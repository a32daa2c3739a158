"""Work on a device that a refusal ended: the program goes on without it, and the refusal is told as the cause."""

from msgspec import structs

from inspector.model.verdict import Finding
from inspector.stream.calls import CallCount, CallsCounted, CountingStopped, ResultsStopped
from inspector.stream.processes import ProcessEnded, Vitals

from ..asking import BACKEND, answer, findings, working
from ..build import SECOND, Story
from .asking import decision
from .test_decision import CHANNELS

DRIVER = "/opt/shim/libcuda.so.1"
MORE = ("cuInit", "cuDeviceGetCount", "cuMemAlloc_v2", "cuLaunchKernel", "cuMemcpyDtoH_v2")


def _refused_amid_work() -> Story:
    """312 launches, then memory is refused."""
    story = Story(can=CHANNELS)
    story.process(812)
    story.driver(812, exports=MORE)
    story.consumer(812, BACKEND)
    working(story)
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    return story


def _computes(story: Story, seconds: int = 4, pid: int = 812) -> None:
    for _ in range(seconds):
        story.tell(Vitals(at=story.later(SECOND), pid=pid, cpu=100.0, rss=1, threads=1))


def _blame(story: Story) -> list[Finding]:
    return [one for one in findings(story) if one.severity == "error"]


def test_only_the_processor_computes_after_memory_was_refused() -> None:
    story = _refused_amid_work()
    _computes(story)
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "stopped")
    first = answer(story)
    assert first.rule == "api-error"
    assert "cuMemAlloc_v2 = 2 (CUDA_ERROR_OUT_OF_MEMORY)" in first.title
    assert "in use until then: PID 812 (server): 312 launches" in first.cause


def test_it_is_proven_when_all_was_seen_to_the_end() -> None:
    story = _refused_amid_work()
    _computes(story)
    story.end()
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "proven")


def test_the_programs_own_word_after_the_refusal_takes_the_place_of_cpu_time() -> None:
    story = _refused_amid_work()
    story.log("not enough memory, falling back to the CPU")
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "proven")


def test_its_word_from_before_the_work_says_nothing_of_what_came_after() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    story.driver(812, exports=MORE)
    story.consumer(812, BACKEND)
    story.log("using the CPU for the tokens")
    working(story)
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    assert decision(story.state).verdict == "cuda"


def test_what_was_computed_is_fetched_from_a_device_that_is_given_up() -> None:
    story = _refused_amid_work()
    story.call(812, "cuMemcpyDtoH_v2", by=BACKEND)
    _computes(story)
    assert decision(story.state).verdict == "cpu"


def test_less_memory_that_is_granted_makes_it_good() -> None:
    story = _refused_amid_work()
    story.call(812, "cuMemAlloc_v2", by=BACKEND)
    _computes(story)
    assert decision(story.state).verdict == "cuda"
    assert not _blame(story)


def test_launches_after_it_make_it_good() -> None:
    story = _refused_amid_work()
    story.call(812, "cuLaunchKernel", by=BACKEND)
    _computes(story)
    assert decision(story.state).verdict == "cuda"
    assert not _blame(story)


def test_launches_whose_results_are_read_no_more_make_it_good() -> None:
    story = _refused_amid_work()
    number = story._functions[DRIVER, "cuLaunchKernel"]
    story.tell(ResultsStopped(at=story.later(), functions=[number], why="enough"))
    at = story.later()
    count = CallCount(pid=812, function=number, count=900, first=story.now - 2 * SECOND, last=at)
    story.tell(CallsCounted(at=at, counts=[count]))
    _computes(story)
    assert decision(story.state).verdict == "cuda"
    assert not _blame(story)


def test_launches_that_are_counted_no_more_are_not_taken_for_none() -> None:
    story = _refused_amid_work()
    number = story._functions[DRIVER, "cuLaunchKernel"]
    story.tell(CountingStopped(at=story.later(), functions=[number], why="too often"))
    _computes(story)
    assert decision(story.state).verdict == "cuda"
    assert not _blame(story)


def test_another_process_that_computes_on_the_device_after_it_is_the_work() -> None:
    story = _refused_amid_work()
    story.process(813, parent=812)
    story.driver(813, exports=MORE)
    story.consumer(813, BACKEND)
    working(story, 813)
    _computes(story)
    assert decision(story.state).verdict == "cuda"


def _worker_dies() -> Story:
    story = Story(can=CHANNELS)
    story.process(811)
    story.process(812, parent=811)
    story.driver(812, exports=MORE)
    story.consumer(812, BACKEND)
    working(story)
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    story.end(812, signal=6)
    return story


def test_a_parent_that_computes_by_itself_after_its_worker_died_over_it_is_on_the_cpu() -> None:
    story = _worker_dies()
    _computes(story, pid=811)
    assert decision(story.state).verdict == "cpu"
    assert "cuMemAlloc_v2 = 2" in answer(story).title


def test_a_worker_that_died_over_it_alone_says_nothing_of_what_follows() -> None:
    assert decision(_worker_dies().state).reason != "stopped"


def test_a_program_that_fails_over_it_ran_on_the_gpu_and_the_refusal_is_the_answer() -> None:
    story = _refused_amid_work()
    story.tell(ProcessEnded(at=story.later(), pid=812, code=1))
    assert decision(story.state).verdict == "cuda"
    assert (answer(story).rule, answer(story).severity) == ("api-error", "error")


def test_without_counted_calls_it_is_not_said() -> None:
    story = _refused_amid_work()
    session = story.state.session
    assert session is not None
    rows = [structs.replace(one, state="no") if one.name == "count-calls" else one for one in session.capabilities]
    story.state.session = structs.replace(session, capabilities=rows)
    _computes(story)
    assert decision(story.state).verdict == "cuda"
