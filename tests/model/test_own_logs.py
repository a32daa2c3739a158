"""Whose words a line is that several processes could have written, and what a library's own log adds to its answer."""

from inspector.stream.calls import FileOpened
from inspector.stream.logs import LogFound
from inspector.stream.processes import Descriptor, DescriptorsRead

from .asking import BACKEND, answer
from .build import Story

OUTPUT, SHIMS = "/var/log/server.log", "/var/log/vgpu.log"
FFI = "/usr/lib/libffi.so.8"
REFUSED = 'level=WARN msg="falling back to CPU" error="cuDevicePrimaryCtxRetain failed: 46 device unavailable"'


def shared_log() -> Story:
    """A server and its runner, which has the driver and calls it by a foreign function interface; one log for both."""
    story = Story(attach=True)
    story.process(800, ["/usr/bin/python3", "/opt/app/server.py", "serve"], age=10**10)
    story.process(812, ["/usr/bin/python3", "/opt/app/server.py", "runner"], age=10**9, parent=800)
    story.driver(812, watch=False)
    story.image(FFI, soname="libffi.so.8")
    story.map(812, FFI)
    for pid in (800, 812):
        output = [Descriptor(fd=fd, target=OUTPUT, kind="file", writable=True) for fd in (1, 2)]
        story.tell(DescriptorsRead(at=story.later(), pid=pid, descriptors=output))
    found = LogFound(at=story.later(), source=1, name=OUTPUT, kind="file", why="fd 2", pids=[800, 812])
    story.tell(found)
    story.log(REFUSED, "offloaded 0/33 layers to GPU", backlog=True)
    return story


def shims_log(story: Story, *lines: str) -> None:
    """The shim's own log, which only the runner writes to."""
    found = LogFound(at=story.later(), source=2, name=SHIMS, kind="file", why="open for writing by PID 812", pids=[812])
    story.tell(found)
    story.log(*lines, backlog=True, source=2)


def test_a_call_that_a_shared_log_tells_of_is_one_of_the_process_that_has_the_library() -> None:
    finding = answer(shared_log())
    assert (finding.rule, finding.pid) == ("api-error", 812)
    assert "PID 812 (server.py)" in finding.title
    assert finding.command == "nvidia-smi -q -d COMPUTE,PIDS || inspector list", "who holds the device"


def test_the_librarys_own_log_says_why_it_refused() -> None:
    story = shared_log()
    shims_log(story, "[vgpu] cuInit", "[vgpu] ERROR cannot reach worker: No such file or directory", "[vgpu] bye")
    finding = answer(story)
    assert f"{SHIMS} says: [vgpu] cannot reach worker: No such file or directory." in finding.cause
    assert finding.next_step == "fix what vgpu.log reports, then start again"
    assert finding.command == f"sed -n 2p {SHIMS}"
    assert finding.chain[-1].text == "[vgpu] cannot reach worker: No such file or directory"
    assert any(row.by_hand == f"sed -n 2p {SHIMS}" for row in finding.evidence)


def test_what_the_library_writes_without_trouble_is_no_reason() -> None:
    story = shared_log()
    shims_log(story, "[vgpu] cuInit", "[vgpu] no errors so far")
    assert SHIMS not in answer(story).cause


def test_trouble_after_the_answer_does_not_explain_it() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.tell(LogFound(at=story.later(), source=2, name=SHIMS, kind="file", why="open for writing", pids=[812]))
    story.call(812, "cuInit", 999, by=BACKEND)
    story.later(10**9)
    story.log("[vgpu] ERROR cannot reach worker", source=2)
    assert "worker" not in answer(story).cause


def called_and_printed(*lines: str) -> Story:
    """A call that is refused, and what the program's output says during it."""
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    name = "stdout and stderr of server"
    story.tell(LogFound(at=story.later(), source=2, name=name, kind="file", why="captured", pids=[812]))
    story.call(812, "cuInit", 999, by=BACKEND)
    story.log(*lines, source=2)
    return story


def test_what_was_printed_during_the_call_says_why_as_well() -> None:
    story = called_and_printed("vgpu: licence check failed", "cuInit failed with error 999", "cannot go on: failed")
    assert answer(story).cause.startswith("Its output says: vgpu: licence check failed.")


def test_a_line_that_only_tells_of_the_answer_is_no_reason() -> None:
    assert "output says" not in answer(called_and_printed("cuInit failed with error 999")).cause


def test_the_traceback_that_follows_a_refusal_is_no_reason_for_it() -> None:
    assert "output says" not in answer(called_and_printed("Traceback (most recent call last):", "  File x")).cause


def test_nor_is_an_exception_that_the_program_reports_with_its_traceback() -> None:
    story = called_and_printed("ERROR:root:Exception: no handles", "Traceback (most recent call last):", "  File x")
    assert "output says" not in answer(story).cause


def test_a_line_of_an_earlier_run_is_no_reason_for_an_answer_of_this_one() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    born = story.state.session.wall - 10**12 if story.state.session is not None else 0
    story.tell(LogFound(at=story.later(), source=2, name=SHIMS, kind="file", why="open", pids=[812], born=born))
    story.log("[vgpu] ERROR cannot reach worker", source=2, backlog=True)
    story.call(812, "cuInit", 999, by=BACKEND)
    assert "worker" not in answer(story).cause


def test_a_log_that_the_program_opened_before_it_had_the_library_is_the_programs_own() -> None:
    story = Story()
    story.process(812)
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path=SHIMS, writable=True))
    story.look_up(812, "dlopen", "libcuda.so.1", answer="/opt/shim/libcuda.so.1", entered=story.later())
    story.driver(812)
    story.consumer(812, BACKEND)
    story.tell(LogFound(at=story.later(), source=2, name=SHIMS, kind="file", why="open for writing", pids=[812]))
    story.log("ERROR cannot reach the container engine", source=2)
    story.later(10**9)
    story.call(812, "cuInit", 999, by=BACKEND)
    assert "engine" not in answer(story).cause
