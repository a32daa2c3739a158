"""Rules about where the words of a process go."""

from typing import Literal

import pytest

from inspector.model.diagnosis import diagnose
from inspector.stream.calls import FileOpened
from inspector.stream.logs import LogChanged, LogFound, WritesSeen
from inspector.stream.processes import Descriptor, DescriptorsRead

from ..asking import CPU, CUDA, answer, findings, found, healthy, rules, rung
from ..build import SECOND, Story


def _with_stderr(kind: str, target: str) -> Story:
    story = healthy()
    descriptor = Descriptor(fd=2, target=target, kind=kind, writable=True)  # type: ignore[arg-type]
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[descriptor]))
    return story


def test_output_that_goes_nowhere_is_a_warning_behind_the_answer() -> None:
    story = _with_stderr("null", "/dev/null")
    story.tell(WritesSeen(at=story.later(), pid=812, fd=2, writes=14, bytes=900, sample=["[x] cuInit() CALLED"]))
    assert rules(story) == ["gpu-in-use", "output-discarded"]
    finding = found(story, "output-discarded")
    assert "standard error of PID 812 (server) is /dev/null; 14 writes went there" in finding.title
    assert any("cuInit() CALLED" in row.text for row in finding.evidence)
    assert (rung(story, "logged").reached, rung(story, "logged").detail) == (
        False,
        "stderr is /dev/null; 14 writes went there",
    )


def test_output_that_goes_to_a_file_or_of_a_process_without_a_gpu_is_nothing_to_tell() -> None:
    assert rules(_with_stderr("file", "/var/log/x.log")) == ["gpu-in-use"]
    story = Story()
    story.process(812, ("/bin/sleep", "60"))
    null = Descriptor(fd=2, target="/dev/null", kind="null")
    story.tell(DescriptorsRead(at=story.later(), pid=812, descriptors=[null]))
    assert rules(story) == []


def test_a_log_that_cannot_be_written_is_told_with_the_reason() -> None:
    story = healthy()
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/tmp/vgpu_last_error", errno=13, writable=True))
    finding = found(story, "log-not-writable")
    assert "could not write /tmp/vgpu_last_error: EACCES" in finding.title
    assert answer(story).cause == f"It works. Also: {finding.title}."


def test_a_log_that_was_written_or_a_device_that_was_not_is_no_log_fault() -> None:
    story = healthy()
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/tmp/vgpu_last_error", writable=True))
    story.tell(FileOpened(at=story.later(), pid=812, tid=812, path="/dev/nvidia0", errno=13, writable=True))
    assert "log-not-writable" not in rules(story)


def test_nul_bytes_and_unreadable_logs_are_told() -> None:
    story = healthy()
    story.log("[libvgpu-cuda] x", name="/tmp/vgpu.log", source=4)
    story.tell(LogChanged(at=story.later(), source=4, what="nul-bytes", detail="12 NUL bytes"))
    finding = found(story, "log-unreadable")
    assert "vgpu.log holds NUL bytes" in finding.title and "12 NUL bytes" in finding.cause
    assert finding.command.startswith("grep -a")
    story.tell(
        LogFound(at=story.later(), source=5, name="/var/log/x", kind="file", why="x", readable=False, problem="EACCES")
    )
    assert any("/var/log/x cannot be read: EACCES" in one.title for one in findings(story))
    assert "log-unreadable" not in rules(healthy())


def test_a_file_that_turns_out_to_be_no_text_is_no_broken_log() -> None:
    story = healthy()
    story.tell(LogFound(at=story.later(), source=4, name="/srv/film.mp4", kind="file", why="open", readable=True))
    story.tell(LogChanged(at=story.later(), source=4, what="nul-bytes", detail="13 NUL bytes"))
    assert "log-unreadable" not in rules(story)
    story.log("ftyp", name="/srv/film.mp4", source=4)
    story.tell(LogChanged(at=story.later(), source=4, what="binary"))
    assert "log-unreadable" not in rules(story)


@pytest.mark.parametrize("kind", ["pipe", "tty", "journal"])
def test_output_that_somebody_else_reads_is_no_finding(kind: Literal["pipe", "tty", "journal"]) -> None:
    story = healthy()
    story.tell(
        LogFound(
            at=story.later(), source=5, name="stdout of PID 812: pipe:[7]", kind=kind, why="fd 1", readable=False,
            problem="can be read only by its reader",
        )
    )  # fmt: skip
    assert "log-unreadable" not in rules(story)


def test_lines_of_an_earlier_run_do_not_decide_and_are_told() -> None:
    story = Story()
    story.log('msg="Listening on 127.0.0.1:11434 (version 0.13.5)"', CUDA, backlog=True)
    story.process(812)
    story.log('msg="Listening on 127.0.0.1:11434 (version 0.13.5)"', CPU)
    finding = found(story, "log-of-earlier-run")
    assert finding.severity == "info" and "library=CUDA" in finding.cause
    assert diagnose(story.state).mode.verdict == "cpu"


def test_old_lines_of_a_process_that_began_before_us_count_from_its_own_start_on() -> None:
    story = Story()
    story.process(812, age=60 * SECOND)
    listening = 'msg="Listening on 127.0.0.1:11434 (version 0.13.5)"'
    story.log(listening, CUDA, listening, CPU, backlog=True)
    mode = diagnose(story.state).mode
    assert (mode.verdict, mode.confidence) == ("cpu", "proven")
    assert "log-of-earlier-run" in rules(story)


def test_old_lines_without_time_or_start_are_only_a_guess() -> None:
    story = Story()
    story.process(812, age=60 * SECOND)
    story.log("load_tensors: offloaded 29/29 layers to GPU", backlog=True)
    mode = diagnose(story.state).mode
    assert (mode.verdict, mode.confidence) == ("cuda", "guess")
    assert "gpu-in-use" not in rules(story)


def test_a_log_of_this_start_only_is_nothing_to_tell() -> None:
    story = healthy()
    story.log(CUDA)
    assert rules(story) == ["gpu-in-use"]
    assert answer(story).severity == "info"
