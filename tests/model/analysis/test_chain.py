"""From the stop down to the root: nesting by thread and time, and what stands at the end."""

from inspector.stream.calls import FileOpened
from inspector.stream.logs import WritesSeen
from inspector.stream.processes import SignalDelivered

from ..asking import BACKEND, CPU, answer
from ..build import MS, SECOND, Story
from .asking import chain, decision

RUNTIME = "/opt/app/libcudart.so.12"
MISSING = "libcublasLt.so.12: cannot open shared object file: No such file or directory"


def _asking() -> Story:
    story = Story()
    story.process(812, environment={"LD_LIBRARY_PATH": "/opt/shim"})
    story.driver(812)
    story.consumer(812, BACKEND)
    return story


def test_an_open_that_failed_inside_a_failing_call_is_its_root() -> None:
    story = _asking()
    number = story._functions["/opt/shim/libcuda.so.1", "cuInit"]
    entered = story.later()
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia0", errno=24))
    story.now = entered - 2 * MS
    story.call(812, "cuInit", 100, by=BACKEND, took=10 * MS)
    assert number and chain(story.state) == ["cuInit", "/dev/nvidia0"]
    finding = answer(story)
    assert finding.rule == "limit-reached" and "the limit of open files" in finding.title
    assert [link.kind for link in finding.chain] == ["mode", "call", "system", "root"]


def test_a_node_that_is_not_there_names_the_kernel_module_and_a_command_that_runs() -> None:
    story = _asking()
    entered = story.later()
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia-uvm", errno=2))
    story.now = entered - 2 * MS
    story.call(812, "cuInit", 999, by=BACKEND, took=10 * MS)
    finding = answer(story)
    assert (finding.rule, finding.command) == ("device-node-missing", "modprobe nvidia_uvm")


def test_an_open_of_another_thread_is_not_inside_the_call() -> None:
    story = _asking()
    entered = story.later()
    story.tell(FileOpened(at=story.later(), pid=812, tid=999, path="/dev/nvidia0", errno=24))
    story.now = entered - 2 * MS
    story.call(812, "cuInit", 100, by=BACKEND, took=10 * MS)
    assert chain(story.state) == ["cuInit"]
    assert answer(story).rule == "api-error"


def test_the_search_along_a_path_is_no_reason_of_a_failing_call() -> None:
    story = _asking()
    entered = story.later()
    for folder in ("/lib", "/usr/lib"):
        story.tell(FileOpened(at=story.later(100), pid=812, tid=812, path=f"{folder}/libx.so.1", errno=2))
    story.now = entered - 2 * MS
    story.call(812, "cuInit", 100, by=BACKEND, took=10 * MS)
    assert chain(story.state) == ["cuInit"]


def test_a_call_of_the_driver_stands_inside_the_call_of_the_runtime() -> None:
    story = _asking()
    story.watch(RUNTIME, ["cudaGetDeviceCount"])
    story.image(RUNTIME, soname="libcudart.so.12", exports=["cudaGetDeviceCount", "cudaMalloc"], imports=["cuInit"])
    story.map(812, RUNTIME)
    begin = story.now
    story.call(812, "cuInit", 100, by=RUNTIME)
    story.now = begin - MS
    story.call(812, "cudaGetDeviceCount", 100, by=BACKEND, library=RUNTIME, took=20 * MS)
    assert chain(story.state) == ["cudaGetDeviceCount", "cuInit"]


def test_a_missing_dependency_stands_below_the_load_that_needs_it() -> None:
    story = _asking()
    story.look_up(812, "dlopen", "/opt/app/libggml-cuda.so", False, by="/opt/app/server", error=MISSING)
    story.log(CPU)
    assert chain(story.state) == ["/opt/app/libggml-cuda.so", "libcublasLt.so.12"]


def test_a_death_inside_a_call_is_told_by_the_call_and_who_asked_for_it() -> None:
    story = _asking()
    story.inside(812, "cuInit", since=20 * MS)
    story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=6, fatal=True, library="/lib/libc.so.6"))
    story.end(812, signal=6)
    assert chain(story.state) == ["cuInit", "SIGABRT"]
    finding = answer(story)
    assert finding.rule == "child-crashed" and "SIGABRT inside cuInit of libcuda.so.1" in finding.title


def _gives_up(*lines: str) -> list[str]:
    """The chain of a program that is refused and aborts over it; what it wrote went into a pipe."""
    story = _asking()
    story.call(812, "cuInit", 100, by=BACKEND)
    written = sum(len(line) + 1 for line in lines)
    story.tell(WritesSeen(at=story.later(), pid=812, fd=2, writes=1, bytes=written, sample=list(lines)))
    story.tell(SignalDelivered(at=story.later(), pid=812, tid=812, signal=6, fatal=True, library="/lib/libc.so.6"))
    story.end(812, signal=6)
    return [link.text for link in answer(story).chain]


def test_who_gives_up_over_a_refusal_is_told_with_its_last_words_wherever_they_went() -> None:
    said = _gives_up("app: app.c:3: main: Assertion `rc == 0' failed.")
    assert said[1] == "it gave up with SIGABRT: app: app.c:3: main: Assertion `rc == 0' failed."
    assert said[2].startswith("cuInit = 100")
    thrown = _gives_up("terminate called after throwing an instance of 'std::runtime_error'", "  what():  no engine")
    assert thrown[1] == "it gave up with SIGABRT: no engine"


def test_who_gives_up_without_a_word_is_told_by_the_refusal() -> None:
    assert [text.split(" ")[0] for text in _gives_up()] == ["crashed", "cuInit"]


def test_a_call_that_does_not_come_back_leaves_the_mode_undecided_with_its_cause_named() -> None:
    story = _asking()
    story.inside(812, "cuInit", since=12 * SECOND)
    made = decision(story.state)
    assert (made.verdict, made.reason) == ("undecided", "hangs")
    assert answer(story).rule == "call-blocked" and "cuInit in PID 812" in answer(story).title


def test_two_names_of_one_library_are_one_step() -> None:
    story = Story()
    story.process(812)
    for name in ("libcuda.so.1", "libcuda.so"):
        words = f"{name}: cannot open shared object file: No such file or directory"
        story.look_up(812, "dlopen", name, False, by="/opt/app/server", error=words)
    made = decision(story.state)
    assert made.stop is not None and made.stop.alternatives == ["libcuda.so.1", "libcuda.so"]
    assert "asked for libcuda.so.1, libcuda.so in PID 812" in answer(story).title


def test_a_compute_api_decides_before_one_that_only_reads_figures() -> None:
    story = Story()
    story.process(812)
    for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
        words = f"{name}: cannot open shared object file: No such file or directory"
        story.look_up(812, "dlopen", name, False, by="/opt/app/server", error=words)
    assert chain(story.state)[0] == "libcuda.so.1"


def test_whatever_is_called_first_begins_its_api() -> None:
    story = _asking()
    story.watch(RUNTIME, ["cudaFree", "cudaMalloc"])
    story.image(RUNTIME, soname="libcudart.so.12", exports=["cudaFree", "cudaMalloc"], imports=["cuInit"])
    story.map(812, RUNTIME)
    begin = story.now
    story.call(812, "cuInit", 100, by=RUNTIME)
    story.now = begin - MS
    story.call(812, "cudaFree", 100, by=BACKEND, library=RUNTIME, took=20 * MS)
    assert chain(story.state) == ["cudaFree", "cuInit"]


def test_a_tear_down_that_is_refused_after_its_api_had_begun_is_no_stop() -> None:
    story = _asking()
    story.watch(RUNTIME, ["cudaFree", "cudaMalloc"])
    story.image(RUNTIME, soname="libcudart.so.12", exports=["cudaFree", "cudaMalloc"], imports=["cuInit"])
    story.map(812, RUNTIME)
    story.call(812, "cudaMalloc", 0, by=BACKEND, library=RUNTIME)
    story.call(812, "cudaFree", 1, by=BACKEND, library=RUNTIME)
    assert chain(story.state) == []


def test_a_version_that_is_refused_first_comes_before_the_text_of_that_error() -> None:
    story = _asking()
    story.watch("/opt/shim/libcuda.so.1", ["cuDriverGetVersion"])
    story.call(812, "cuDriverGetVersion", 34, by=BACKEND)
    story.look_up(812, "dlsym", "cuGetErrorString", False, by=BACKEND, error="undefined symbol: cuGetErrorString")
    story.end(812, 1)
    assert chain(story.state) == ["cuDriverGetVersion"]


def test_of_files_that_were_looked_for_in_vain_the_one_that_the_error_names_is_the_root() -> None:
    story = Story()
    story.process(812, ("/usr/bin/python3", "main.py"))
    for name in ("libnvrtc.so", "libcuda.so", "libcudart.so"):
        story.look_up(812, "dlopen", name, False, by="/usr/bin/python3",
                      error=f"{name}: cannot open shared object file: No such file or directory")  # fmt: skip
    story.log("Traceback (most recent call last):", "RuntimeError: Library cudart is not initialized")
    story.end(812, 1)
    assert chain(story.state)[0] == "libcudart.so"
