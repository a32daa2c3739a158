"""What programs say in their own words: sentences of frameworks, runtimes and loaders, and endings of all languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model import log_claims
from inspector.model.log_claims import Word
from inspector.model.log_parsing import read_lines, words_of
from inspector.model.log_parsing.endings import EndingReader
from inspector.model.log_runs import this_start
from inspector.stream.logs import LogFound, WritesSeen

from .build import Story

SENTENCES = {
    "Could not find cuda drivers on your machine, GPU will not be used.": [("on-cpu", "")],
    "cuda/cudart_stub.cc:32] Could not find cuda drivers": [("no-device", "")],
    "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)": [("call", "303")],
    "Could not load dynamic library 'libcudart.so.11.0'; dlerror: libcudart.so.11.0: cannot open shared object file: "
    "No such file or directory": [("load", "cannot open shared object file")],
    "a CUDA-enabled jaxlib is not installed. Falling back to cpu.": [("not-built", "")],
    "WARNING:jax._src.xla_bridge: No GPU/TPU found, falling back to CPU.": [("on-cpu", "")],
    "Unable to initialize backend 'cuda': FAILED_PRECONDITION: No visible GPU devices.": [("no-device", "")],
    "failed to initialize CUDA: no CUDA-capable device": [("no-device", "")],
    "Specified provider 'CUDAExecutionProvider' is not in available provider names.Available providers: "
    "'AzureExecutionProvider, CPUExecutionProvider'": [("not-built", "")],
    "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object "
    "file: No such file or directory": [("load", "cannot open shared object file")],
    "AssertionError: Torch not compiled with CUDA enabled": [("not-built", "")],
    "The NVIDIA driver on your system is too old (found version 11040).": [("dropped", "")],
    "ERROR: ld.so: object '/usr/local/x/libx.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): "
    "ignored.": [("load", "cannot be preloaded")],
    "found 1 CUDA devices:": [("found", "")],
    "found 0 CUDA devices": [("no-device", "")],
    "load_tensors: offloaded 0/33 layers to GPU": [("given-nothing", "")],
    "load_tensors: offloaded 33/33 layers to GPU": [("given", "")],
    'msg="inference compute" id=cpu library=cpu compute="" name=cpu': [("on-cpu", "")],
    'msg="inference compute" id=GPU-1 library=CUDA compute=8.9 name=CUDA0': [("found", "")],
    "not enough memory (2), falling back to the CPU": [("on-cpu", "")],
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB": [("no-memory", "")],
    "could not allocate 512 MiB of GPU memory, retrying on CPU": [("on-cpu", "")],
    "MemoryError: not enough memory": [],
    "cuInit returned 100": [("call", "100")],
    "WARNING:engine:torch.cuda.is_available() returned False": [("no-device", "")],
    "failed to initialize CUDA (100)": [("call", "100")],
    "CUDA init failed with error code 3": [("call", "3")],
    "hip: init error -1": [("call", "-1")],
    'CUDA error at main.c:12: code=100(CUDA_ERROR_NO_DEVICE) "cuInit(0)"': [("call", "CUDA_ERROR_NO_DEVICE")],
    "Could not start the GPU engine, continuing without acceleration": [("on-cpu", "")],
    "gpu backend disabled: driver returned error 100": [("on-cpu", "")],
    "CUDA initialized on second try: found 1 device(s)": [("found", "")],
    "CUDA is not initialized": [("error", "")],
    "cuInit(0) = 999": [("call", "999")],
    "hsa_init 0x1008": [("call", "0x1008")],
    "clGetPlatformIDs(0, NULL, &n) returned -1001": [("call", "-1001")],
    "CUDA error 35 at foo.cu:31": [("call", "35")],
    "CUDA error: no kernel image is available for execution on the device": [("error", "")],
    "cudaGetDeviceCount failed: cudaErrorInsufficientDriver": [("call", "cudaErrorInsufficientDriver")],
    "no GPU: libcuda.so.1: cannot open shared object file: No such file or directory":
        [("load", "cannot open shared object file"), ("no-device", "")],
    "Using device: cuda": [("found", "")],
    "Using device: cpu": [("on-cpu", "")],
    "java.lang.UnsatisfiedLinkError: no cudart64_12 in java.library.path: /usr/lib":
        [("load", "no cudart64_12 in java.library.path")],
    "ERROR: [Loader Message] Code 0 : vkCreateInstance: Found no drivers!": [("no-device", "")],
    "Number of platforms                               0": [("no-device", "")],
    "torch.cuda.is_available() = False": [("no-device", "")],
    "CUDA available: True": [("found", "")],
    "model loaded to cuda in 2 s": [("given", "")],
    "skipping GPU: compute capability 3.5 too old": [("dropped", "")],
    "WARNING: You are running an unsupported driver, you may have problems": [],
    "Cannot load libnvidia-encode.so.1": [("load", "not loaded")],
    "Warp CUDA error: Failed to get function cuGetProcAddress": [("load", "undefined symbol: cuGetProcAddress")],
    "could not find symbol 'nvmlDeviceGetCount_v2'": [("load", "undefined symbol: nvmlDeviceGetCount_v2")],
    "/opt/x.so: undefined symbol: cuGraphFoo, version libcuda.so.1": [("load", "undefined symbol: cuGraphFoo")],
    "amdgpu not usable, using CPU": [("on-cpu", "")],
    "continuing on the CPU": [("on-cpu", "")],
    "This package was not compiled with CUDA support": [("not-built", "")],
    "CUDA driver library cannot be found.": [("error", "")],
    "cu->cuMemAlloc(&data, size) failed -> CUDA_ERROR_STAND_IN: no": [("call", "CUDA_ERROR_STAND_IN")],
    "Failed to initialize: Driver/library version mismatch": [("error", "")],
    "ROCk module is NOT loaded, possibly no GPU devices": [("no-device", "")],
    "ERROR:root:Driver not initialized (amdgpu not found in modules)": [("no-device", "")],
    "[AVHWDeviceContext @ 0x1] Cannot load cuMemAllocPitch_v2": [("load", "undefined symbol: cuMemAllocPitch_v2")],
    "Waffle error: 0x2 WAFFLE_ERROR_UNKNOWN: open drm file for gbm failed": [("error", "")],
}  # fmt: skip
SAYS_NOTHING = [
    "No CPU tracking mode found. Falling back on estimation based on TDP for CPU.",
    "No CPU tracking mode found. Falling back on CPU load mode.",
    "This binary is optimized to use available CPU instructions in performance-critical operations.",
    "thread pinned to CPU 3", "cpu usage 30%, errors: 0", "tokens per second on CPU 0", "GPU driver loaded, no errors",
    "pci device 0000:00:1f.2: no driver found", "block device sda: no errors", "GET /device/driver 404 error",
    "collector cpu enabled device=cpu0", "fp16 is not supported on CPU; using FP32 instead", "backend loaded",
    "worker 3 on node gpu-17 answered in 12 ms", "loading model from /models/cuda.bin", "wrote libcuda.so.1",
    "cudaMalloc of 4096 bytes", "could not find clients.json", "cannot load clBLAS", "radeon card in slot 2",
    "module drm loaded", "12.5% of CPU", "device driver model v2",
    "    00:00:00.123  cuInit returned 100 and nothing worked: this is a line of our own report",
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), SENTENCES.items(), ids=lambda value: str(value)[:40])
def test_a_sentence_is_understood_without_knowing_the_program(line: str, expected: list[tuple[str, str]]) -> None:
    assert [(log_claims.kind, log_claims.answer) for log_claims in words_of(line)] == expected
    assert [log_claims.kind for _, log_claims in read_lines(["first", line])] == [kind for kind, _ in expected]


@pytest.mark.parametrize("line", SAYS_NOTHING)
def test_a_line_that_only_mentions_a_device_says_nothing(line: str) -> None:
    assert words_of(line) == []


def test_the_function_before_an_arrow_is_the_one_that_failed() -> None:
    told = words_of("[AVHWDeviceContext @ 0x1] cu->cuInit(0) failed -> CUDA_ERROR_NO_DEVICE: none is detected")
    assert (told[0].subject, told[0].answer) == ("cuInit", "CUDA_ERROR_NO_DEVICE")


def test_a_told_call_names_its_function_and_whether_it_was_refused() -> None:
    good, bad = words_of("cuInit returned 0")[0], words_of("cuInit returned 3")[0]
    assert (good.subject, good.refused, bad.refused) == ("cuInit", False, True)


@given(st.text() | st.text("cpugd 0=:/.so'()-failedtocuInit", max_size=2_000))
@settings(deadline=None)
def test_any_text_is_read_without_harm(line: str) -> None:
    for said in words_of(line):
        assert said.text in line.strip() or len(line) > 1_000


ENDINGS = {
    "Python": (
        ["Traceback (most recent call last):", '  File "x.py", line 3, in <module>', "    import nowhere",
         "ModuleNotFoundError: No module named 'nowhere'"],
        ("ModuleNotFoundError", "No module named 'nowhere'"),
    ),
    "Python with a log's prefix": (
        ["api-1  | Traceback (most recent call last):", 'api-1  |   File "x.py", line 3, in f', "api-1  |     f()",
         "api-1  | torch.cuda.OutOfMemoryError: CUDA out of memory."],
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory."),
    ),
    "Python without a message": (["Traceback (most recent call last):", '  File "x"', "KeyboardInterrupt"],
                                 ("KeyboardInterrupt", "")),
    "Go": (["panic: runtime error: invalid memory address", "", "goroutine 1 [running]:"],
           ("panic", "runtime error: invalid memory address")),
    "Rust": (["thread 'main' panicked at src/main.rs:4:10:", "no CUDA device", "note: run with `RUST_BACKTRACE=1`"],
             ("panicked", "no CUDA device")),
    "older Rust": (["thread 'main' panicked at 'no device', src/main.rs:4:5"],
                   ("panicked", "'no device', src/main.rs:4:5")),
    "C++": (["terminate called after throwing an instance of 'std::runtime_error'", "  what():  no device"],
            ("what()", "no device")),
    "Java": (['Exception in thread "main" java.lang.UnsatisfiedLinkError: no x in java.library.path',
              "\tat java.base/java.lang.ClassLoader.loadLibrary(ClassLoader.java:2458)"],
             ("java.lang.UnsatisfiedLinkError", "no x in java.library.path")),
    "Java with a cause": (['Exception in thread "main" java.lang.RuntimeException: outer', "\tat A.b(A.java:1)",
                           "Caused by: java.io.IOException: inner"], ("java.io.IOException", "inner")),
    "Node": (["/app/x.js:1", "process.dlopen(m, f)", "^", "", "Error: libnccl.so.2: cannot open shared object file",
              "    at Module.load (node:internal/modules/cjs/loader:1)"],
             ("Error", "libnccl.so.2: cannot open shared object file")),
    "C": (["app: driver.c:3: main: Assertion `count > 0' failed."], ("Assertion", "`count > 0' failed.")),
    "places before what is said": (
        ["Traceback (most recent call last):", '  File "a.py", line 3, in <module>',
         "RuntimeError: Exception from src/core.cpp:117:", "Exception from src/dev/plugin.cpp:112:",
         "[GPU] no supported devices found"],
        ("RuntimeError", "[GPU] no supported devices found"),
    ),
    "ld.so": (["./app: error while loading shared libraries: libcuda.so.1: cannot open shared object file"],
              ("error while loading shared libraries", "libcuda.so.1: cannot open shared object file")),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
def test_the_error_by_which_a_program_ends_is_read_in_any_language(name: str) -> None:
    lines, expected = ENDINGS[name]
    found = [log_claims for _, log_claims in EndingReader().read(lines)]
    assert (found[-1].kind, found[-1].subject, found[-1].answer) == ("ended", *expected)


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_that_comes_line_by_line_is_the_same(name: str) -> None:
    lines, expected = ENDINGS[name]
    reader = EndingReader()
    found = [log_claims for line in lines for _, log_claims in reader.read([line])]
    assert (found[-1].subject, found[-1].answer) == expected


def test_no_ending_is_read_into_an_ordinary_log() -> None:
    lines = [
        "starting",
        "0 errors",
        "error rate 0.1",
        "level=info msg=ok",
        "Error: retried",
        "going on",
        "fatalities: 0",
    ]
    assert list(EndingReader().read(lines)) == []


@given(st.lists(st.text() | st.sampled_from([line for lines, _ in ENDINGS.values() for line in lines]), max_size=30))
@settings(deadline=None)
def test_any_lines_are_read_for_endings_without_harm(lines: list[str]) -> None:
    reader = EndingReader()
    assert all(0 <= index < len(lines) and log_claims.kind == "ended" for index, log_claims in reader.read(lines))


def told(story: Story) -> list[Word]:
    return log_claims.words_of(this_start(story.state), story.state.profiles)


def test_the_stack_behind_a_fatal_error_of_go_is_long_and_no_later_word() -> None:
    story = Story()
    story.process(812)
    frames = ["goroutine 1 [running]:", "main.main()", "\t/src/main.go:3 +0x1", "created by main.start in goroutine 2"]
    story.log("fatal error: runtime: eventfd failed", *frames * 20, "rax    0x0", "rip    0x4a1f00")
    error = log_claims.own_error(story.state, told(story))
    assert error is not None and error.text.endswith("eventfd failed")


def test_a_library_that_was_looked_for_by_its_name_is_not_found() -> None:
    lines = ['msg="failed to locate \\"libcuda.so.\\": libcuda.so.575.51.03: not there"']
    assert [(one.subject, one.answer) for _, one in read_lines(lines)] == [("libcuda.so", "not found")]


def test_last_words_stand_among_what_was_written_last() -> None:
    story = Story()
    story.process(812)
    story.log("Traceback (most recent call last):", '  File "x"', "ValueError: caught and logged", *["going on"] * 20)
    assert log_claims.own_error(story.state, told(story)) is None
    story.log("Traceback (most recent call last):", '  File "x"', "RuntimeError: no CUDA device")
    error = log_claims.own_error(story.state, told(story))
    assert error is not None and error.text == "RuntimeError: no CUDA device"


def test_of_what_is_said_about_the_gpu_the_last_word_counts() -> None:
    story = Story()
    story.process(812)
    story.log("Using device: cuda", "offloaded 0/33 layers to GPU", "listening on port 3")
    word = log_claims.last_word(told(story))
    assert word is not None and word.saying == "given-nothing"


def test_of_several_that_share_a_log_the_one_that_was_seen_to_write_a_line_is_its_writer() -> None:
    story = Story()
    story.process(812)
    story.process(813, parent=812)
    story.tell(LogFound(at=story.later(), source=1, name="/x.log", kind="file", why="fd 2", pids=[812, 813]))
    story.log("falling back to CPU", "no GPU found")
    story.tell(WritesSeen(at=story.later(), pid=813, fd=2, writes=1, bytes=20, sample=["falling back to CPU"]))
    writers = [log_claims.writer(story.state, word) for word in told(story)]
    assert [writer.pid if writer else 0 for writer in writers] == [813, 812]
