"""Commands that are started under observation, and children that live for a moment."""

from pathlib import Path

import pytest

from inspector.stream.libraries import LibraryMapped
from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted, SignalDelivered
from inspector.stream.session import SessionEnded, TargetMissing

from .collector import Collector, observed
from .targets import Workshop


def test_a_command_is_observed_from_its_first_program_to_its_exit_code(workshop: Workshop) -> None:
    seen = observed(str(workshop.program), "exit:3")
    (started,) = seen.all(ProcessStarted)
    (program,) = seen.all(ProcessExec)
    assert started.origin == "run"
    assert (program.argv, program.environment_source) == ([str(workshop.program), "exit:3"], "exec")
    assert seen.end(started.pid).code == 3
    assert seen.all(SessionEnded)[0].reason == "the command and everything it started have ended"


def test_children_of_50_ms_come_with_argv_environment_libraries_and_exit(workshop: Workshop) -> None:
    child = f"{workshop.program} load:{workshop.shim} sleep:50 exit:"
    script = "; ".join(f"INSPECTOR_TEST_N={n} {child}{n}" for n in range(1, 7))
    seen = observed("sh", "-c", f"{script}; true")
    children = seen.all(ProcessExec, lambda e: e.exe == str(workshop.program))
    assert [each.argv[-1] for each in children] == [f"exit:{n}" for n in range(1, 7)]
    for number, child_seen in enumerate(children, 1):
        assert child_seen.environment["INSPECTOR_TEST_N"] == str(number)
        assert child_seen.environment_source == "exec"
        assert seen.end(child_seen.pid).code == number
        libraries = {Path(e.path).name: e.route for e in seen.all(LibraryMapped) if e.pid == child_seen.pid}
        assert libraries["program"] == "executable"
        assert libraries["libc.so.6"] == "needed"
        assert libraries["libshim.so.1"] == "dlopen"


@pytest.mark.longer
def test_children_that_end_at_once_come_with_their_libraries_too(workshop: Workshop) -> None:
    seen = observed("sh", "-c", f"for n in 1 2 3 4 5 6 7 8; do {workshop.program} exit:$n; done; true")
    children = seen.all(ProcessExec, lambda e: e.exe == str(workshop.program))
    assert len(children) == 8
    for child in children:
        assert seen.end(child.pid).code == int(child.argv[-1].removeprefix("exit:"))
        names = {Path(e.path).name for e in seen.all(LibraryMapped) if e.pid == child.pid}
        assert {"program", "libc.so.6"} <= names


@pytest.mark.longer
def test_what_a_loaded_library_needs_is_told_so_even_in_a_process_that_is_gone(workshop: Workshop) -> None:
    seen = observed("sh", "-c", f"for n in 1 2 3; do {workshop.program} load:{workshop.top} exit:0; done; true")
    for child in seen.all(ProcessExec, lambda e: e.exe == str(workshop.program)):
        libraries = {Path(e.path).name: e for e in seen.all(LibraryMapped) if e.pid == child.pid}
        assert libraries["libtop.so"].route == "dlopen"
        shim = libraries["libshim.so.1"]
        assert (shim.route, shim.route_by, shim.asked) == ("needed", str(workshop.top), "libshim.so.1")


def test_a_fork_without_exec_has_its_parents_libraries(workshop: Workshop) -> None:
    seen = observed(str(workshop.program), f"load:{workshop.shim}", "fork:20")
    parent, child = seen.all(ProcessStarted)
    assert (child.ppid, child.origin, seen.end(child.pid).code) == (parent.pid, "fork", 5)
    inherited = {Path(e.path).name for e in seen.all(LibraryMapped) if e.pid == child.pid}
    assert {"program", "libc.so.6", "libshim.so.1"} <= inherited


def test_a_crash_is_told_with_signal_and_place(workshop: Workshop) -> None:
    seen = observed(str(workshop.program), "crash")
    ended = seen.all(ProcessEnded)[-1]
    assert (ended.code, ended.signal) == (None, 11)
    signal = seen.wait(SignalDelivered)
    assert (signal.signal, signal.fatal, signal.library) == (11, True, str(workshop.program))


def test_a_shell_that_becomes_another_program_keeps_its_pid(workshop: Workshop) -> None:
    seen = observed("sh", "-c", f"exec {workshop.program} exit:4")
    first, second = seen.all(ProcessExec)
    assert first.pid == second.pid
    assert second.exe == str(workshop.program)
    assert seen.end(first.pid).code == 4


def test_a_command_that_ends_at_once_is_told_whole() -> None:
    seen = observed("true")
    assert seen.all(ProcessEnded)[0].code == 0
    assert seen.all(ProcessExec)[0].argv == ["true"]


@pytest.mark.longer
def test_a_command_that_cannot_be_started_is_said_in_words() -> None:
    with Collector("--run", "--", "/nowhere/at-all") as collector:
        missing = collector.wait(TargetMissing)
        assert missing.why == "cannot start /nowhere/at-all: no such file"
        assert not collector.finish().ok


@pytest.mark.longer
def test_output_of_the_command_goes_where_it_is_told(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with Collector("--run-output", str(output), "--run", "--", "sh", "-c", "echo out; echo err >&2") as collector:
        collector.finish()
    assert output.read_text() == "out\nerr\n"


@pytest.mark.longer
def test_without_a_word_about_it_the_output_joins_what_is_said_to_people() -> None:
    with Collector("--run", "--", "echo", "to the talk") as collector:
        collector.finish()
        assert "to the talk\n" in collector.talk


def test_an_output_that_cannot_be_written_is_said_in_words() -> None:
    with Collector("--run-output", "/nowhere/at/all", "--", "true") as collector:
        assert "cannot write the command's output" in collector.wait(TargetMissing).why
        collector.finish()
