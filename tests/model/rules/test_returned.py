"""Rules about results and values."""

import pytest
from msgspec import structs

from inspector.stream.calls import FileOpened
from inspector.stream.machine import GpuRead
from inspector.stream.processes import ConstraintsRead, ResourceLimit, SignalDelivered
from inspector.stream.syscalls import SystemCallRefused

from ..asking import BACKEND, CPU, answer, found, healthy, rules, rung, working
from ..build import MS, NVML, Story

RUNTIME = "/opt/app/lib/libcudart.so.12"
RUNTIME_NAMES = [
    "cudaGetDeviceCount",
    "cudaMalloc",
    "cudaGetDeviceProperties_v2",
    "cudaRuntimeGetVersion",
    "cudaDriverGetVersion",
]


def _story(*, runtime: bool = False) -> Story:
    story = Story()
    story.process(812, comm="server")
    story.driver(812)
    if runtime:
        story.watch(RUNTIME, RUNTIME_NAMES)
        story.image(RUNTIME, soname="libcudart.so.12", exports=RUNTIME_NAMES, imports=[], imports_lookup=True)
        story.map(812, RUNTIME)
    story.consumer(812, BACKEND, imports=["cudaGetDeviceCount"] if runtime else ["cuInit"])
    return story


def test_the_first_bad_result_is_named_and_the_rest_are_consequences() -> None:
    story = _story()
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    story.call(812, "cuLaunchKernel", 700, by=BACKEND, count=212)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("api-error", "proven")
    assert "cuMemAlloc_v2 = 2 (CUDA_ERROR_OUT_OF_MEMORY) in PID 812" in finding.title
    assert "212 errors after it are consequences" in finding.cause
    assert rung(story, "returned").state == "no"


def test_a_result_that_says_no_device_is_an_error_with_advice() -> None:
    story = _story()
    story.call(812, "cuInit", 100, by=BACKEND)
    assert "cuInit = 100 (CUDA_ERROR_NO_DEVICE)" in answer(story).title
    assert "That usually means: no device" in answer(story).cause


def test_a_look_at_its_own_name_before_the_refusal_is_told_as_a_perhaps() -> None:
    story = _story()
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/proc/self/comm"))
    story.call(812, "cuInit", 3, by=BACKEND)
    finding = answer(story)
    assert "CUDA_ERROR_NOT_INITIALIZED" in finding.title and "/proc/self/comm" in finding.cause
    assert "perhaps" in finding.cause
    assert "admits a program named server: it read /proc/self/comm" in finding.next_step


@pytest.mark.parametrize(
    "opened",
    [
        FileOpened(at=0, pid=812, tid=812, path="/proc/self/task/815/comm", writable=True),
        FileOpened(at=0, pid=812, tid=812, path="/proc/self/comm", writable=True),
        FileOpened(at=0, pid=812, tid=815, path="/proc/self/comm"),
        FileOpened(at=0, pid=812, tid=812, path="/proc/4/cmdline"),
    ],
    ids=["the name of a thread is set", "its own name is set", "another thread looks", "another process is looked at"],
)
def test_other_looks_at_names_say_nothing_about_a_refusal(opened: FileOpened) -> None:
    story = _story()
    story.tell(structs.replace(opened, at=story.later()))
    story.call(812, "cuInit", 100, by=BACKEND)
    assert "/proc/" not in answer(story).cause


def test_the_driver_of_the_vendor_looks_at_names_for_its_own_ends() -> None:
    vendor = "/usr/lib64/libcuda.so.580.95.05"
    story = Story()
    story.process(812, comm="server")
    story.driver(812, path=vendor)
    story.consumer(812, BACKEND, imports=["cuInit"])
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/proc/self/comm"))
    story.call(812, "cuInit", 100, by=BACKEND, library=vendor)
    assert "/proc/" not in answer(story).cause


def test_normal_results_are_no_fault() -> None:
    story = Story()
    story.process(812)
    names = ["cuInit", "cuDeviceGetCount", "cuMemAlloc_v2", "cuLaunchKernel", "cuCtxGetDevice_v2", "cuLibraryUnload"]
    story.driver(812, exports=names)
    story.consumer(812, BACKEND)
    story.call(812, "cuCtxGetDevice_v2", 201, by=BACKEND)
    working(story)
    story.call(812, "cuLibraryUnload", 4, by=BACKEND)
    story.end(812)
    assert rules(story) == ["gpu-in-use"]


def test_a_deinitialized_driver_in_the_middle_of_life_is_a_fault() -> None:
    story = _story()
    story.call(812, "cuMemAlloc_v2", 4, by=BACKEND)
    story.later(5_000 * MS)
    story.end(812)
    assert answer(story).rule == "api-error"


def test_an_error_that_was_followed_by_success_is_not_the_last_word() -> None:
    story = _story()
    story.call(812, "cuMemAlloc_v2", 2, by=BACKEND)
    working(story)
    assert rules(story) == ["gpu-in-use"]


def test_launches_that_begin_to_fail_outrank_the_news_of_use() -> None:
    story = healthy()
    story.call(812, "cuLaunchKernel", 700, by=BACKEND, count=9)
    assert rules(story) == ["api-error", "gpu-in-use"]


def test_a_driver_older_than_the_runtime_wants_is_named_with_both_versions() -> None:
    story = _story(runtime=True)
    story.call(812, "cuDriverGetVersion", by=RUNTIME, values={"version": 11040})
    story.call(812, "cudaGetDeviceCount", 35, by=BACKEND, library=RUNTIME)
    finding = answer(story)
    assert finding.rule == "driver-too-old"
    assert "the driver library says 11.4, libcudart.so.12 wants 12.0 or newer" in finding.title
    assert rules(story) == ["driver-too-old"] and "Consequence: cudaGetDeviceCount = 35" in finding.cause


def test_a_driver_of_the_same_release_is_not_too_old() -> None:
    story = _story(runtime=True)
    story.call(812, "cuDriverGetVersion", by=RUNTIME, values={"version": 12020})
    assert "driver-too-old" not in rules(story)


def test_a_runtime_that_found_no_driver_says_nothing_about_its_age() -> None:
    story = _story(runtime=True)
    story.call(812, "cudaDriverGetVersion", by=BACKEND, library=RUNTIME, values={"version": 0})
    assert "driver-too-old" not in rules(story)


def test_the_programs_own_word_about_an_old_driver_is_told() -> None:
    story = _story()
    story.log('level=WARN msg="NVIDIA driver too old" device=GPU-1 driver=535.1 required_driver="550 or newer"')
    assert "driver 535.1 is too old, required: 550 or newer" in found(story, "driver-too-old").title


TABLE = "6bd5fb6c-5bf4-e74a-8987-d93912fd9df9"


def _table(result: int, pointer: int, table: str = TABLE) -> Story:
    story = _story(runtime=True)
    story.call(812, "cuInit", by=RUNTIME)
    values: dict[str, int | str | float] = {"pointer": pointer}
    story.call(812, "cuGetExportTable", result, by=RUNTIME, arguments={"table": table}, values=values)
    if result:
        story.call(812, "cudaGetDeviceCount", result, by=BACKEND, library=RUNTIME)
    story.log(CPU)
    return story


def test_a_private_table_that_is_refused_outranks_the_error_that_the_runtime_hands_on() -> None:
    finding = answer(_table(500, 0))
    assert (finding.rule, finding.confidence) == ("export-table-refused", "proven")
    assert "6BD5FB6C" in finding.title and "refused with 500" in finding.title
    assert [link.kind for link in finding.chain][-2:] == ["call", "root"]


def test_a_null_table_is_refused_as_well() -> None:
    assert "0 with a NULL table" in found(_table(0, 0), "export-table-refused").title


def test_a_table_that_is_given_or_that_nobody_needs_is_no_fault() -> None:
    assert "export-table-refused" not in rules(_table(0, 4096))
    assert "export-table-refused" not in rules(_table(500, 0, table="f8cff951-2146"))


def _private_table(*, then: str = "") -> Story:
    """A consumer with a runtime linked into it is refused a table that no profile knows."""
    story = _story()
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.look_up(812, "cuGetExportTable", "d4082055-bde6", False, by=BACKEND, result=500)
    if then:
        story.call(812, then, by=BACKEND)
    story.end(812)
    return story


def test_a_private_table_whose_refusal_was_the_last_word_is_told_as_likely() -> None:
    finding = answer(_private_table())
    assert (finding.rule, finding.confidence) == ("export-table-refused", "likely")
    assert "D4082055" in finding.title and "500 (CUDA_ERROR_NOT_FOUND)" in finding.title and finding.doubt


def test_a_private_table_after_whose_refusal_the_program_went_on_is_no_fault() -> None:
    assert "export-table-refused" not in rules(_private_table(then="cuDeviceGetName"))


def test_no_device_by_count_outranks_the_error_of_the_runtime() -> None:
    story = _story(runtime=True)
    story.call(812, "cuInit", by=RUNTIME)
    story.call(812, "cuDeviceGetCount", by=RUNTIME, values={"count": 0})
    story.call(812, "cudaGetDeviceCount", 100, by=BACKEND, library=RUNTIME)
    assert rules(story)[0] == "no-device-counted"
    assert "cuDeviceGetCount succeeded but reported 0 devices" in answer(story).title


def test_what_the_library_opened_before_it_counted_no_device_is_looked_at() -> None:
    story = _story(runtime=True)
    story.call(812, "cuInit", by=RUNTIME)
    story.tell(FileOpened(at=story.now - MS // 2, pid=812, tid=812, path="/dev/strange0", writable=True))
    story.call(812, "cuDeviceGetCount", by=RUNTIME, values={"count": 0})
    story.call(812, "cudaGetDeviceCount", 100, by=BACKEND, library=RUNTIME)
    finding = answer(story)
    assert finding.next_step.endswith("it opened /dev/strange0 before")
    assert finding.command == "ls -ld /dev/strange0"


def test_a_refusal_in_a_living_process_is_followed_up_in_its_next_start() -> None:
    story = _story()
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuMemAlloc_v2", 201, by=BACKEND)
    assert answer(story).command == "inspector --wait server"


def test_a_count_of_one_is_no_fault() -> None:
    story = _story()
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    assert "no-device-counted" not in rules(story)


def test_what_a_failed_call_left_in_its_out_values_is_not_told() -> None:
    story = _story(runtime=True)
    story.call(812, "cuMemGetInfo_v2", 3, by=RUNTIME, values={"free": 85_520_809_984, "total": 3_472_636_091_824})
    assert "free=" not in answer(story).title and "cuMemGetInfo_v2 = 3" in answer(story).title


def test_a_device_without_memory_is_told() -> None:
    story = _story()
    story.call(812, "cuDeviceTotalMem_v2", by=BACKEND, values={"total": 0})
    assert answer(story).rule == "zero-memory" and "cuDeviceTotalMem_v2" in answer(story).title
    full = _story()
    full.call(812, "cuDeviceTotalMem_v2", by=BACKEND, values={"total": 85_520_809_984})
    assert "zero-memory" not in rules(full)


def test_a_structure_of_another_release_gives_a_mad_compute_capability() -> None:
    story = _story(runtime=True)
    values: dict[str, int | str | float] = {"name": "X", "total": 85_520_809_984, "major": 0, "minor": 0}
    story.call(812, "cudaGetDeviceProperties_v2", by=BACKEND, library=RUNTIME, values=values)
    assert answer(story).rule == "gpu-ready"  # the device was kept so far
    finding = found(story, "implausible-device")
    assert finding.severity == "warning"
    assert "cudaGetDeviceProperties_v2" in finding.title and "0.0" in finding.title and "layout" in finding.cause


def test_mad_attributes_and_sizes_are_implausible_and_sane_ones_are_not() -> None:
    story = _story()
    story.call(812, "cuDeviceGetAttribute", by=BACKEND, arguments={"attrib": 75}, values={"value": 0})
    story.call(812, "cuDeviceTotalMem_v2", by=BACKEND, values={"total": 4096})
    assert rules(story)[:2] == ["implausible-device", "implausible-device"]
    sane = _story()
    sane.call(812, "cuDeviceGetAttribute", by=BACKEND, arguments={"attrib": 75}, values={"value": 9})
    sane.call(812, "cuDeviceGetAttribute", by=BACKEND, arguments={"attrib": 33}, values={"value": 0})
    assert "implausible-device" not in rules(sane)


def test_an_error_of_nvml_beside_working_cuda_is_no_fault_and_alone_a_warning() -> None:
    story = Story()
    story.process(812)
    path = "/opt/shim/libnvidia-ml.so.1"
    story.watch(path, NVML)
    story.image(path, soname="libnvidia-ml.so.1", exports=NVML)
    story.map(812, path, "dlopen")
    story.call(812, "nvmlInit_v2", 9, by="/opt/app/monitor", library=path)
    finding = answer(story)
    assert (finding.rule, finding.severity) == ("api-error", "warning")
    assert "NVML_ERROR_DRIVER_NOT_LOADED" in finding.title
    story.driver(812)
    story.consumer(812, BACKEND)
    working(story)
    assert rules(story) == ["gpu-in-use"]


def test_an_error_that_only_the_shims_log_tells_is_likely() -> None:
    story = Story()
    story.process(812)
    story.driver(812, watch=False)
    story.consumer(812, BACKEND)
    story.log("[libvgpu-cuda] cuInit() ERROR: return_code=100 (pid=812)", CPU)
    finding = answer(story)
    assert (finding.rule, finding.confidence, finding.pid) == ("api-error", "likely", 812)
    assert "cuInit = 100 (CUDA_ERROR_NO_DEVICE) in PID 812 (server), says the log of libvgpu-cuda" in finding.title


def test_a_line_about_a_function_that_is_counted_adds_nothing() -> None:
    story = healthy()
    story.log("[libvgpu-cuda] cuInit() ERROR: return_code=100 (pid=812)")
    assert rules(story) == ["gpu-in-use"]


@pytest.mark.parametrize(("errno", "says"), [(1, "the device rules of its cgroup"), (13, "The process may not use it")])
def test_device_rules_are_told_from_the_bits_of_a_file_by_the_error(errno: int, says: str) -> None:
    story = _story()
    story.call(812, "cuInit", 100, by=BACKEND)
    story.tell(FileOpened(at=story.now - MS // 2, pid=812, tid=812, path="/dev/nvidiactl", writable=True, errno=errno))
    finding = answer(story)
    assert finding.rule == "not-permitted" and says in finding.cause


def test_a_limit_of_locked_memory_is_not_blamed_for_memory_that_nobody_locks() -> None:
    story = _story()
    limits = [ResourceLimit(name="RLIMIT_MEMLOCK", soft=8 << 20), ResourceLimit(name="RLIMIT_AS", soft=None)]
    story.tell(ConstraintsRead(at=story.later(), pid=812, why="exec", uid=1000, gid=1000, groups=[], limits=limits))
    story.call(812, "cuInit", 999, by=BACKEND)
    at = story.now - MS // 2
    story.tell(
        SystemCallRefused(at=at, pid=812, tid=812, call="mprotect", errno=12, arguments={"length": 64 << 40})
    )  # fmt: skip
    finding = answer(story)
    assert finding.rule == "limit-reached"
    assert "mprotect() = ENOMEM" in finding.title and "64 TiB were asked for" in finding.cause
    assert "8388608" not in finding.title


def test_a_number_without_a_function_is_read_by_the_api_that_the_words_name() -> None:
    told = {
        "error: CUDA error 1": "CUDA runtime API = 1 (cudaErrorInvalidValue)",
        "error: CUDA driver error 1": "CUDA driver API = 1 (CUDA_ERROR_INVALID_VALUE)",
    }
    for line, words in told.items():
        story = Story()
        story.process(812, ("/usr/bin/python3", "train.py"))
        story.log(line)
        assert words in answer(story).title


def _fell(*, thread: int = 812, limit: int | None = 700 << 20) -> Story:
    story = _story()
    limits = [ResourceLimit(name="RLIMIT_AS", soft=limit)]
    story.tell(ConstraintsRead(at=story.later(), pid=812, why="exec", uid=1000, gid=1000, groups=[], limits=limits))
    at = story.later()
    story.tell(SystemCallRefused(at=at, pid=812, tid=thread, call="mmap", errno=12, arguments={"length": 4096}))
    story.tell(SignalDelivered(at=at + MS, pid=812, tid=812, signal=11, fatal=True))
    story.end(812, signal=11)
    return story


def test_a_fall_just_after_memory_was_refused_is_told_by_the_limit() -> None:
    finding = answer(_fell())
    assert (finding.rule, finding.confidence) == ("limit-reached", "likely")
    assert "mmap() = ENOMEM" in finding.title


def test_memory_that_another_thread_did_not_get_or_that_no_limit_refused_is_not_blamed_for_a_fall() -> None:
    assert answer(_fell(thread=900)).rule == "child-crashed"
    assert answer(_fell(limit=None)).rule == "child-crashed"


@pytest.mark.parametrize(
    ("library", "code", "does"),
    [
        ("/usr/lib/libcuda.so.580.95.05", 999, "nvidia_uvm"),
        ("/opt/shim/libcuda.so.1", 999, "watch the next start"),  # what a shim means by it only its own steps tell
        ("/opt/shim/libcuda.so.1", 46, "who holds the device"),
        ("/opt/shim/libcuda.so.1", 804, "compatibility libcuda"),
        ("/opt/shim/libcuda.so.1", 805, "MPS"),
    ],
)
def test_what_to_do_about_a_result_follows_from_its_meaning(library: str, code: int, does: str) -> None:
    story = Story()
    story.process(812)
    story.driver(812, library)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", code, by=BACKEND, library=library)
    story.end(812, code=1)
    finding = answer(story)
    assert finding.rule == "api-error" and does in finding.next_step
    assert finding.command


@pytest.mark.parametrize(
    ("library", "does"),
    [("/usr/lib/libcuda.so.580.95.05", "whether the machine has a device"), ("/opt/shim/libcuda.so.1", "libcuda.so.1")],
)
def test_a_shim_that_refuses_is_looked_at_where_the_machine_has_no_device(library: str, does: str) -> None:
    story = Story()
    story.tell(GpuRead(at=story.later()))
    story.process(812)
    story.driver(812, library)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 999, by=BACKEND, library=library)
    assert does in answer(story).next_step


def _with_a_second_worker(code: int, *, again: bool = False) -> Story:
    story = healthy()
    for pid, refused in ((850, True), *(((851, False),) if again else ())):
        story.process(pid, ("/opt/app/server", "worker"), parent=812, environment={})
        story.driver(pid, watch=False)
        story.consumer(pid, BACKEND)
        if refused:
            story.call(pid, "cuInit", by=BACKEND)
            story.call(pid, "cuMemAlloc_v2", 2, by=BACKEND)
            story.end(pid, code=code)
        else:
            working(story, pid)
    return story


def test_a_worker_that_failed_over_a_refused_call_is_told_beside_one_that_works() -> None:
    story = _with_a_second_worker(1)
    assert answer(story).rule == "gpu-in-use"
    finding = found(story, "api-error")
    assert (finding.pid, finding.severity) == (850, "warning")
    assert "Also: cuMemAlloc_v2 = 2 (CUDA_ERROR_OUT_OF_MEMORY) in PID 850" in answer(story).cause


def test_a_worker_that_ended_well_or_was_started_again_and_works_blames_nothing() -> None:
    assert rules(_with_a_second_worker(0)) == ["gpu-in-use"]
    assert rules(_with_a_second_worker(1, again=True)) == ["gpu-in-use"]
