"""Attached late: a program that tells an error about a GPU, or computes without a library of one, is no riddle."""

import pytest

from inspector.model.diagnosis import diagnose
from inspector.stream.logs import LogFound
from inspector.stream.processes import Descriptor, DescriptorsRead, Vitals
from inspector.stream.session import COLLECTOR_ENDED, LimitNoted

from .asking import answer
from .build import SECOND, WALL, Story

ERRORS = (
    "gpustat failed: NVMLError_LibraryNotFound NVML Shared Library Not Found",
    "NVML: NVMLError_GpuIsLost GPU is lost",
    "rocml: RuntimeError AMD GPU driver not initialized. Please ensure amdgpu driver is loaded.",
    "AMD SMI library (libamd_smi.so) not found. Please ensure ROCm is installed and ROCM_PATH is set correctly.",
    "Error: CUDA API not found: cuInit",
    "[GPU] Can't get PERFORMANCE_HINT property as no supported devices found or an error happened",
    "CUDA Runtime failure: '#35' at /build/device_utils.h:32",
    "Failed to locate library: libcuda.so",
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.99' not found (required by /opt/driver/libcuda.so.1)",
)


def _late(*lines: str, target: str = "/x.log") -> Story:
    story = Story(attach=True)
    story.process(812, age=100 * SECOND)
    story.map(812, "/opt/app/server")
    held = [Descriptor(fd=2, kind="file", target=target)]
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=held))
    story.tell(LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", born=WALL - 99 * SECOND))
    for line in lines:
        story.log(line, backlog=True)
    return story


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_about_a_gpu_is_told_where_nothing_is_mapped_to_compute_with(line: str) -> None:
    story = _late(line)
    found, mode = answer(story), diagnose(story.state).mode
    print(mode.verdict, mode.confidence, found.rule, found.title, "||", found.cause)
    assert (mode.verdict, mode.confidence) == ("cpu", "likely") and found.rule != "cause-not-seen"


def test_who_computes_without_a_library_of_an_api_is_on_the_cpu() -> None:
    story = _late("ready")
    assert diagnose(story.state).mode.verdict == "undecided"
    for _ in range(5):
        story.tell(Vitals(at=story.later(SECOND), pid=812, cpu=90.0, rss=1, threads=1))
    assert (diagnose(story.state).mode.verdict, diagnose(story.state).mode.confidence) == ("cpu", "likely")


@pytest.mark.parametrize("what", ["a driver", "a device", "nothing is known of what it holds"])
def test_an_error_alone_decides_nothing_where_it_could_compute_all_the_same(what: str) -> None:
    story = _late("NVML: NVMLError_GpuIsLost GPU is lost")
    if what == "a driver":
        story.driver(812)
    elif what == "a device":
        held = [Descriptor(fd=7, kind="device", target="/dev/nvidia0")]
        story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=held))
    else:
        story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[]))
    assert diagnose(story.state).mode.verdict == "undecided"
    assert "GPU is lost" in answer(story).title


def test_the_loader_of_an_api_without_a_driver_computes_nothing() -> None:
    story = _late("no platforms: CL_PLATFORM_NOT_FOUND_KHR")
    story.image("/usr/lib/libOpenCL.so.1", soname="libOpenCL.so.1", exports=("clGetPlatformIDs", "clGetDeviceIDs"))
    story.map(812, "/usr/lib/libOpenCL.so.1")
    found = answer(story)
    assert diagnose(story.state).mode.verdict == "cpu" and "CL_PLATFORM_NOT_FOUND_KHR" in found.title


def test_a_library_that_only_reads_figures_of_amd_devices_is_none_to_compute_with() -> None:
    story = _late("AMD GPU driver not initialized. Please ensure amdgpu driver is loaded.")
    story.map(812, "/opt/rocm/lib/libamd_smi.so.26")
    assert diagnose(story.state).mode.verdict == "cpu" and "amdgpu driver" in answer(story).title


def test_a_driver_that_could_not_be_loaded_is_told_with_a_loader_that_has_none() -> None:
    refused = "/opt/gpu/lib/libGLX_nvidia.so.0: cannot open shared object file: No such file or directory"
    story = _late(f"Warning: {refused}", "Warning: vkCreateInstance failed with VK_ERROR_INCOMPATIBLE_DRIVER")
    story.image("/usr/lib/libvulkan.so.1", soname="libvulkan.so.1", exports=("vkCreateInstance",))
    story.map(812, "/usr/lib/libvulkan.so.1")
    found = answer(story)
    assert "libGLX_nvidia.so.0" in f"{found.title} {found.cause}"


def test_a_loader_whose_refusal_only_the_program_tells_has_no_driver() -> None:
    story = _late("no platforms: CL_PLATFORM_NOT_FOUND_KHR")
    story.image("/usr/lib/libOpenCL.so.1", soname="libOpenCL.so.1", exports=("clGetPlatformIDs", "clGetDeviceIDs"))
    story.map(812, "/usr/lib/libOpenCL.so.1")
    assert answer(story).rule == "no-driver-loaded"


def test_an_error_is_of_the_runtime_where_the_program_says_so() -> None:
    assert "CUDA runtime API = 500" in answer(_late("CUDA Runtime failure: '#500' at /build/x.h:32")).title


def test_a_collector_that_ended_is_told_before_that_it_came_late() -> None:
    story = _late("ready")
    story.tell(LimitNoted(at=story.later(), what=COLLECTOR_ENDED, why="the collector was killed by SIGKILL (9)"))
    assert "the collector was killed by SIGKILL" in answer(story).title


def test_a_version_is_needed_by_the_file_that_the_loader_names() -> None:
    words = "/lib/libc.so.6: version `GLIBC_2.99' not found (required by /opt/driver/libcuda.so.1)"
    found = answer(_late(f"UnsatisfiedLinkError: /opt/app/libJCudaDriver.so: {words}"))
    assert found.title.startswith("libcuda.so.1 needs GLIBC_2.99 of libc.so.6")
    assert "C library" in found.next_step
