"""Rules about calls: none, or only by the library itself."""

from inspector.model.diagnosis import diagnose
from inspector.report.builder import report
from inspector.report.phrases import fate
from inspector.report.rows import limits
from inspector.stream.calls import CallCount, CallsCounted
from inspector.stream.libraries import NeverExecuted, Slot, SlotsRead
from inspector.stream.processes import ProcessStarted, Vitals

from ..asking import BACKEND, CPU, SHIM, answer, findings, found, healthy, rules, rung
from ..build import DRIVER, MS, SECOND, Story


def _idle(*, age: int = 0) -> Story:
    story = Story()
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.process(812, age=age)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.later(2 * SECOND)
    story.log(CPU)
    return story


def test_a_consumer_that_never_called_is_told_with_its_coverage() -> None:
    finding = answer(_idle())
    assert (finding.rule, finding.confidence) == ("not-called", "likely")
    assert "0 calls" in finding.title and finding.doubt
    assert "counted since it started" in finding.evidence[0].text
    assert rung(_idle(), "called").state == "no"


def test_a_consumer_that_ended_without_a_call_is_proven() -> None:
    story = _idle()
    story.end(812)
    assert answer(story).confidence == "proven"


def test_functions_that_no_profile_lists_may_be_counted_late_without_a_doubt_about_the_others() -> None:
    story = _idle()
    story.watch("/opt/shim/libcuda.so.1", ["cuProfilerStop"], listed=False)
    story.end(812)
    assert (answer(story).rule, answer(story).confidence) == ("not-called", "proven")
    late = [row for row in limits(story.state) if "before counting began" in row.what]
    assert [row.what for row in late] == [
        "calls of functions that no profile lists of libcuda.so.1 in PID 812 before counting began"
    ]


def test_zero_calls_of_a_process_met_late_are_unknown_and_nobody_is_blamed() -> None:
    story = _idle(age=3600 * SECOND)
    assert "not-called" not in rules(story)
    called = rung(story, "called")
    assert called.state == "unknown" and "60 min after it started" in called.detail


def test_a_count_that_began_late_is_a_guess_with_what_is_missing() -> None:
    story = Story()
    story.process(812)
    story.later(SECOND // 5)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.later(2 * SECOND)
    story.log(CPU)
    finding = answer(story)
    assert (finding.rule, finding.severity, finding.confidence) == ("not-called", "warning", "guess")
    assert finding.title.startswith("no call of cuda-driver was seen in PID 812")
    assert "counting of libcuda.so.1 began" in finding.doubt


def test_lazy_slots_that_were_never_bound_prove_the_time_before() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[Slot(name="cuInit", bound_to=None)]))
    story.later(2 * SECOND)
    story.log(CPU)
    assert (answer(story).rule, answer(story).severity) == ("not-called", "warning")
    assert rung(story, "resolved").detail == "its slots were read: none is bound yet"
    assert answer(story).cause.startswith("Library and names are in order.")
    story.tell(
        SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[Slot(name="cuInit", bound_to="/x", lazy=False)])
    )
    assert answer(story).confidence != "proven"


def test_unbound_slots_prove_nothing_where_the_loader_binds_none() -> None:
    story = Story()
    story.process(812, environment={"LD_BIND_NOT": "1"})
    story.driver(812)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[Slot(name="cuInit", bound_to=None)]))
    story.later(2 * SECOND)
    story.log(CPU)
    assert rung(story, "called").state == "unknown"


def _picture(story: Story, at: int, caveat: str = "") -> None:
    """Nothing of the driver was executed until then."""
    path = "/opt/shim/libcuda.so.1"
    story.tell(
        NeverExecuted(
            at=at,
            pid=812,
            path=path,
            file=story.file(path),
            base=0,
            since=0,
            functions=DRIVER,
            proven=14,
            total=14,
            caveat=caveat,
        )
    )


def test_pages_never_executed_prove_the_time_before() -> None:
    story = _idle(age=3600 * SECOND)
    _picture(story, at=min(story.state.watched_since.values()))
    assert answer(story).rule == "not-called"
    assert rung(story, "called").state == "no"
    assert (answer(story).severity, answer(story).confidence) == ("warning", "likely")
    story.end(812)
    assert (answer(story).severity, answer(story).confidence) == ("warning", "likely")


def test_pages_that_may_have_been_dropped_leave_it_unknown_with_the_reason() -> None:
    story = _idle(age=3600 * SECOND)
    _picture(story, at=min(story.state.watched_since.values()), caveat="pages were dropped (madvise)")
    assert "not-called" not in rules(story)
    called = rung(story, "called")
    assert called.state == "unknown"
    assert "60 min after it started" in called.detail and "pages were dropped (madvise)" in called.detail


def test_a_gap_between_the_picture_and_the_first_probe_is_said_and_leaves_a_doubt() -> None:
    story = _idle(age=3600 * SECOND)
    _picture(story, at=min(story.state.watched_since.values()) - 40 * MS)
    story.end(812)
    assert (answer(story).rule, answer(story).confidence) == ("not-called", "likely")
    assert "until 40 ms before that its pages were never executed" in answer(story).evidence[0].text


def test_a_picture_does_not_cover_the_first_moments_of_a_library_that_came_before_its_probes() -> None:
    story = Story()
    story.process(812)
    story.driver(812, watch=False)
    _picture(story, at=story.later())
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.later(2 * SECOND)
    story.log(CPU)
    story.end(812)
    assert rung(story, "called").state == "unknown"
    assert "not-called" not in rules(story)


def test_calls_seen_by_late_probes_are_a_lower_bound() -> None:
    story = Story()
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    story.later(40 * MS)
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.call(812, "cuInit", by=BACKEND)
    detail = rung(story, "called").detail
    assert detail.startswith("at least 1 call") and "counting of libcuda.so.1 began" in detail


def test_a_library_that_is_not_counted_is_unknown_with_the_reason() -> None:
    story = Story(can=())
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    assert rung(story, "called").state == "unknown"
    assert "not counted" in rung(story, "called").detail


def test_calls_of_a_consumer_are_not_called_none() -> None:
    assert rules(healthy()) == ["gpu-in-use"]
    assert rung(healthy(), "called").state == "yes"


def test_the_constructors_own_calls_are_told_apart() -> None:
    story = Story()
    story.watch(SHIM, DRIVER)
    story.process(812, ("/bin/sleep", "60"), environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", watch=False)
    story.call(812, "cuInit", by=SHIM, library=SHIM, constructor=True)
    story.call(812, "cuDeviceGetCount", by=SHIM, library=SHIM, constructor=True, count=3)
    finding = answer(story)
    assert finding.rule == "called-only-by-itself"
    assert (
        "4 calls (cuInit, cuDeviceGetCount) in PID 812 (sleep), all from inside libshim-a.so; 0 from a" in finding.title
    )
    assert "no-consumer" not in rules(story)
    assert rung(story, "called").detail.endswith("all from inside libshim-a.so; 0 from a consumer")


def test_a_runtime_shims_constructor_is_no_consumer_either() -> None:
    story = Story()
    story.watch(SHIM, DRIVER)
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload", watch=False)
    runtime = "/opt/vgpu/lib/libruntime-shim.so"
    story.image(runtime, soname="libcudart.so.12", exports=["cudaMalloc", "cudaGetDeviceCount"], imports=["cuInit"])
    story.map(812, runtime, "preload")
    story.call(812, "cuInit", by=runtime, library=SHIM, constructor=True)
    assert found(story, "called-only-by-itself").pid == 812


def test_a_constructors_call_that_is_handed_on_to_the_library_behind_is_no_consumer_either() -> None:
    story = Story()
    real = "/opt/real/libcuda.so.1"
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.driver(812, real)
    story.call(812, "cuInit", by=SHIM, library=real)
    story.call(812, "cuInit", by=SHIM, library=SHIM, constructor=True)
    assert found(story, "called-only-by-itself").pid == 812


def test_a_consumers_call_beside_the_constructors_is_what_counts() -> None:
    story = healthy()
    story.call(812, "cuInit", by="/opt/shim/libcuda.so.1", constructor=True)
    assert rules(story) == ["gpu-in-use"]


def test_the_server_whose_children_do_the_work_is_information_only() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.call(812, "cuInit", by=SHIM, library=SHIM)
    story.tell(ProcessStarted(at=story.later(), pid=850, ppid=812, started=story.now, origin="fork"))
    story.execute(850, ("/opt/app/server", "runner"), environment={"LD_PRELOAD": SHIM})
    story.look_up(
        850,
        "dlopen",
        BACKEND,
        False,
        error="libcublasLt.so.12: cannot open shared object file: No such file or directory",
    )
    story.end(850)
    assert rules(story)[0] == "dependency-missing"
    assert found(story, "called-only-by-itself").severity == "info"


def test_lines_of_a_shim_that_was_not_counted_in_time_still_tell_who_called() -> None:
    story = Story()
    story.process(812, ("/bin/sleep", "60"), environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.later(2 * SECOND)
    story.log("[libvgpu-cuda] cuInit() CALLED (pid=812, flags=0)", "[libvgpu-cuda] cuInit() SUCCESS: rc=0 (pid=812)")
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("called-only-by-itself", "likely")
    assert "the log of libshim-a.so tells of 1 call (cuInit)" in finding.title
    assert "no-consumer" not in rules(story)


def test_lines_of_a_shim_in_a_process_where_a_script_may_call_prove_nothing_about_who_called() -> None:
    story = Story()
    story.process(812, ("/usr/bin/python3",), age=5 * SECOND)
    story.driver(812, SHIM)
    story.image("/lib/libffi.so.8", soname="libffi.so.8")
    story.map(812, "/lib/libffi.so.8")
    story.log("[libvgpu-cuda] cuInit() SUCCESS: rc=0 (pid=812)")
    assert rules(story) == []


def test_lines_of_a_shim_beside_a_consumer_prove_nothing_about_who_called() -> None:
    story = healthy()
    story.log("[libvgpu-cuda] cuInit() CALLED (pid=812, flags=0)")
    assert rules(story) == ["gpu-in-use"]


def test_calls_whose_results_were_not_seen_are_not_said_to_have_succeeded() -> None:
    story = Story(can=())
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    number = next(iter(story.state.functions))
    story.tell(CallsCounted(at=story.later(), counts=[CallCount(pid=812, function=number, count=3, first=1, last=2)]))
    assert rung(story, "called").detail.startswith("at least 3 calls, caller unknown; counting of libcuda.so.1")
    assert answer(story).rule == "cause-not-seen" and diagnose(story.state).mode.verdict == "undecided"


def test_a_loader_that_is_only_linked_in_and_not_called_is_no_error() -> None:
    story = Story()
    story.watch("/usr/lib/libvulkan.so.1", ["vkCreateInstance"])
    story.process(812)
    story.driver(812, "/usr/lib/libvulkan.so.1", "needed", soname="libvulkan.so.1", exports=["vkCreateInstance"],
                 watch=False)  # fmt: skip
    story.consumer(812, BACKEND, imports=["vkCreateInstance"])
    story.later(2 * SECOND)
    story.end(812)
    assert {one.severity for one in findings(story) if one.rule == "not-called"} <= {"warning"}


def test_a_function_that_was_got_before_its_calls_were_counted_may_have_been_called() -> None:
    story = Story()
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND, imports=["dlsym"])
    story.look_up(812, "dlsym", "cuInit", by=BACKEND, answer="/opt/shim/libcuda.so.1")
    story.watch("/opt/shim/libcuda.so.1", DRIVER)
    story.later(60 * SECOND)
    story.end(812)
    assert "not-called" not in rules(story)
    assert rung(story, "called").detail == "cuInit was looked up 1 ms before its calls were counted"
    assert "cuInit was looked up 1 ms before its calls were counted" in answer(story).cause


def test_a_function_that_another_library_answers_in_place_of_the_api_is_not_said_to_be_uncalled() -> None:
    story = _idle()
    story.image("/opt/hook.so", exports=["dlsym"])
    story.map(812, "/opt/hook.so", "preload")
    story.look_up(812, "dlsym", "cuInit", by=BACKEND, answer="/opt/hook.so")
    story.later(60 * SECOND)
    story.end(812)
    assert "not-called" not in rules(story)
    assert rung(story, "called").detail == "cuInit was answered from hook.so, whose function is not counted"


def test_a_program_that_offers_the_api_itself_asks_for_it_all_the_same() -> None:
    story = Story()
    story.process(812)
    story.image("/opt/app/server", exports=["cuInit", "cuDeviceGetCount"])
    story.map(812, "/opt/app/server", "executable")
    story.look_up(812, "dlsym", "cuInit", by="/opt/app/server", answer="/opt/app/server")
    story.watch("/opt/app/server", ["cuInit", "cuDeviceGetCount"])
    story.end(812)
    assert answer(story).rule == "cause-not-seen"


def test_a_process_that_is_stopped_is_told_so() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.tell(Vitals(at=story.later(), pid=812, cpu=0.0, rss=4096, threads=1, state="T"))
    assert "is stopped, by a signal or a debugger" in answer(story).cause
    assert "kill -CONT 812" in answer(story).next_step and answer(story).command.endswith("/proc/812/status")
    assert [fate(one) for one in report(story.state, diagnose(story.state)).target.tree] == ["stopped"]
