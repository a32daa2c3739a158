"""A program that ends by its own error: what it says of the GPU decides whether that error stands alone."""

from inspector.stream.calls import FileOpened
from inspector.stream.logs import WritesSeen

from ..asking import BACKEND, answer
from ..build import Story
from .asking import analysis, decision
from .test_decision import CHANNELS


def _fails(*lines: str, nodes: tuple[str, ...] = ()) -> Story:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"))
    for node in nodes:
        story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=node, errno=2, writable=True))
    story.log("Traceback (most recent call last):", '  File "main.py", line 3, in <module>', *lines)
    story.end(812, 1)
    return story


def test_an_error_about_something_else_is_no_matter_of_the_gpu() -> None:
    first = answer(_fails("ModuleNotFoundError: No module named 'numpy'"))
    assert first.rule == "ended-by-own-error"
    assert "nothing related to the GPU failed before" in first.cause


def test_an_error_about_the_gpu_is_never_said_to_be_unrelated_to_it() -> None:
    first = answer(_fails("AttributeError: failed to load library cuda: try setting CUDA_PATH?"))
    assert (first.rule, first.confidence) == ("ended-by-own-error", "likely")
    assert "nothing related to the GPU" not in first.cause


def test_a_device_file_that_was_refused_before_is_what_no_usable_device_means() -> None:
    story = _fails("RuntimeError: no usable devices", nodes=("/dev/kfd", "/dev/nvidiactl"))
    assert (decision(story.state).verdict, decision(story.state).confidence) == ("cpu", "likely")
    assert answer(story).rule == "device-node-missing"
    assert "/dev/nvidiactl" in answer(story).title


def test_a_driver_that_its_loader_was_refused_is_what_the_error_means() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"))
    egl = "/usr/lib/libEGL.so.1"
    story.look_up(812, "dlopen", "libEGL.so.1", answer=egl, by="/usr/bin/python3")
    story.image(egl, soname="libEGL.so.1", exports=("eglInitialize",))
    story.map(812, egl)
    error = "libnope.so.0: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libnope.so.0", found=False, by=egl, error=error)
    story.log("Traceback (most recent call last):", '  File "main.py", line 3', "ImportError: Cannot initialize EGL")
    story.end(812, 1)
    assert (answer(story).rule, answer(story).confidence) == ("lookup-failed", "likely")
    assert "libnope.so.0" in answer(story).title


def test_a_name_that_the_program_itself_lacks_is_a_consequence_of_the_refused_library() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"))
    story.consumer(812, BACKEND)
    error = "libcuda.so.1: cannot open shared object file: No such file or directory"
    story.look_up(812, "dlopen", "libcuda.so.1", found=False, by=BACKEND, error=error)
    name = "cuGetErrorString"
    story.look_up(812, "dlsym", name, found=False, by=BACKEND, error=f"/usr/bin/python3: undefined symbol: {name}")
    story.end(812, 1)
    assert "asked for libcuda.so.1" in answer(story).title


def test_a_driver_that_is_too_old_is_a_matter_of_the_gpu() -> None:
    first = answer(_fails("RuntimeError: Driver version is too old"))
    assert first.confidence == "likely" and "nothing related to the GPU" not in first.cause


def test_an_error_about_a_device_after_a_driver_was_asked_is_not_unrelated() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"))
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", by=BACKEND)
    story.call(812, "cuDeviceGetCount", by=BACKEND, values={"count": 1})
    story.log(
        "Traceback (most recent call last):", '  File "main.py", line 3', "RuntimeError: Failed to create device!"
    )
    story.end(812, 1)
    first = answer(story)
    assert (first.rule, first.confidence) == ("ended-by-own-error", "likely")
    assert "nothing related to the GPU" not in first.cause and "got as far as cuDeviceGetCount" in first.cause


def test_a_full_disk_is_no_matter_of_a_device_file() -> None:
    story = _fails("OSError: [Errno 28] No space left on device", nodes=("/dev/nvidiactl",))
    assert answer(story).rule == "ended-by-own-error"


def test_a_build_without_the_gpu_says_so_by_its_error() -> None:
    first = answer(_fails("LightError: CUDA Tree Learner was not enabled in this build."))
    assert first.rule == "cpu-only-build"


def test_a_setting_that_forbids_the_gpu_is_what_an_error_about_the_gpu_means() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"), environment={"NUMBA_DISABLE_CUDA": "1"})
    story.log("Traceback (most recent call last):", '  File "main.py", line 3', "CudaSupportError: CUDA is disabled")
    story.end(812, 1)
    first = answer(story)
    assert (first.rule, "-u NUMBA_DISABLE_CUDA" in first.command) == ("ended-by-own-error", True)
    assert "NUMBA_DISABLE_CUDA=1" in first.cause


def test_what_an_error_with_a_colon_at_its_end_says_on_its_next_line_is_told_with_it() -> None:
    first = answer(_fails("CudaSupportError: Error at driver init: ", "", "CUDA driver library cannot be found."))
    assert first.title.endswith("Error at driver init: CUDA driver library cannot be found.")


def test_an_error_of_which_the_number_alone_is_told_is_no_empty_name_that_was_looked_up() -> None:
    story = Story(can=CHANNELS)
    story.process(812, ("/usr/bin/python3", "main.py"))
    story.driver(812)
    story.look_up(812, "cuGetProcAddress_v2", "", answer="/opt/shim/libcuda.so.1", by="/usr/bin/python3")
    story.log("Traceback (most recent call last):", '  File "main.py", line 3',
              "CUDARuntimeError: cudaErrorInsufficientDriver: CUDA driver version is insufficient")  # fmt: skip
    story.end(812, 1)
    assert "35 (cudaErrorInsufficientDriver)" in answer(story).title


def test_the_line_of_a_traceback_that_raises_an_error_is_no_reason_of_it() -> None:
    first = answer(_fails("    raise ValueError(\"RMM isn't installed, can't train on GPU.\")",
                          "ValueError: RMM isn't installed, can't train on GPU."))  # fmt: skip
    assert first.rule == "ended-by-own-error" and "before that it said" not in first.cause


def test_software_that_an_error_names_is_to_be_installed_whatever_the_machine_has() -> None:
    first = answer(_fails("ValueError: RMM isn't installed, can't train on GPU."))
    assert first.next_step.startswith("install what the error names")


def test_an_error_among_the_first_lines_is_no_last_word_where_more_was_written() -> None:
    lines = ["Traceback (most recent call last):", "ImportError: no module named gpu"]

    def said(written: int) -> list[str]:
        story = Story()
        story.process(812)
        story.tell(WritesSeen(at=story.later(), pid=812, fd=2, writes=2, bytes=written, sample=lines))
        story.end(812, code=1)
        return [word.refusal for word in analysis(story.state).words]

    assert "own-error" in said(sum(len(line) + 1 for line in lines))
    assert "own-error" not in said(7_000)
