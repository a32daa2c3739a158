"""How a collector ends, and that the target does not notice."""

import os
import signal
from pathlib import Path

import pytest

from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessListed
from inspector.stream.session import SessionEnded, SessionStarted

from .collector import Collector
from .targets import Life, Workshop


def test_the_end_of_requests_ends_it_in_order(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        collector.close_stdin()
        assert collector.finish().reason == "the viewer is gone"
        assert life.lives()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(workshop: Workshop, number: signal.Signals) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        collector.signal(number)
        assert collector.finish().reason == f"ended by {number.name}"
        assert life.lives()


def test_a_reader_that_goes_ends_it_without_a_word(workshop: Workshop) -> None:
    command = f"while sleep 0.05; do {workshop.program} exit:0; done"
    with Life("sh", "-c", command) as life, Collector(str(life.pid)) as collector:
        collector.wait(ProcessEnded)
        collector.stop_reading()
        assert collector.code() == 0
        assert "Traceback" not in collector.talk
        assert life.lives()


def test_quitting_ends_the_command_that_it_started_and_tells_its_end(workshop: Workshop) -> None:
    with Collector("--run", "--", str(workshop.program), "sleep:60000") as collector:
        pid = collector.program_of_run()
        assert collector.quit().reason == "asked to quit"
        assert collector.end(pid).signal == signal.SIGTERM
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.longer
def test_a_command_that_does_not_listen_is_made_to_end(workshop: Workshop) -> None:
    script = f"trap '' TERM; {workshop.program} sleep:60000 & wait; wait; sleep 60"
    with Collector("--run-output", "null", "--run", "--", "sh", "-c", script) as collector:
        pid = collector.program_of_run()
        collector.library(pid, "libc.so.6")
        assert isinstance(collector.quit(), SessionEnded)
        assert collector.end(pid).signal == signal.SIGKILL
        assert {collector.end(other).signal for other in collector.descendants_of(pid)} == {signal.SIGKILL}


@pytest.mark.longer
@pytest.mark.parametrize(
    "script", ["{0} sleep:60000; true", "{0} sleep:60000 & exit 0", "setsid {0} sleep:60000; true"]
)
def test_quitting_ends_all_that_the_command_brought_into_the_world(workshop: Workshop, script: str) -> None:
    program = str(workshop.program)
    with Collector("--run-output", "null", "--run", "--", "sh", "-c", script.format(program)) as collector:
        child = collector.wait(ProcessExec, lambda event: event.argv[:1] == [program])
        assert collector.quit().reason == "asked to quit"
        assert collector.end(child.pid).signal == signal.SIGTERM


@pytest.mark.longer
def test_keep_leaves_the_command_running(workshop: Workshop) -> None:
    with Collector("--keep", "--run-output", "null", "--run", "--", str(workshop.program), "sleep:60000") as collector:
        pid = collector.program_of_run()
        collector.quit()
        os.kill(pid, signal.SIGKILL)


def test_a_killed_collector_leaves_the_target_alone(workshop: Workshop) -> None:
    with Life(workshop.program, "line", "line", "exit:7") as life:
        with Collector(str(life.pid)) as collector:
            collector.library(life.pid, "libc.so.6")
            collector.signal(signal.SIGKILL)
            assert collector.code() == -signal.SIGKILL
        life.step()
        life.step()
        assert life.code() == 7


def test_listing_is_a_stream_of_rows(workshop: Workshop) -> None:
    with (
        Life(workshop.program, "line", env={"LD_PRELOAD": str(workshop.shim)}) as life,
        Collector("--list") as collector,
    ):
        row = collector.wait(ProcessListed, lambda e: e.pid == life.pid)
        assert (row.apis, row.libraries, row.preloads) == (["shim"], [str(workshop.shim)], [str(workshop.shim)])
        assert (row.user, row.observable) == ("root", "yes")
        assert collector.finish().ok


def test_capabilities_are_told_without_a_target() -> None:
    with Collector("--capabilities") as collector:
        assert collector.wait(SessionStarted).collector == collector.pid
        assert collector.finish().ok
