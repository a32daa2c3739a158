"""What the program computes on: work decides, not discovery, and coverage decides how sure it is."""

import pytest
from msgspec import structs

from inspector.model.diagnosis import diagnose
from inspector.stream.calls import CallCount, CallerCount, CallersCounted, CallsCounted
from inspector.stream.processes import ProcessEnded, Vitals
from inspector.stream.session import Capability, CollectorWaits, EventsLost

from ..asking import BACKEND, CPU, CUDA, answer, findings, working
from ..build import MS, NVML, SECOND, Story
from .asking import decision

MODEL = ("/opt/ollama", "runner", "--model", "/blobs/sha256-1", "--port", "1")
CHANNELS = (
    "process-births", "environment", "library-loads", "lookups", "count-calls", "results", "open-files",
)  # fmt: skip


def _found() -> Story:
    """A server that found a device."""
    story = Story(can=CHANNELS)
    story.process(812, ("/opt/ollama", "serve"))
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    return story


def test_a_device_that_was_found_is_ready_and_not_in_use() -> None:
    made = decision(_found().state)
    assert (made.verdict, made.confidence, made.reason) == ("cuda", "likely", "ready")
    assert "has not been used yet" in answer(_found()).title


def test_seconds_of_cpu_time_after_discovery_turn_ready_into_found_and_not_used() -> None:
    story = _found()
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "found-not-used")
    assert "of CPU time were spent and it got no work" in answer(story).title


def test_a_count_whose_result_was_not_read_finds_no_device() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/opt/ollama", "serve"))
    story.driver(812)
    story.consumer(812, BACKEND)
    number = story._functions["/opt/shim/libcuda.so.1", "cuDeviceGetCount"]
    story.state.functions[number] = structs.replace(story.state.functions[number], callers=True)
    at = story.later()
    story.tell(CallsCounted(at=at, counts=[CallCount(pid=812, function=number, count=1, first=at, last=at)]))
    story.tell(CallersCounted(at=at, counts=[
        CallerCount(pid=812, function=number, caller=BACKEND, count=1, first=at, last=at)
    ]))  # fmt: skip
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    assert decision(story.state).reason != "found-not-used"
    assert "a device was found" not in answer(story).title


def test_devices_that_only_nvml_counted_and_seconds_of_cpu_after_it_are_found_and_not_used() -> None:
    story = Story()
    story.process(812)
    path = "/usr/lib/libnvidia-ml.so.1"
    story.driver(812, path, soname="libnvidia-ml.so.1", exports=NVML)
    story.call(812, "nvmlInit_v2", by="/opt/app/server", library=path)
    story.call(812, "nvmlDeviceGetCount_v2", by="/opt/app/server", library=path, values={"count": 1})
    assert decision(story.state).reason != "found-not-used"
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "found-not-used")


def test_a_runner_that_loads_no_backend_is_on_the_cpu_whatever_discovery_found() -> None:
    story = _found()
    story.process(850, MODEL, parent=812)
    story.log(CUDA, "NAME  PROCESSOR", "tiny  100% GPU")
    made = decision(story.state)
    assert (made.verdict, made.reason) == ("cpu", "given-nothing")
    finding = answer(story)
    assert (
        finding.rule == "no-work-given"
        and "neither loaded nor asked for a GPU library" in finding.title
        and finding.pid == 850
    )


def test_layers_that_were_not_given_decide_against_discovery_with_the_option_named() -> None:
    story = _found()
    story.process(850, (*MODEL, "-ngl", "0"), parent=812)
    story.driver(850, watch=False)
    story.consumer(850, BACKEND)
    story.log(CUDA, "load_tensors: offloaded 0/29 layers to GPU")
    made = decision(story.state)
    assert (made.verdict, made.confidence) == ("cpu", "proven")
    assert [setting.text for setting in made.settings] == ["-ngl 0"]


def test_nobody_asked_is_proven_only_when_all_ended_and_all_channels_were_open() -> None:
    def told(can: tuple[str, ...], *, ended: bool = True, static: bool = False) -> tuple[str, str]:
        story = Story(can=can)
        closed = [Capability(name=name, state="no", how="") for name in CHANNELS if name not in can]
        session = story.state.session
        assert session is not None
        session.capabilities.extend(closed)
        story.process(812, ("/usr/bin/python3", "-c", "print(1)"), static=static)
        if ended:
            story.end(812)
        made = decision(story.state)
        return made.verdict, made.confidence

    assert told(CHANNELS) == ("cpu", "proven")
    assert told(CHANNELS, ended=False) == ("cpu", "likely")
    assert told(CHANNELS, static=True) == ("cpu", "likely")
    told_by_files = ("lookups", "count-calls", "results")
    for channel in CHANNELS:
        expected = ("cpu", "likely") if channel in told_by_files else ("undecided", "guess")
        assert told(tuple(one for one in CHANNELS if one != channel)) == expected, channel


def test_nobody_asked_is_not_said_where_the_collector_was_stuck_or_lost_records_beside_a_mapped_driver() -> None:
    def told(*, stuck: bool = False, lost: bool = False, mapped: bool = False) -> str:
        story = Story(can=CHANNELS)
        story.process(812, ("/usr/bin/python3", "-c", "print(1)"))
        if mapped:
            story.driver(812)
        if stuck:
            story.tell(CollectorWaits(at=story.later(), doing="asking the kernel (bpf)"))
        if lost:
            story.tell(EventsLost(at=story.later(), source="perf", count=7))
        return decision(story.state).verdict

    assert told(lost=True) == "cpu"
    assert told(stuck=True) == "undecided"
    assert told(lost=True, mapped=True) == "undecided"


def test_attached_late_with_nothing_to_go_by_says_what_is_missing_and_how_to_see_the_next_start() -> None:
    story = Story()
    story.process(812, ("/opt/app/server",), age=60 * SECOND)
    finding = findings(story)[0]
    assert (finding.rule, finding.severity) == ("cause-not-seen", "info")
    assert "started before we attached" in finding.cause and finding.command == "inspector --wait server"


def test_attached_late_the_programs_own_words_give_the_cause_as_likely() -> None:
    story = Story()
    story.process(812, ("/opt/app/server",), age=60 * SECOND)
    story.log("libcuda.so.1: cannot open shared object file: No such file or directory", "using CPU", backlog=True)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("lookup-failed", "likely")
    assert decision(story.state).verdict == "cpu"


def test_a_stop_is_likely_while_the_process_lives_and_proven_when_it_ended() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "likely")
    story.tell(ProcessEnded(at=story.later(), pid=812, code=1))
    assert decision(story.state).confidence == "proven"


def test_a_gpu_that_a_child_uses_is_the_mode_of_the_tree() -> None:
    story = _found()
    story.process(850, MODEL, parent=812)
    story.driver(850, watch=False)
    story.consumer(850, BACKEND)
    story.call(850, "cuMemAlloc_v2", by=BACKEND, values={"pointer": 0x7F30_0000_0000})
    story.call(850, "cuLaunchKernel", by=BACKEND, count=12)
    made = decision(story.state)
    assert (made.verdict, made.reason, made.process is not None and made.process.pid) == ("cuda", "works", 850)


def test_success_without_a_device_behind_it_is_only_likely() -> None:
    story = _found()
    story.call(812, "cuLaunchKernel", by=BACKEND)
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cuda", "likely")


def test_a_program_that_ended_by_its_own_error_is_told_so() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "x.py"))
    story.log(
        "Traceback (most recent call last):", '  File "x.py", line 2', "ModuleNotFoundError: No module named 'nope'"
    )
    story.end(812, code=1)
    finding = answer(story)
    assert finding.rule == "ended-by-own-error" and "No module named 'nope'" in finding.title


def test_what_files_foretell_is_no_cause_where_the_program_was_seen_not_to_ask() -> None:
    from inspector.stream.libraries import LoadPredicted

    story = _found()
    story.tell(
        LoadPredicted(at=story.later(), pid=812, name="/x/libggml-cuda.so", ok=False, words="libcudart.so.12: x")
    )
    story.log(CPU)
    assert decision(story.state).reason != "foretold"


def _launches_without_results() -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    number = story._functions["/opt/shim/libcuda.so.1", "cuLaunchKernel"]
    story.state.functions[number] = structs.replace(story.state.functions[number], callers=True)
    at = story.later()
    launches = CallCount(pid=812, function=number, count=16_218, first=at, last=at)
    story.tell(CallsCounted(at=at, counts=[launches]))
    by = CallerCount(pid=812, function=number, caller=BACKEND, count=16_218, first=at, last=at)
    story.tell(CallersCounted(at=at, counts=[by]))
    return story


def test_launches_that_are_counted_without_results_are_work_but_no_proof() -> None:
    story = _launches_without_results()
    found = decision(story.state)
    assert (found.verdict, found.confidence, found.reason) == ("cuda", "likely", "works")
    assert "answered 0" not in answer(story).title


def test_launches_whose_results_were_not_read_do_not_stand_against_the_programs_own_word() -> None:
    story = _launches_without_results()
    story.log("load_tensors: offloaded 0/17 layers to GPU")
    assert decision(story.state).verdict == "cpu"


def test_a_librarys_path_is_no_device_however_many_dots_it_has() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    shim = story.driver(812, "/tmp/tmp.x.y/real/libcuda.so.580.95.05")
    story.consumer(812, BACKEND)
    working(story, library=shim)
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cuda", "likely")


def test_a_driver_whose_functions_were_only_looked_up_changes_nothing_of_that() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    path = "/usr/lib/libnvidia-ml.so.1"
    story.driver(812)
    story.driver(812, path, soname="libnvidia-ml.so.1", exports=NVML)
    story.look_up(812, "dlsym", "cuInit", by="/opt/app/server")
    story.call(812, "nvmlInit_v2", by="/opt/app/server", library=path)
    story.call(812, "nvmlDeviceGetCount_v2", by="/opt/app/server", library=path, values={"count": 1})
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "found-not-used")


def _asks_nvml(devices: int, *, late: int = 0) -> Story:
    """CUDA comes with a library and is never begun with, NVML is asked for devices, and seconds are computed."""
    story = Story(can=CHANNELS)
    story.process(812)
    story.later(late)
    path = "/usr/lib/libnvidia-ml.so.1"
    story.driver(812)
    story.driver(812, path, soname="libnvidia-ml.so.1", exports=NVML)
    story.look_up(812, "dlsym", "cuInit", by="/opt/app/server")
    story.call(812, "nvmlInit_v2", by="/opt/app/server", library=path)
    story.call(812, "nvmlDeviceGetCount_v2", by="/opt/app/server", library=path, values={"count": devices})
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    return story


@pytest.mark.parametrize("late", [0, MS])
def test_a_program_that_begins_with_no_api_when_the_management_counts_no_device_is_told_so(late: int) -> None:
    story = _asks_nvml(0, late=late)
    story.end()
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "stopped")
    assert answer(story).rule == "no-device-counted"


def test_a_library_whose_names_were_looked_up_and_never_called_while_seconds_were_computed() -> None:
    story = Story(can=CHANNELS)
    story.process(812)
    story.later(MS)
    story.driver(812)
    story.look_up(812, "dlsym", "cuInit", by="/opt/app/server")
    for _ in range(4):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=100.0, rss=1, threads=1))
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "nothing-called")


def test_memory_that_was_refused_ended_a_program_although_it_asked_for_the_free_memory_afterwards() -> None:
    story = _found()
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.log("oom")
    story.end(812, code=1)
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "likely", "stopped")  # by the order in time only
    assert "cuMemAlloc_v2 = 2" in answer(story).title


def _monitor(*, also: str = "") -> Story:
    story = Story(attach=True)
    story.process(812, age=9 * SECOND)
    story.image("/opt/libnvidia-ml.so.1", soname="libnvidia-ml.so.1", exports=NVML)
    story.map(812, "/opt/libnvidia-ml.so.1", "dlopen")
    if also:
        story.map(812, also, "dlopen")
    return story


def test_a_monitor_that_was_there_before_us_is_on_the_cpu_as_far_as_it_maps() -> None:
    answer = diagnose(_monitor().state)
    assert (answer.mode.verdict, answer.mode.confidence) == ("cpu", "likely")
    assert answer.findings[0].rule == "management-only"
    assert diagnose(_monitor(also="/usr/lib/libcuda.so.1").state).mode.verdict != "cpu"
