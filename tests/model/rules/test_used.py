"""Rules about what became of the device in the end."""

from typing import Literal

import pytest

from inspector.model.diagnosis import diagnose
from inspector.report.phrases import mode_words
from inspector.stream.calls import FileOpened
from inspector.stream.processes import Descriptor, DescriptorsRead

from ..asking import BACKEND, CPU, CUDA, answer, findings, found, healthy, rules, working
from ..build import DRIVER, MS, NVML, Story


def test_a_working_program_is_in_use_and_nothing_is_blamed() -> None:
    story = healthy()
    result = diagnose(story.state)
    assert rules(story) == ["gpu-in-use"]
    assert (result.mode.verdict, result.mode.confidence, result.mode.contradictions) == ("cuda", "likely", [])
    assert "312 launches" in result.findings[0].title


def test_a_log_that_says_cuda_is_in_use_likely_and_no_more() -> None:
    story = Story()
    story.process(812, age=60_000 * MS)
    story.log(CUDA)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("gpu-ready", "likely")


def test_a_log_that_says_cuda_is_no_gpu_where_nobody_was_ever_seen_to_load_a_library_for_one() -> None:
    story = Story()
    story.process(812)
    story.log(CUDA)
    mode = diagnose(story.state).mode
    assert (mode.verdict, answer(story).rule) == ("cpu", "nobody-asked")
    assert "library=CUDA" in mode.contradictions[0].text


def test_a_program_that_asks_for_nothing_is_on_the_cpu_and_nothing_is_blamed() -> None:
    story = Story()
    story.process(812, ("/bin/sh", "-c", "sleep 60"))
    story.image("/bin/sh")
    story.map(812, "/bin/sh", "executable")
    result = diagnose(story.state)
    assert (rules(story), result.mode.verdict, result.findings[0].rule) == ([], "cpu", "nobody-asked")


def _two_passes(signal: int | None) -> Story:
    story = Story()
    story.process(812)
    for pid in (850, 851):
        story.process(pid, ("/opt/app/server", "runner"), parent=812)
        story.driver(pid)
        story.consumer(pid, BACKEND)
        story.call(pid, "cuInit", by=BACKEND)
        story.call(pid, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
        story.end(pid, signal=signal if pid == 851 else None)
    story.log(CPU if signal else CUDA)
    return story


def test_a_device_found_by_one_child_and_lost_in_the_crash_of_the_next_is_dropped() -> None:
    finding = answer(_two_passes(6))
    assert finding.rule == "device-dropped"
    assert "PID 851" in finding.title and "SIGABRT" in finding.title


def test_a_device_that_two_children_found_is_not_dropped() -> None:
    assert findings(_two_passes(None))[0].rule == "gpu-ready"


def test_the_programs_own_line_proves_that_a_device_was_dropped() -> None:
    story = _two_passes(6)
    story.log('level=DEBUG msg="filtering device which didn\'t fully initialize" id=GPU-5 libdir=/x library=CUDA')
    finding = found(story, "device-dropped")
    assert (finding.confidence, rules(story)[0]) == ("proven", "device-dropped")


def _placed(layers: str) -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.log(CUDA, f"load_tensors: offloaded {layers} layers to GPU")
    return story


def test_no_layer_on_a_device_that_was_kept_is_not_offloaded() -> None:
    finding = answer(_placed("0/29"))
    assert (finding.rule, finding.confidence) == ("not-offloaded", "proven")
    assert "0/29" in finding.title
    assert diagnose(_placed("0/29").state).mode.verdict == "cpu"


def test_layers_on_the_device_are_use() -> None:
    assert answer(_placed("29/29")).rule == "gpu-in-use"


def _launching(pointer: int, took: int, *, opens: str = "") -> Story:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    if opens:
        story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=opens, writable=True))
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuMemAlloc_v2", by=BACKEND, values={"pointer": pointer})
    for _ in range(5):
        story.call(812, "cuLaunchKernel", by=BACKEND, took=took, count=60)
    return story


def test_small_addresses_and_quick_launches_without_a_device_are_perhaps_success_without_work() -> None:
    finding = answer(_launching(0x6100, 2_000))
    assert (finding.rule, finding.severity, finding.confidence) == ("success-without-work", "warning", "likely")
    assert diagnose(_launching(0x6100, 2_000).state).mode.verdict == "cuda"
    assert diagnose(_launching(0x6100, 2_000).state).mode.contradictions


def test_handles_for_addresses_alone_are_a_guess_behind_the_answer() -> None:
    story = _launching(0x6100, 5 * MS)
    assert rules(story) == ["gpu-in-use", "success-without-work"]
    assert found(story, "success-without-work").confidence == "guess"


def test_a_socket_that_is_open_may_be_the_way_to_a_device() -> None:
    story = _launching(0x6100, 2_000)
    way_out = Descriptor(fd=5, target="socket:[77]", kind="socket", writable=True)
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[way_out]))
    assert rules(story) == ["gpu-in-use"]


def test_a_device_that_was_refused_before_another_worked_is_told_beside_the_use() -> None:
    story = Story()
    story.process(812)
    story.driver(812, exports=[*DRIVER, "cuCtxCreate_v2"])
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 2})
    story.call(812, "cuCtxCreate_v2", 46, by=BACKEND)
    story.call(812, "cuCtxCreate_v2", by=BACKEND)
    story.call(812, "cuMemAlloc_v2", by=BACKEND, values={"pointer": 0x7F30_0000_0000})
    story.call(812, "cuLaunchKernel", by=BACKEND, count=60, took=5 * MS)
    finding = answer(story)
    assert finding.rule == "gpu-in-use"
    assert (
        "Of the 2 devices that were counted one may be left out" in finding.cause
        and "cuCtxCreate_v2 = 46" in finding.cause
    )


def test_success_with_no_device_behind_it_is_told_as_that_and_not_as_a_gpu_in_use() -> None:
    story = _launching(0x7F30_0000_0000, 5 * MS)
    assert diagnose(story.state).mode.device_seen, "a socket may have been there: descriptors were not read"
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[Descriptor(fd=2, target="/x", kind="file")]))
    finding = answer(story)
    assert finding.rule == "gpu-in-use" and "no device was seen behind it" in finding.title
    mode = diagnose(story.state).mode
    assert mode.verdict == "cuda" and not mode.device_seen
    assert mode_words(mode.verdict, finding.rule, "", device_seen=mode.device_seen) == "CUDA answers, no device seen"


@pytest.mark.parametrize(("kind", "target"), [("socket", "socket:[7]"), ("pipe", "pipe:[7]"), ("other", "/memfd:ring")])
def test_a_shim_that_forwards_its_calls_uses_a_gpu(kind: Literal["socket", "pipe", "other"], target: str) -> None:
    story = _launching(0x7F30_0000_0000, 5 * MS)
    way = Descriptor(fd=5, target=target, kind=kind, writable=True)
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[way]))
    assert diagnose(story.state).mode.device_seen


def test_quick_launches_alone_are_only_a_guess_behind_the_answer() -> None:
    story = _launching(0x7F30_0000_0000, 2_000)
    assert rules(story) == ["gpu-in-use", "success-without-work"]
    assert found(story, "success-without-work").confidence == "guess"


def test_a_device_that_was_opened_clears_a_shim_of_the_suspicion() -> None:
    assert rules(_launching(0x6100, 2_000, opens="/dev/nvidia0")) == ["gpu-in-use"]
    assert rules(_launching(0x6100, 2_000, opens="/sys/bus/pci/devices/0000:00:05.0/resource0")) == ["gpu-in-use"]


def test_launches_that_take_their_time_are_no_stub() -> None:
    assert rules(_launching(0x7F30_0000_0000, 5 * MS)) == ["gpu-in-use"]


def test_the_shims_own_word_that_it_is_a_stub_is_told_beside_the_use() -> None:
    story = healthy()
    story.log("[libvgpu-cuda] STUB CALLED: cuFooBar (not fully implemented, returning SUCCESS)")
    assert rules(story) == ["gpu-in-use", "success-without-work"]


def test_a_crash_right_after_the_first_launch_is_no_use() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    working(story)
    story.end(812, signal=11)
    result = diagnose(story.state)
    assert (result.mode.verdict, result.findings[0].rule) == ("cpu", "child-crashed")
    assert result.mode.confidence == "likely", "what it launched may have been computed"


def test_nvml_alone_is_no_use_of_the_gpu_and_no_fault() -> None:
    story = Story()
    story.process(812)
    story.watch("/opt/shim/libnvidia-ml.so.1", NVML)
    story.image("/opt/shim/libnvidia-ml.so.1", soname="libnvidia-ml.so.1", exports=NVML)
    story.map(812, "/opt/shim/libnvidia-ml.so.1", "dlopen")
    story.driver(812)
    story.call(812, "cuGetExportTable", by="/opt/shim/libnvidia-ml.so.1")
    story.call(812, "nvmlInit_v2", library="/opt/shim/libnvidia-ml.so.1", by="/opt/app/monitor")
    result = diagnose(story.state)
    assert (rules(story), result.mode.verdict) == ([], "cpu")
    assert result.findings[0].rule == "management-only"
    assert [ladder.api for ladder in result.ladders] == ["nvml"]


REAL = "/opt/real/libcuda.so.1"


def test_what_a_shim_hands_on_to_the_library_behind_it_is_work_of_its_caller_once() -> None:
    story = healthy()
    story.driver(812, REAL)
    working(story, library=REAL, by="/opt/shim/libcuda.so.1")
    assert "312 launches and 1 allocation" in answer(story).title


def test_work_counts_where_only_the_library_behind_a_shim_is_counted() -> None:
    story = healthy()
    story.driver(812, REAL)
    story.call(812, "cuModuleLoadData", by="/opt/shim/libcuda.so.1", library=REAL)
    assert "312 launches and 1 allocation" in answer(story).title
    alone = Story()
    alone.process(812)
    alone.driver(812, watch=False)
    alone.driver(812, REAL)
    alone.consumer(812, BACKEND)
    working(alone, library=REAL, by="/opt/shim/libcuda.so.1")
    assert "312 launches and 1 allocation" in answer(alone).title
