"""Each recording of a program from PyPI, crates.io, Go or Debian leads to its answer."""

from typing import NamedTuple

import pytest

from tests.recordings import OF_PROGRAMS, answer_of, together

MOST = 100 << 10
"""Bytes that one recording may take."""


class Recorded(NamedTuple):
    """One run and the right answer."""

    name: str
    """Program and what was wrong with it; `ok`: nothing."""
    mode: str
    rule: str
    says: str
    """Words of the title, the cause or the chain."""


RUNS = (
    # OpenCL's loader: no driver behind it, a driver that is not there, one that runs on the CPU
    Recorded("pyopencl-novendors", "cpu", "no-driver-loaded", "OCL_ICD_VENDORS=/opt/field/fake/empty"),
    Recorded("pyopencl-badicd", "cpu", "lookup-failed", "libnope.so.1"),
    Recorded("clpeak-novendors", "cpu", "no-driver-loaded", "clGetPlatformIDs = -1001"),
    Recorded("clpeak-badicd", "cpu", "lookup-failed", "libnope.so.1"),
    Recorded("cv2-badicd", "cpu", "lookup-failed", "libnope.so.1"),
    # Vulkan's
    Recorded("wgpu-ok", "cpu", "software-driver", "libvulkan_lvp.so"),
    Recorded("ncnn-ok", "cpu", "software-driver", "libvulkan_lvp.so"),
    Recorded("vulkaninfo-badicd", "cpu", "lookup-failed", "libnope.so"),
    Recorded("vulkaninfo-noicd", "cpu", "no-driver-loaded", "VK_DRIVER_FILES=/opt/field/fake/empty/none.json"),
    # CUDA's driver in Rust, Python and C++
    Recorded("cudarc-ok", "cuda", "gpu-in-use", "20 launches"),
    Recorded("cudarc-old", "cpu", "lookup-failed", "cuMemAllocAsync"),
    Recorded("cudarc-nouvm", "cpu", "device-node-missing", "nvidia-uvm"),
    Recorded("cudarc-launch700", "cpu", "api-error", "700 (CUDA_ERROR_ILLEGAL_ADDRESS)"),
    Recorded("drjit-absent", "cpu", "lookup-failed", "asked for libcuda.so in"),
    Recorded("taichi-hidden", "cpu", "visible-devices-hidden", "CUDA_VISIBLE_DEVICES=(empty)"),
    Recorded("catboost-crash", "cpu", "child-crashed", "SIGSEGV inside cuGetProcAddress_v2 of libcuda.so.1"),
    # NVML in Go: functions that are bound at their first call
    Recorded("nvgo-ok", "cpu", "management-only", "nvmlDeviceGetHandleByIndex_v2"),
    Recorded("nvgo-old", "cpu", "symbol-missing", "nvmlDeviceGetCount_v2"),
    Recorded("nvgo-mismatch", "cpu", "api-error", "18 (NVML_ERROR_LIB_RM_VERSION_MISMATCH)"),
    # learns of devices from a tool that it runs
    Recorded("gputil-nosmi", "cpu", "tool-missing", "nvidia-smi"),
    # a small program on Debian's Linux 5.10 that loads the driver; the same without the look-up, which came too early
    Recorded("linux510-absent", "cpu", "lookup-failed", "libcuda.so.1"),
    Recorded("linux510-unseen", "cpu", "lookup-failed", "libcuda.so.1"),
    # attached late: the server's log places three layers on a GPU, the runner that computes maps no library for one
    Recorded("ollama-nobackend-late", "cpu", "no-work-given", "has no library of a GPU loaded"),
    # its runner hangs inside the driver, and nobody saw it begin
    Recorded("ollama-hangs-late", "undecided", "call-blocked", "cuInit"),
    # it looked for backends by stat(2) in a folder that has none
    Recorded("ollama-nobackend", "cpu", "backend-missing", "libggml-cuda.so"),
    # attached late: the program's own words name a function that the mapped driver does not have
    Recorded("warp-oldshim-late", "cpu", "lookup-failed", "asked for cuGetProcAddress"),
    # attached late: nothing but NVML is mapped
    Recorded("pynvml-late", "cpu", "management-only", "only monitored"),
    # asks for libcuda.so, beside which libcuda.so.1 lies; OpenCL's loader has no driver either, and no result was read
    Recorded("boinc-nolink", "cpu", "lookup-failed", "asked for libcuda.so in"),
    # tinygrad tries one kind of device after the other, with system calls of its own, and lists folders for libcuda.so
    Recorded("tinygrad-absent", "cpu", "device-node-missing", "/dev/nvidiactl"),
    Recorded("tinygrad-nolib", "cpu", "ended-by-own-error", "failed to load library cuda"),
    Recorded("tinygrad-old", "cpu", "lookup-failed", "cuDeviceComputeCapability"),
    # memory is refused after its first launch, and it ends
    Recorded("tinygrad-memory", "cuda", "api-error", "cuMemAlloc_v2 = 2 (CUDA_ERROR_OUT_OF_MEMORY)"),
    # EGL's loader: a software driver, no vendor file, a vendor's library that is not there
    Recorded("mujoco-ok", "cpu", "software-driver", "swrast_dri.so"),
    Recorded("eglinfo-ok", "cpu", "software-driver", "swrast_dri.so"),
    Recorded("mujoco-novendor", "cpu", "no-driver-loaded", "__EGL_VENDOR_LIBRARY_FILENAMES=/opt/field/none.json"),
    Recorded("eglinfo-novendor", "cpu", "no-driver-loaded", "__EGL_VENDOR_LIBRARY_DIRS=/opt/field/emptydir"),
    Recorded("moderngl-badvendor", "cpu", "lookup-failed", "libnope.so.0"),
    Recorded("mujoco-badvendor", "cpu", "lookup-failed", "libnope.so.0"),
    # looks by access(2) in each folder for libraries that decide which of its programs it starts
    Recorded("nodellama-nolib", "cpu", "lookup-failed", "libvulkan.so.1"),
    # says the number of the error, and not of which call
    Recorded("tinygrad-badicd", "cpu", "lookup-failed", "libnope.so.1"),
    # "Driver version is too old" is what its own check of an encoder's version says
    Recorded("nvvideocodec-old", "cpu", "ended-by-own-error", "no call or load of a GPU library was seen to fail"),
    # a child that it starts to try a library; attached late: what the loader and the log still tell
    Recorded("nodellama-nocudart", "cpu", "dependency-missing", "libcudart.so.13"),
    Recorded("webgpu-absent-late", "cpu", "lookup-failed", "libvulkan.so.1"),
    Recorded("openmm-nolib-late", "cpu", "lookup-failed", "libOpenCL.so.1"),
    Recorded("mujoco-ok-late", "cpu", "software-driver", "swrast_dri.so"),
    # a shell was to run clinfo, and did not find it
    Recorded("systeminformation-notool", "cpu", "tool-missing", "clinfo"),
    # add-ons and plug-ins that were refused their libraries
    Recorded("webgpu-absent", "cpu", "lookup-failed", "libvulkan.so.1"),
    Recorded("ucx-absent", "cpu", "dependency-missing", "libcuda.so.1"),
    Recorded("openmm-nolib", "cpu", "dependency-missing", "libOpenCL.so.1"),
    Recorded("nvvideocodec-absent", "cpu", "lookup-failed", "libnvidia-encode.so.1"),
    Recorded("cudabindings-old", "cpu", "lookup-failed", "cuGetProcAddress_v2"),
    Recorded("nvitop-old", "cpu", "lookup-failed", "nvmlDeviceGetCount_v2"),
    Recorded("hwloc-noicd", "cpu", "no-driver-loaded", "OCL_ICD_VENDORS=/opt/field/emptydir"),
    # linked with the loaders of Vulkan and OpenCL, which it has no use for here
    Recorded("handbrake-cpu", "cpu", "lookup-failed", "libnvidia-encode.so.1"),
    # a library for another C library: what was mapped while its load was refused is no load
    Recorded("nvmlw-musl", "cpu", "backend-load-failed", "libc.so: invalid ELF header"),
    # dies in a function that was not counted: the stack names it
    Recorded("nvmlw-segv", "cpu", "child-crashed", "SIGSEGV inside nvmlDeviceGetTemperature of libnvidia-ml.so.1"),
    # attached late: dozens of names were asked for in vain, and the library is not mapped any more
    Recorded("nvmlw-late", "cpu", "management-only", "libnvidia-ml.so.1"),
    # an exception that nobody caught says why it gave up; a library that is cut short says what the signal does not
    Recorded("leelaz-refused", "cpu", "child-crashed", "No suitable OpenCL device found"),
    Recorded("leelaz-cut", "cpu", "child-crashed", "libOpenCL.so.1 is cut short"),
    # ended before its output was found: what it wrote first is all there is
    Recorded("wflinfo-gbm", "cpu", "ended-by-own-error", "open drm file for gbm failed"),
    Recorded("rocminfo-nomodule", "cpu", "ended-by-own-error", "ROCk module is NOT loaded"),
    # says of the kernel's own driver that it is not there
    Recorded("rocmsmi-nomodule", "cpu", "told-by-program", "amdgpu not found in modules"),
    # names the function that it lacks, without calling it one
    Recorded("ffmpeg-old", "cpu", "lookup-failed", "cuMemAllocPitch_v2"),
    # the driver's dependency found no room: the loader began without it, and then had no device
    Recorded("ash-addressspace", "cpu", "limit-reached", "the limit of address space of this process"),
    # a variable leaves every driver out; no driver, and it gives up by naming the call alone
    Recorded("lwjgl-disabled", "cpu", "no-driver-loaded", "VK_LOADER_DRIVERS_DISABLE=*"),
    Recorded("leelaz-novendors", "cpu", "no-driver-loaded", "nothing followed clGetPlatformIDs"),
    # the loader is mapped by a link: what it asked for is told by its file
    Recorded("opencv-dependency", "cpu", "dependency-missing", "libmissing-runtime.so.3"),
    Recorded("opencv-disabled", "cpu", "cpu-chosen", "OPENCV_OPENCL_RUNTIME=disabled"),
    # a package that uses one API by itself lacks its part for another
    Recorded("ort-noprovider", "cpu", "cpu-only-build", "libonnxruntime_providers_shared.so"),
    Recorded("ort-default", "cpu", "nobody-asked", "no process asked for a GPU"),
    # a driver was mapped for a load that was refused, and the process ended before it was seen to go
    Recorded("opencv-addressspace", "cpu", "limit-reached", "the limit of address space of this process"),
    # the loader itself had no descriptor left to start it
    Recorded("nvmlw-nodescriptor", "cpu", "child-crashed", "the limit of open files of this process is 4"),
    # attached late: the loader's sentence in the log names what was asked for and what that needs
    Recorded("jcuda-dependency-late", "cpu", "dependency-missing", "libvirt-gpu-transport.so.2 not found"),
    # the folder that a variable names may not be read by this user
    Recorded("aparapi-locked", "cpu", "no-driver-loaded", "icd/locked/ (EACCES) could not be opened"),
    # its last line says only that it ends
    Recorded("vkcube-nodisplay", "cpu", "no-display", "Cannot connect to XCB"),
    # says the error, and not of which call: of the last
    Recorded("jocl-nodevice", "cpu", "api-error", "clGetDeviceIDs = -1 (CL_DEVICE_NOT_FOUND)"),
    # what the refused load had mapped was told after the program's end
    Recorded("nvimgcodec-nodep", "cpu", "dependency-missing", "libvgpu-rpc.so.2"),
    # fills a table of Vulkan's functions, 18 of which are too new for its loader, and calls none; then turns to CUDA
    Recorded("imageioffmpeg-absent", "cpu", "lookup-failed", "asked for libcuda.so.1"),
    Recorded("imageioffmpeg-old", "cpu", "lookup-failed", "cuDeviceComputeCapability"),
    Recorded("imageioffmpeg-silent", "cpu", "lookup-failed", "cuDeviceComputeCapability"),
    Recorded("imageioffmpeg-pocl", "cpu", "software-driver", "libpocl.so"),
    # AMD's management interface: its first call refused, a name that it does not have
    Recorded("pyrsmi-init", "cpu", "api-error", "34 (AMDSMI_STATUS_DRIVER_NOT_LOADED)"),
    Recorded("pyrsmi-old-late", "cpu", "lookup-failed", "amdsmi_get_processor_handles_by_type"),
    # a variable leaves out every driver; attached late: the program's last words, and no driver is mapped
    Recorded("vulkan-disabled", "cpu", "no-driver-loaded", "VK_LOADER_DRIVERS_DISABLE=*"),
    Recorded("vulkan-disabled-late", "cpu", "no-driver-loaded", "VkErrorIncompatibleDriver"),
    # attached late: its last words name a function that the mapped driver does not have
    Recorded("cudacore-old-late", "cpu", "lookup-failed", "cuGetProcAddress_v2"),
    # told to do without CUDA, it ends by an error that is told on two lines
    Recorded("numbacuda-off", "cpu", "ended-by-own-error", "NUMBA_DISABLE_CUDA=1"),
    # the driver answers names that it does not have with one placeholder; the program says what its runtime answered
    Recorded("rmm-placeholders", "cpu", "api-error", "35 (cudaErrorInsufficientDriver)"),
    # attached late: 35 has two reasons, and no driver is mapped
    Recorded("rmm-absent-late", "cpu", "api-error", "No libcuda.so.1 is mapped here"),
    # results of EGL are not read: without any driver none of them was a success
    Recorded("pyglet-badvendor", "cpu", "lookup-failed", "libEGL_nvidia.so.0"),
    # a driver that calls abort(3), which the stack at the signal tells
    Recorded("vulkan-abort", "cpu", "child-crashed", "vk_icdNegotiateLoaderICDInterfaceVersion+0x11 (libvk_abort.so)"),
    # attached late: "Failure finding" a library; a call that sleeps again and again
    Recorded("kvikio-nofile-late", "cpu", "lookup-failed", "asked for libcufile.so.0"),
    Recorded("gpustat-polls-late", "undecided", "call-blocked", "nvmlDeviceGetName"),
    Recorded("py3nvml-32bit", "cpu", "backend-load-failed", "/opt/field/d/bits32/libnvidia-ml.so.1"),
    # each question for devices was answered with an error that is harmless once
    Recorded("clesperanto-nodevice", "cpu", "api-error", "POCL_DEVICES=nosuch is set"),
    # a library that could ask for several APIs, and was told to use the CPU: what files foretell is no question
    Recorded("iree-local", "cpu", "nobody-asked", "no process asked for a GPU"),
    # attached late: a foreign function interface opened the driver, and the program says what that answered
    Recorded("koffi-refused-late", "cpu", "api-error", "cuInit = 46 (CUDA_ERROR_DEVICE_UNAVAILABLE)"),
    # its last words name the tool that a shell did not find
    Recorded("nodesmi-notool", "cpu", "tool-missing", "nvidia-smi"),
    # the lines before the last one say why; its shell holds the same log
    Recorded("glmark-nodevice", "cpu", "ended-by-own-error", "Failed to find a suitable DRM device"),
    Recorded("weston-nodevice", "cpu", "ended-by-own-error", "failed to create compositor backend"),
    # lines of an earlier run stand in its own log
    Recorded("glances-oldlog", "cpu", "api-error", "the kernel driver is not loaded"),
    # ended before its libraries were told: the loader of drivers is known by what it looked up
    Recorded("vulkano-badicd", "cpu", "lookup-failed", "libGLX_nvgone.so.0"),
    Recorded("vulkano-refuses", "cpu", "api-error", "The loader found libvk_incompat.so, and no driver would begin"),
    Recorded("candle-notbuilt", "cpu", "cpu-only-build", "has not been built with cuda support"),
    # its shell ended with the same status; its last words before abort(3) are an error about OpenGL
    Recorded(
        "kitty-nodisplay", "cpu", "ended-by-own-error", "kitty) failed with its own error: GLFW initialization failed"
    ),
    Recorded("qml-nocontext", "cpu", "child-crashed", "gave up with SIGABRT: Failed to create OpenGL context"),
    # it says that it found no device, and has not ended yet: its driver found no room
    Recorded("ocl-addressspace", "cpu", "limit-reached", "the limit of address space of this process"),
    # what a traceback says follows from the answer
    Recorded("zeus-lost", "cpu", "api-error", "the device has fallen off the bus"),
    # attached late: errors of a monitor that is answered concern some figure
    Recorded("mlflow-late", "cpu", "management-only", "nvmlDeviceGetMemoryInfo"),
    # a driver without its entry; a loader that was asked for nothing
    Recorded("opencl3-noentry", "cpu", "no-driver-loaded", "libvcl.so has no clGetExtensionFunctionAddress"),
    Recorded("skia-nocontext", "cpu", "ended-by-own-error", "no GPU context, falling back to raster"),
    # the vendor that a variable names is not there
    Recorded("glxgears-novendor", "cpu", "software-driver", "asked for libGLX_nvidia.so.0 in vain"),
    # the loader would not start it for want of a file that its driver needs; it had no descriptor left
    Recorded("gocu-dependency", "cpu", "dependency-missing", "libvgpu-transport.so.4"),
    Recorded("gocu-nodescriptor", "cpu", "limit-reached", "the limit of open files of this process is 6"),
    # a child of it tried the same library
    Recorded("glfw-nodisplay", "cpu", "ended-by-own-error", "GLFW cannot start"),
    # what it was unable to retrieve is no device that was found; its part for CUDA lacks a library
    Recorded("gpt4all-software", "cpu", "dependency-missing", "libcudart.so.11.0"),
    # it gives up over memory that the kernel refused
    Recorded("gocu-addressspace", "cpu", "limit-reached", "the limit of address space of this process is 61440000"),
    # it gives up over a device that it did not find, behind a driver that has none
    Recorded("opencl3-pocl", "cpu", "software-driver", "libpocl.so"),
    # drivers of VDPAU and VA-API; the display server beside the program draws in software, which says nothing of it
    Recorded("vdpauinfo-nodriver", "cpu", "lookup-failed", "asked for libvdpau_nvidia.so.1"),
    Recorded("vainfo-nodriver", "cpu", "lookup-failed", "nvidia_drv_video.so"),
    # asks for the tool of each vendor in turn, and NVML began
    Recorded("codecarbon-notool", "cpu", "tool-missing", "nvidia-smi"),
    # attached late: falls back on an estimate for the CPU, which is no place where it runs
    Recorded("codecarbon-late", "cpu", "told-by-program", "No GPU found"),
    # the program that it was to become is not to be executed by this user
    Recorded("slangpy-noexec", "cpu", "child-crashed", "the kernel would not execute"),
    # it asked for CUDA between two questions to Vulkan, which told it of the CPU alone, and found no device
    Recorded("sapien-lavapipe", "cpu", "software-driver", "libvulkan_lvp.so"),
    # it has a context, and the driver's library to decode with is not there
    Recorded("pyav-nocuvid", "cpu", "found-not-used", "asked for libnvcuvid.so.1 and was refused"),
    # the loader passes over a driver for another processor as if it were not there
    Recorded("pyqrack-arm", "cpu", "lookup-failed", "libarm.so is made for another processor"),
    # has the driver, and not its compiler; then turns to HIP and OpenCL, of which there is nothing
    Recorded("hashcat-nonvrtc", "cpu", "lookup-failed", "libnvrtc.so"),
    # ctypes.util.find_library asks ld.so.cache, the compiler and the linker, and opens nothing
    Recorded("keops-nonvrtc", "cpu", "lookup-failed", "libnvrtc.so: neither in ld.so.cache nor known to the linker"),
    # eglInitialize ends by a jump, so that its result is not read; it says nothing
    Recorded("egl-nodisplay", "cpu", "no-display", "neither DISPLAY nor WAYLAND_DISPLAY is set"),
    Recorded("egl-refused", "cpu", "no-display", "/tmp/.X11-unix/X77"),
    # Go's runtime had no descriptor left, and tells the number of the error alone
    Recorded("ctk-descriptors", "cpu", "limit-reached", "the limit of open files of this process is 7"),
    # looks for the files of the driver by name, beside NVML that answers
    Recorded("ctk-nodriver", "cpu", "lookup-failed", "libcuda.so: not found"),
    # workers that share a log with the server that they were forked from
    Recorded("gunicorn-badicd", "cpu", "lookup-failed", "/opt/field/badicd/libnope.so.1"),
    # a variable of its own
    Recorded("gegl-off", "cpu", "cpu-chosen", "GEGL_USE_OPENCL=no"),
    # what a result means tells what to do
    Recorded("ffirs-permission", "cpu", "api-error", "4 (NVML_ERROR_NO_PERMISSION)"),
    # attached late: it says only that there is none, and its loader has no driver
    Recorded("javacl-badicd-late", "cpu", "no-driver-loaded", "OCL_ICD_VENDORS=/opt/field/badicd"),
    # looks through PATH by itself, and executes nothing
    Recorded("nvsmi-notool", "cpu", "tool-missing", "needs nvidia-smi"),
    # a server of workers that are started for its tasks
    Recorded("ray-old", "cpu", "lookup-failed", "nvmlDeviceGetCount_v2"),
    # the first call into the runtime begins it, whatever it is (cudaFree), and asks for the driver
    Recorded("polygraphy-nodriver", "cpu", "lookup-failed", "libcudart.so.12 asked for libcuda.so.1"),
    # the text of an error is looked up in vain because of the error
    Recorded("cpmkernels-stub", "cpu", "stub-library", "cuDriverGetVersion = 34 (CUDA_ERROR_STUB_LIBRARY)"),
    # of four libraries that it did not find its error names one
    Recorded("cpmkernels-nolink", "cpu", "lookup-failed", "there is /opt/field/d/onlyrt/libcudart.so.12"),
    # who tries plug-ins for several APIs has none by a loader of Vulkan that came with one of them
    Recorded("gstnvcodec-nodriver", "cpu", "lookup-failed", "asked for libcuda.so.1"),
    # attached late: who said so has ended, and its shell holds the log
    Recorded("deno-old-late", "cpu", "lookup-failed", "nvmlDeviceGetHandleByIndex_v2"),
    # a foreign function interface looks for a name in no library at all after its library was refused
    Recorded("platypus-nodriver", "cpu", "lookup-failed", "Platypus.so asked for libcuda.so.1"),
    # a monitor that is answered warns of a driver that it does not know
    Recorded("chnvml-ok", "cpu", "management-only", "devices were only monitored"),
    # attached late: it ended by its own error, and its shell holds the log
    Recorded("pyamdgpuinfo-late", "cpu", "told-by-program", "No such file or directory: '/dev/dri/'"),
    # what was to be started is not there
    Recorded("wgpuinfo-absent", "cpu", "tool-missing", "was to run wgpu-info, which is not there"),
    # a package of Python that its part for the GPU needs
    Recorded("implicit-normm", "cpu", "ended-by-own-error", "RMM isn't installed"),
    # after public threads: a node that only the last words name, a limit of threads, a filter against new code, a
    # result that nobody read
    Recorded("ffmpegvaapi-nonode", "cpu", "device-node-missing", "/dev/dri/renderD128 is not there"),
    Recorded("serve-pidslimit", "cpu", "limit-reached", "the limit of processes and threads"),
    Recorded("serve-nonewcode", "cpu", "not-permitted", "seccomp filter"),
    Recorded("serve-unread", "cpu", "found-not-used", "What cuModuleLoadData returned was not read"),
    # a library that lists devices asked OpenCL; the program itself says that it was built without, over two lines
    Recorded("gromacs-nogpu", "cpu", "cpu-only-build", "has been built without GPU support"),
    # says in one line that the GPU failed it and that the CPU goes on
    Recorded("nona-nogpu", "cpu", "told-by-program", "Could not initialize GPU"),
    # attached late: its add-on for CUDA could not be loaded, of which its own line alone is left
    Recorded("llamanode-late", "cpu", "told-by-program", 'Not found package for variant "cuda"'),
    # find_library knew of no libcuda, so that names were looked up in the program itself, started by a relative path
    Recorded("gpuctypes-absent", "cpu", "lookup-failed", "libcuda.so: neither in ld.so.cache nor known to the linker"),
    # counted platforms, of which the one driver uses the CPU, and ended well; what it was answered was not read
    Recorded("gpuctypes-pocl", "cpu", "software-driver", "found only the CPU"),
    # aborts at once when its backend cannot be loaded; all its threads die of the signal that one of them raised
    Recorded("luisa-absent", "cpu", "dependency-missing", "libcuda.so.1 not found"),
    Recorded("luisa-old", "cpu", "child-crashed", "CUDA driver version 11.4 is too old"),
    # jumped to address 0 over a function of the driver that it had looked up in vain
    Recorded("bpy-old", "cpu", "lookup-failed", "cuDeviceGetCount"),
    # lacked CUDA's driver, turned to OpenCL and fell in the driver behind that
    Recorded("luxcore-crash", "cpu", "child-crashed", "SIGABRT in libpocl.so.2.10.0"),
    # "CUDA not enabled" is what it says of itself
    Recorded("decord-notbuilt", "cpu", "cpu-only-build", "CUDA not enabled"),
    # its last line tells only that a library was not loaded, the line before which
    Recorded("ortnode-noprovider", "cpu", "ended-by-own-error", "libonnxruntime_providers_shared.so: cannot open"),
    # was refused NVML; that another library needs OpenCL's loader is beside the point
    Recorded("slurm-absent", "cpu", "lookup-failed", "libslurmfull.so asked for libnvidia-ml.so"),
    # somebody ended it before it came to ask
    Recorded("dltop-cutoff", "cpu", "nobody-asked", "was ended by SIGTERM after 20.0 s"),
    # compiles a module against the driver, which lacks a name that it needs
    Recorded("triton-nosymbol", "cpu", "symbol-missing", "libcuda.so.1 does not export cuFuncSetAttribute"),
    # asked by a path for what is not there
    Recorded("ffirs-nowhere", "cpu", "lookup-failed", "It was asked for by its path"),
)


@pytest.mark.parametrize("name", together(run.name for run in RUNS))
def test_the_answer_to_a_program_of_somebody_else_is_right(name: str) -> None:
    run = next(one for one in RUNS if one.name == name)
    found = answer_of(name)
    first = found.findings[0]
    told = " ".join([first.title, first.cause, *(link.text for link in first.chain)])
    assert (found.mode.verdict, first.rule) == (run.mode, run.rule)
    assert run.says in told


def test_recordings_are_small_and_none_is_without_an_answer() -> None:
    assert set(OF_PROGRAMS) == {run.name for run in RUNS}
    assert all(file.stat().st_size < MOST for file in OF_PROGRAMS.values())
