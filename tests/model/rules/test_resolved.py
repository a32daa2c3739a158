"""Rules about look-ups: answered by whom, refused, bound elsewhere."""

from inspector.model.diagnosis import diagnose
from inspector.stream.libraries import Slot, SlotsRead
from inspector.stream.processes import Descriptor, DescriptorsRead

from ..asking import BACKEND, CPU, SHIM, answer, found, healthy, rules, rung, working
from ..build import DRIVER, Story

HOOK = "/opt/vgpu/lib/libhook.so"
ABSENT = "libcuda.so.1: cannot open shared object file: No such file or directory"


def _hooked(found_: bool, *, tried: bool) -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": f"{HOOK}:{SHIM}"})
    story.driver(812, SHIM, "preload")
    story.image(HOOK, exports=["dlopen", "dlsym"], overrides=["dlopen", "dlsym"])
    story.map(812, HOOK, "preload")
    files = [(BACKEND, 0)] if tried else []
    story.look_up(812, "dlopen", BACKEND, found_, by="/opt/app/server", answered_by=HOOK, tried=files)
    story.end(812)
    story.log(CPU)
    return story


def test_a_dlopen_that_a_hook_answers_with_null_is_the_answer() -> None:
    finding = answer(_hooked(False, tried=False))
    assert (finding.rule, finding.confidence) == ("dlopen-overridden", "proven")
    assert "dlopen(libbackend.so) in PID 812 (server) got NULL from libhook.so" in finding.title


def test_a_hook_that_passes_the_question_on_is_not_the_answer() -> None:
    assert "dlopen-overridden" not in rules(_hooked(True, tried=True))
    assert "dlopen-overridden" not in rules(_hooked(False, tried=True))


def _asking(name: str, *, found_: bool, calls: bool = False) -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.image("/app/libcudart.so.12", soname="libcudart.so.12", exports=["cudaMalloc", "cudaGetDeviceCount"])
    story.map(812, "/app/libcudart.so.12")
    story.look_up(812, "dlsym", name, found_, by="/app/libcudart.so.12", error="" if found_ else "undefined symbol")
    if calls:
        working(story, by="/app/libcudart.so.12")
    story.log(CPU)
    return story


def test_a_name_that_the_runtime_asks_for_and_does_not_get_is_the_answer() -> None:
    finding = answer(_asking("cuGetProcAddress_v2", found_=False))
    assert (finding.rule, finding.confidence) == ("lookup-failed", "proven")
    assert "libcudart.so.12 asked for cuGetProcAddress_v2" in finding.title


def _refused() -> Story:
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcuda.so", False, by="/opt/app/server", error=ABSENT)
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/opt/app/server", error=ABSENT)
    return story


def test_a_program_that_was_refused_the_driver_and_holds_no_device_is_likely_on_the_cpu() -> None:
    mode = diagnose(_refused().state).mode
    assert (mode.verdict, mode.confidence) == ("cpu", "likely")
    assert "server asked for libcuda.so:" in mode.evidence[0].text


def test_a_refusal_says_nothing_once_another_name_of_the_library_was_answered() -> None:
    story = _refused()
    story.look_up(812, "dlopen", "libcuda.so.1", True, by="/opt/app/server", answer=SHIM)
    assert diagnose(story.state).mode.verdict == "undecided"


def test_a_refusal_says_nothing_where_another_vendor_answers_or_a_device_is_open() -> None:
    story = _refused()
    story.look_up(812, "dlsym", "hipInit", True, by="/opt/app/server", answer="/opt/rocm/libamdhip64.so.6")
    assert diagnose(story.state).mode.verdict == "undecided"
    story = _refused()
    device = Descriptor(fd=9, target="/dev/dri/renderD128", kind="device", writable=True)
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[device]))
    assert diagnose(story.state).mode.verdict == "undecided"


def test_a_library_without_the_functions_that_decide_leaves_its_program_on_the_cpu() -> None:
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcuda.so.1", True, by="/opt/app/server", answer=SHIM)
    story.look_up(812, "dlsym", "cuInit", False, by="/opt/app/server", error="undefined symbol: cuInit")
    assert diagnose(story.state).mode.verdict == "cpu"


def test_an_optional_name_that_is_refused_is_no_fault() -> None:
    story = _asking("cuSomethingQuiteNew", found_=False)
    assert found(story, "lookup-failed").confidence == "likely"
    story.look_up(812, "dlsym", "cuInit", True, by="/app/libcudart.so.12", answer="/opt/shim/libcuda.so.1")
    assert "lookup-failed" not in rules(story)
    assert "lookup-failed" not in rules(_asking("cuDeviceGetCount", found_=False, calls=True))


def test_a_library_that_is_asked_for_and_not_found_is_told_with_the_search_path() -> None:
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcuda.so.1", False, by="/app/libcudart.so.12", error=ABSENT)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("lookup-failed", "proven")
    assert "libcudart.so.12 asked for libcuda.so.1 in PID 812" in finding.title
    assert "no LD_LIBRARY_PATH is set" in finding.cause
    assert rung(story, "resolved").state == "no"


def _two(result: int, *, call_other: bool = False) -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": "/opt/libtrace.so"})
    story.driver(812, "/opt/libtrace.so", "preload", soname=None)
    story.driver(812, SHIM, "needed")
    story.consumer(812, BACKEND, imports=DRIVER[:3])
    story.call(812, "cuInit", result, by=BACKEND, library="/opt/libtrace.so")
    if call_other:
        story.call(812, "cuInit", result, by="/opt/libtrace.so", library=SHIM)
    story.log(CPU)
    return story


def test_calls_that_go_to_another_library_of_the_same_names_are_bound_elsewhere() -> None:
    finding = answer(_two(100))
    assert finding.rule == "bound-elsewhere"
    assert f"bound to /opt/libtrace.so, not to {SHIM}" in finding.title


def test_a_library_that_was_opened_by_its_path_is_asked_alone() -> None:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.driver(812, "/opt/vendor/libcuda.so.1", "dlopen", asked="libcuda.so.1")
    story.look_up(812, "dlopen", "/opt/vendor/libcuda.so.1", by=BACKEND, answer="/opt/vendor/libcuda.so.1")
    story.look_up(812, "dlsym", "cuInit", by=BACKEND, answer="/opt/vendor/libcuda.so.1")
    story.call(812, "cuInit", 100, by=BACKEND, library="/opt/vendor/libcuda.so.1")
    finding = answer(story)
    assert finding.rule == "bound-elsewhere"
    assert "opened /opt/vendor/libcuda.so.1 by itself" in finding.cause
    assert finding.next_step.startswith(f"make the program open {SHIM} instead of /opt/vendor/libcuda.so.1")
    assert "dlopen)" in rung(story, "mapped").detail


def test_a_library_that_passes_calls_on_is_not_in_the_way() -> None:
    assert "bound-elsewhere" not in rules(_two(100, call_other=True))
    assert "bound-elsewhere" not in rules(healthy())


def test_two_libraries_that_each_offer_a_part_of_an_api_are_not_in_each_others_way() -> None:
    story = Story()
    story.process(812)
    story.driver(812, "/opt/libpart.so", "needed", soname="libpart.so")
    story.image(SHIM, soname="libcuda.so.1", exports=[name for name in DRIVER if name != "cuInit"])
    story.map(812, SHIM, "needed")
    story.call(812, "cuInit", 100, by=BACKEND, library="/opt/libpart.so")
    assert "bound-elsewhere" not in rules(story)


def test_slots_show_the_binding_before_any_call() -> None:
    story = Story()
    story.process(812)
    story.driver(812, "/opt/libother.so", "needed", soname="libother.so")
    story.driver(812, SHIM, "needed")
    story.consumer(812, BACKEND, imports=["cuInit"])
    slot = Slot(name="cuInit", bound_to="/opt/libother.so", lazy=False)
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[slot]))
    assert "bound to /opt/libother.so" in found(story, "bound-elsewhere").title


def test_a_name_that_only_the_programs_log_calls_missing_is_likely() -> None:
    story = Story()
    story.process(812)
    story.log(
        'level=INFO msg="Unable to load cudart library /srv/libcuda.so.1: symbol lookup for cuCtxDestroy failed: x"',
        CPU,
    )
    finding = found(story, "lookup-failed")
    assert finding.confidence == "likely" and "cuCtxDestroy" in finding.title


def _asks_for(*names: tuple[str, bool]) -> Story:
    story = Story()
    story.process(812)
    for name, there in names:
        error = "" if there else f"{name}: cannot open shared object file: No such file or directory"
        story.look_up(
            812, "dlopen", name, there, by="/opt/app/server", answer="/x/" + name if there else None, error=error
        )
    return story


def test_a_library_that_is_found_under_its_second_name_is_not_missing() -> None:
    assert "lookup-failed" in rules(_asks_for(("libcuda.so", False)))
    assert "lookup-failed" not in rules(_asks_for(("libcuda.so", False), ("libcuda.so.1", True)))


def test_two_names_that_one_consumer_asks_for_in_turn_are_one_finding() -> None:
    story = _asks_for(("libcuda.so", False), ("libcuda.so.1", False))
    assert rules(story).count("lookup-failed") == 1
    assert "asked for libcuda.so, libcuda.so.1 in PID 812" in found(story, "lookup-failed").title


def _gives_up(code: int, *, then: str = "") -> Story:
    """The API works, and then a name is asked for that is not there."""
    story = Story()
    story.process(812)
    story.driver(812, SHIM)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND, library=SHIM)
    story.look_up(812, "dlsym", "cuCtxGetCacheConfig", False, by=BACKEND, error="undefined symbol")
    if then:
        story.call(812, then, by=BACKEND, library=SHIM)
    story.end(812, code=code)
    return story


def test_a_name_whose_lack_was_the_last_word_of_a_failed_program_is_told() -> None:
    finding = answer(_gives_up(1))
    assert (finding.rule, finding.confidence) == ("lookup-failed", "likely")
    assert "cuCtxGetCacheConfig" in finding.title


def test_a_name_that_is_not_there_is_no_fault_where_the_program_went_on_or_ended_well() -> None:
    assert rules(_gives_up(0)) == []
    assert rules(_gives_up(1, then="cuDeviceGetCount")) == []


def _placeholder(code: int, names: int = 12, line: str = "") -> Story:
    """A driver that answers every name, most of them with one and the same function."""
    story = Story()
    story.process(812)
    story.driver(812, SHIM)
    story.consumer(812, BACKEND)
    for number in range(names):
        story.look_up(812, "cuGetProcAddress_v2", f"cuRare{number}", by=BACKEND, answer=SHIM, address=0x7F0000001000)
    story.look_up(
        812, "cuGetProcAddress_v2", "cuInit", by=BACKEND, answer=SHIM, symbol="cuInit", address=0x7F0000002000
    )
    story.call(812, "cuInit", by=BACKEND, library=SHIM)
    if line:
        story.log(line)
    story.end(812, code=code)
    return story


def test_a_call_of_what_a_library_only_pretends_to_have_is_told() -> None:
    line = "[libshim] unknown function CALLED -> CUDA_ERROR_NOT_SUPPORTED (pid=812)"
    finding = answer(_placeholder(1, line=line))
    assert (finding.rule, finding.severity, finding.confidence) == ("placeholder-answered", "error", "likely")
    assert "answered 12 names with one placeholder" in finding.title and "it was called" in finding.title


def test_a_placeholder_that_nobody_was_seen_to_call_is_a_guess() -> None:
    finding = answer(_placeholder(1))
    assert (finding.rule, finding.severity, finding.confidence) == ("placeholder-answered", "warning", "guess")


def test_a_placeholder_under_a_program_that_ended_well_and_a_handful_of_aliases_are_no_fault() -> None:
    assert rules(_placeholder(0)) == []
    assert rules(_placeholder(1, names=4)) == []


def test_the_library_of_another_vendor_may_be_missing_where_one_is_there() -> None:
    finding = found(_asks_for(("libcuda.so.1", True), ("libamdhip64.so", False)), "lookup-failed")
    assert finding.severity == "info" and "CUDA runtime" not in finding.cause
    assert found(_asks_for(("libamdhip64.so", False)), "lookup-failed").severity == "error"


def test_a_library_that_came_and_went_is_named_by_the_loaders_words() -> None:
    story = _asks_for(("libcuda.so.1", True))
    error = "/x/libcuda.so.1: undefined symbol: cuCtxGetCacheConfig"
    story.look_up(812, "dlsym", "cuCtxGetCacheConfig", False, by="/opt/app/server", error=error)
    finding = found(story, "lookup-failed")
    assert "/x/libcuda.so.1 does not have it" in finding.title and "/x/libcuda.so.1" in finding.command
    assert rung(story, "mapped").state == "yes"


def test_names_of_a_library_that_was_unloaded_before_it_was_read_are_not_known() -> None:
    story = Story()
    story.process(812)
    story.look_up(812, "dlopen", "libcuda.so.1", True, answer=SHIM)
    story.look_up(812, "dlsym", "cuInit", False, error=f"{SHIM}: undefined symbol: cuInit")
    detail = rung(story, "exported").detail
    assert detail == "it was unloaded before its names were read; it was asked for cuInit in vain"


def test_two_libraries_of_an_api_that_offer_other_names_of_it_are_not_in_each_others_way() -> None:
    story = Story()
    story.process(812)
    story.driver(812, "/usr/lib/libEGL.so.1", "needed", soname="libEGL.so.1", exports=["eglInitialize"])
    story.driver(812, "/usr/lib/libGLX.so.0", "needed", soname="libGLX.so.0", exports=["eglQueryString"])
    story.consumer(812, BACKEND, imports=["eglInitialize"])
    slot = Slot(name="eglInitialize", bound_to="/usr/lib/libEGL.so.1", lazy=False)
    story.tell(SlotsRead(at=story.later(), pid=812, path=BACKEND, slots=[slot]))
    assert "bound-elsewhere" not in rules(story)


def test_of_a_path_that_a_variable_gave_the_variable_is_named() -> None:
    story = Story()
    story.process(812, environment={"REAL_DRIVER": "/opt/none/libcuda.so.1"})
    absent = "/opt/none/libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "/opt/none/libcuda.so.1", False, by=BACKEND, error=absent)
    assert "REAL_DRIVER names it." in answer(story).cause
