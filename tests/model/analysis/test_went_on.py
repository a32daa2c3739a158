"""What a program went past, and what it only could have asked for, is not where it stopped."""

from inspector.stream.calls import LoaderRefused
from inspector.stream.libraries import LoadPredicted
from inspector.stream.processes import SignalDelivered

from ..asking import BACKEND, answer, rules
from ..build import NVML, Story
from .asking import analysis, decision

CHANNELS = ("process-births", "environment", "library-loads", "count-calls", "results", "open-files", "lookups")
TOOL = "/opt/tool/bin/tool"


def _absent(name: str) -> str:
    return f"{name}: cannot open shared object file: No such file or directory"


def _asks(*names: str) -> Story:
    story = Story(can=CHANNELS)
    story.process(812, (TOOL,))
    for name in names:
        story.look_up(812, "dlopen", name, False, by=TOOL, error=_absent(name))
    return story


def test_a_helper_that_a_program_went_past_to_ask_for_an_api_is_not_where_it_stopped() -> None:
    story = _asks("libnvidia-sandboxutils.so.1", "libnvidia-ml.so.1")
    story.end(812, code=1)
    assert "libnvidia-ml.so.1" in answer(story).title


def test_where_nothing_else_was_refused_the_helper_is_it() -> None:
    story = _asks("libnvidia-sandboxutils.so.1")
    story.end(812, code=1)
    assert "libnvidia-sandboxutils.so.1" in answer(story).title


def test_a_name_that_is_bound_at_its_first_call_is_told_by_the_loaders_last_words() -> None:
    story = _asks()
    story.driver(812, "/opt/shim/libnvidia-ml.so.1", soname="libnvidia-ml.so.1", exports=NVML)
    story.call(812, "nvmlInit_v2", by=TOOL, library="/opt/shim/libnvidia-ml.so.1")
    story.log(f"{TOOL}: symbol lookup error: {TOOL}: undefined symbol: nvmlDeviceGetAddressingMode")
    story.end(812, code=127)
    assert "nvmlDeviceGetAddressingMode" in answer(story).title


def test_that_the_program_itself_is_mapped_does_not_make_good_what_its_loader_refused() -> None:
    story = _asks()
    story.driver(812, "/opt/shim/libnvidia-ml.so.1", soname="libnvidia-ml.so.1", exports=NVML)
    story.call(812, "nvmlInit_v2", by=TOOL, library="/opt/shim/libnvidia-ml.so.1")
    missing = "undefined symbol: nvmlDeviceGetAddressingMode"
    story.tell(
        LoaderRefused(at=story.later(), pid=812, tid=812, object=TOOL, text=missing, occasion="symbol lookup error")
    )
    story.consumer(812, TOOL, imports=["nvmlDeviceGetAddressingMode"], route="unknown")
    story.end(812, code=127)
    assert (answer(story).rule, "nvmlDeviceGetAddressingMode" in answer(story).title) == ("symbol-missing", True)


def test_a_program_that_aborts_over_a_refusal_is_told_by_the_refusal() -> None:
    story = _asks()
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    story.tell(
        SignalDelivered(
            at=story.later(),
            pid=812,
            tid=812,
            signal=6,
            si_code=-6,
            fatal=True,
            ip=0x7F00,
            library="/usr/lib/libc.so.6",
        )
    )
    story.end(812, signal=6)
    made = decision(story.state)
    assert (made.verdict, made.confidence, made.reason) == ("cpu", "proven", "stopped")
    assert "cuInit = 100" in answer(story).title


def test_a_library_that_could_ask_and_never_did_asked_for_nothing() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3",))
    names = ["clGetPlatformIDs", "clGetDeviceIDs", "clCreateContext"]
    story.image("/opt/cv2.abi3.so", dlopen_names=["libOpenCL.so.1"], api_names=names, imports_lookup=True)
    story.map(812, "/opt/cv2.abi3.so", "dlopen")
    assert [one.stage for one in analysis(story.state).computing()] == ["loaded"]
    story.end(812)
    assert decision(story.state).reason == "nobody-asked"
    assert answer(story).rule == "nobody-asked" and not rules(story)


def _table(refused: int) -> Story:
    story = _asks()
    story.driver(812, "/opt/shim/libcuda.so.1")
    for number in range(40):
        story.look_up(812, "dlsym", f"cuGot{number}", True, by=TOOL, answer="/opt/shim/libcuda.so.1")
    for number in range(refused):
        story.look_up(812, "dlsym", f"cuNew{number}", False, by=TOOL, error=f"undefined symbol: cuNew{number}")
    story.end(812, code=1)
    return story


def test_who_fills_a_table_of_functions_does_not_stop_at_those_that_are_too_new() -> None:
    assert not [stop.attempt.what for stop in analysis(_table(6).state).stops.values()]
    assert [stop.attempt.what for stop in analysis(_table(1).state).stops.values()] == ["cuNew0"]


def _whole_table(*, failed: bool) -> Story:
    """Of hundreds of names, old and new, as many are refused as found, one after the other."""
    story = _asks()
    story.driver(812, "/opt/shim/libcuda.so.1")
    for number in range(12):
        story.look_up(812, "dlsym", f"cuOld{number}", True, by=TOOL, answer="/opt/shim/libcuda.so.1")
        story.look_up(812, "dlsym", f"cuNew{number}", False, by=TOOL, error=f"undefined symbol: cuNew{number}")
    story.end(812, code=int(failed))
    return story


def test_who_asked_on_for_other_names_and_ended_well_did_not_stop_at_any_of_them() -> None:
    assert not analysis(_whole_table(failed=False).state).stops
    assert answer(_whole_table(failed=False)).rule == "not-called"
    assert analysis(_whole_table(failed=True).state).stops


def _falls(place: str) -> Story:
    story = _asks()
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    story.tell(SignalDelivered(
        at=story.later(), pid=812, tid=812, signal=11, si_code=1, fatal=True, ip=0x7F00, library=place))  # fmt: skip
    story.end(812, signal=11)
    return story


def test_who_falls_in_its_own_code_without_what_it_was_refused_is_told_by_the_refusal() -> None:
    finding = answer(_falls(BACKEND))
    assert (finding.rule, finding.chain[0].text) == ("api-error", "crashed before it used a GPU")
    assert "cuInit = 100" in finding.title
    assert answer(_falls("/opt/app/lib/other.so")).rule == "child-crashed"


def test_what_files_foretell_is_no_question() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3",))
    story.image(BACKEND, dlopen_names=["libcuda.so"], api_names=["cuInit", "cuDeviceGet"], imports_lookup=True)
    story.map(812, BACKEND, "dlopen")
    words = _absent("libcuda.so")
    story.tell(LoadPredicted(at=story.later(), pid=812, name="libcuda.so", ok=False, words=words))
    story.end(812)
    assert answer(story).rule == "nobody-asked"


def test_a_signal_that_was_handled_is_no_fault_of_who_is_ended_by_another() -> None:
    """A sandbox answers system calls by SIGSYS, and a browser ends its children by SIGTERM."""
    story = Story(can=CHANNELS)
    story.process(800, ("/opt/app/browser",))
    story.process(812, ("/opt/app/browser", "-content"), parent=800)
    for number, fatal, sender in ((31, False, 0), (15, True, 800)):
        story.tell(SignalDelivered(
            at=story.later(), pid=812, tid=812, signal=number, si_code=1, fatal=fatal, ip=0x7F00, sender=sender,
            library="/usr/lib/libc.so.6"))  # fmt: skip
    story.end(812, signal=15)
    story.end(800)
    assert answer(story).rule == "nobody-asked"
