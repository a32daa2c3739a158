"""What is made good blames nothing: each kind of refusal by its own measure."""

from inspector.model.diagnosis import diagnose
from inspector.model.profiles import load
from inspector.model.stages import stage_of
from inspector.stream.calls import FileOpened
from inspector.stream.libraries import PreloadChecked
from inspector.stream.processes import SignalDelivered

from ..asking import BACKEND, SHIM, healthy, rules, working
from ..build import DRIVER, Story
from .asking import analysis, chain, decision, excused

ABSENT = "libcuda.so: cannot open shared object file: No such file or directory"


def _program() -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    return story


def test_a_load_is_made_good_by_another_version_of_the_name() -> None:
    story = _program()
    story.look_up(812, "dlopen", "libcuda.so", False, by="/opt/app/server", error=ABSENT)
    story.look_up(812, "dlopen", "libcuda.so.1", True, by="/opt/app/server", answer="/opt/shim/libcuda.so.1")
    assert "libcuda.so" in excused(story.state)


def test_a_probe_of_one_library_does_not_excuse_the_load_of_another_asker() -> None:
    story = _program()
    words = "libcublas.so.12: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "/x/libggml-cuda.so", False, by="/opt/app/loader.so", error=words)
    story.call(812, "cuInit", by="/opt/app/probe.so")
    assert "/x/libggml-cuda.so" not in excused(story.state)


def test_a_look_up_is_made_good_by_a_later_call_or_another_version() -> None:
    story = _program()
    story.look_up(812, "dlsym", "cuCtxCreate_v4", False, by=BACKEND, error="x")
    story.look_up(812, "dlsym", "cuCtxCreate_v2", True, by=BACKEND, answer="/opt/shim/libcuda.so.1")
    story.look_up(812, "dlsym", "cuRare", False, by=BACKEND, error="x")
    story.call(812, "cuInit", by=BACKEND)
    assert {"cuCtxCreate_v4", "cuRare"} <= set(excused(story.state))


def test_a_call_is_made_good_by_a_later_success_at_or_above_its_stage_and_by_no_load() -> None:
    story = _program()
    story.call(812, "cuDeviceGetCount", 999, by=BACKEND)
    story.look_up(812, "dlopen", "libcuda.so.1", True, by=BACKEND, answer="/opt/shim/libcuda.so.1")
    assert excused(story.state) == {}
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    assert "cuDeviceGetCount" in excused(story.state)


def _refused_and_counted(*later: str, library: str = "/opt/shim/libcuda.so.1") -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 999, by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1}, library=library)
    for function in later:
        story.call(812, function, by=BACKEND)
    return story


def test_a_driver_that_refused_to_initialise_and_counts_a_device_all_the_same_has_found_none() -> None:
    story = _refused_and_counted()
    made = decision(story.state)
    assert (made.verdict, made.reason) == ("cpu", "stopped")
    assert rules(story)[0] == "api-error" and "cuInit = 999" in diagnose(story.state).findings[0].title


def test_who_initialises_it_once_more_or_gets_memory_of_it_has_found_one() -> None:
    for later in ("cuInit", "cuMemAlloc_v2"):
        made = decision(_refused_and_counted(later, "cuDeviceGetCount").state)
        assert (made.verdict, made.reason) == ("cuda", "ready"), later


def test_work_makes_everything_before_it_good() -> None:
    story = _program()
    story.look_up(812, "dlopen", "libcudnn.so.9", False, by="/opt/app/server", error="libcudnn.so.9: cannot open")
    story.look_up(812, "dlsym", "cuInit_v9", False, by=BACKEND, error="x")
    working(story)
    state = story.state
    assert [one for one in analysis(state).attempts[state.processes[0]] if one.ok is False] == list(
        analysis(state).excused
    )
    assert rules(story) == ["gpu-in-use"]


def test_what_happened_inside_a_call_that_went_well_is_excused() -> None:
    story = _program()
    begin = story.now
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia9", errno=2))
    story.now = begin - 1_000_000
    story.call(812, "cuInit", by=BACKEND, took=9_000_000)
    assert "/dev/nvidia9" in excused(story.state)


def test_a_look_elsewhere_before_a_device_is_opened_is_not_why_the_call_failed() -> None:
    story = _program()
    begin = story.now
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/char/195:0", errno=2))
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia0", errno=0))
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia-uvm", errno=13))
    story.now = begin - 1_000_000
    story.call(812, "cuInit", 100, by=BACKEND, took=12_000_000)
    assert "/dev/char/195:0" in excused(story.state)
    assert chain(story.state) == ["cuInit", "/dev/nvidia-uvm"]


def test_what_a_compiler_registers_before_main_finds_no_device() -> None:
    assert stage_of(load(), "cuda-runtime", "__cudaRegisterFatBinary") is None


def test_a_handled_signal_is_no_death() -> None:
    story = _program()
    story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=11, fatal=False, library="/jvm.so"))
    story.later(20_000_000)
    story.call(812, "cuInit", 100, by=BACKEND)
    story.end(812, code=1)
    assert chain(story.state) == ["cuInit"]


def test_a_kill_from_outside_is_no_fault_of_the_program() -> None:
    story = healthy()
    story.end(812, signal=9)
    assert rules(story) == ["gpu-in-use"]


def test_a_sibling_of_the_same_shape_that_counts_a_device_excuses_the_one_that_died() -> None:
    story = Story()
    story.process(812)
    for pid, result in ((850, 100), (851, 0)):
        story.process(pid, ("/opt/app/server", "runner", "--port", str(pid)), parent=812)
        story.driver(pid, watch=pid == 850)
        story.consumer(pid, BACKEND)
        story.call(pid, "cuInit", result, by=BACKEND)
        if not result:
            story.call(pid, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
        story.end(pid)
    assert decision(story.state).verdict == "cuda"


def test_the_library_of_another_vendor_takes_nothing_back() -> None:
    story = _program()
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    words = "libamdhip64.so: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libamdhip64.so", False, by="/opt/app/server", error=words)
    assert (decision(story.state).verdict, decision(story.state).reason) == ("cuda", "ready")


def test_a_question_whether_a_library_is_loaded_is_no_refusal_even_if_the_program_prints_it() -> None:
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcudart.so.12", False, by="/opt/app/server", flags=4, error=ABSENT)
    story.log("libcudart.so.12: cannot open shared object file: No such file or directory")
    assert decision(story.state).reason == "nobody-asked"


def test_an_ignored_preload_is_no_fault_of_a_program_that_reached_the_device() -> None:
    story = healthy()
    entry = PreloadChecked(at=story.later(), pid=812, source="LD_PRELOAD", entry=SHIM, usable=False, problem="absent")
    story.tell(entry)
    working(story)
    assert rules(story)[0] == "gpu-in-use"


def _unlisted(code: int | None) -> Story:
    story = Story()
    story.process(812)
    story.driver(812, exports=[*DRIVER, "cuFooThing", "cuStreamIsCapturing"])
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.call(812, "cuFooThing", 1, by=BACKEND)
    story.call(812, "cuStreamIsCapturing", 801, by=BACKEND)
    if code is not None:
        story.end(812, code=code)
    return story


def test_a_function_that_no_profile_lists_blames_nothing_while_the_program_goes_on() -> None:
    answer = diagnose(_unlisted(None).state)
    assert answer.findings[0].rule == "gpu-ready"
    assert not [finding for finding in answer.findings if finding.severity == "error"]


def test_the_last_of_them_is_told_where_the_program_failed_after_it() -> None:
    answer = diagnose(_unlisted(1).state)
    assert answer.mode.verdict == "cpu"
    assert "cuStreamIsCapturing = 801" in answer.findings[0].title
    assert diagnose(_unlisted(0).state).findings[0].rule not in ("api-error", "ended-by-own-error")
