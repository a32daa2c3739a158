"""Processes that are born or join after the collector: waiting, libraries that somebody maps, containers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.stream.processes import ProcessEnded, ProcessExec, ProcessStarted
from inspector.stream.session import LimitNoted, Settled

from .collector import NOBODY, Collector
from .targets import Life, Workshop


def _named(workshop: Workshop, path: Path) -> Path:
    shutil.copy(workshop.program, path)
    return path


def test_a_program_that_is_waited_for_is_observed_from_its_first_instruction(
    workshop: Workshop, tmp_path: Path
) -> None:
    program = _named(workshop, tmp_path / "awaited")
    with Collector("--wait", "--target=awaited") as collector:
        collector.hears("waiting for awaited")
        assert collector.wait(Settled).id == 0
        subprocess.run([program, f"load:{workshop.shim}", "exit:3"], check=False)
        seen = collector.wait(ProcessExec)
        assert (seen.exe, seen.environment_source) == (str(program), "exec")
        assert collector.end(seen.pid).code == 3
        assert collector.library(seen.pid, "libshim.so.1").route == "dlopen"
        collector.quit()


def test_a_program_that_is_waited_for_by_its_path_is_met_when_it_is_started_by_a_relative_one(
    workshop: Workshop, tmp_path: Path
) -> None:
    program = _named(workshop, tmp_path / "relative")
    with Collector("--wait", f"--target={program}") as collector:
        collector.hears(f"waiting for {program}: start it now")
        assert collector.wait(Settled).id == 0
        with subprocess.Popen(["./relative", "line"], cwd=tmp_path, stdin=subprocess.PIPE) as life:
            seen = collector.wait(ProcessExec)
            assert (seen.pid, seen.argv[0], seen.environment_source) == (life.pid, "./relative", "exec")
            life.communicate(b"\n")
        collector.quit()


@pytest.mark.longer
def test_a_program_that_is_started_through_a_link_of_another_name_joins_a_little_later(
    workshop: Workshop, tmp_path: Path
) -> None:
    program = _named(workshop, tmp_path / "meant")
    (tmp_path / "called").symlink_to(program)
    with Collector("--wait", "--target=meant") as collector:
        collector.hears("waiting for meant")
        with Life(tmp_path / "called", "line") as life:
            assert collector.wait(ProcessStarted).pid == life.pid
        collector.quit()


@pytest.mark.longer
def test_waiting_goes_on_for_each_later_start(workshop: Workshop, tmp_path: Path) -> None:
    program = _named(workshop, tmp_path / "again")
    with Collector("--wait", "--target=again") as collector:
        collector.hears("waiting for again")
        for number in (1, 2):
            subprocess.run([program, f"exit:{number}"], check=False)
            assert collector.wait(ProcessEnded, lambda e: e.code == number).pid  # noqa: B023
        collector.quit()
        assert len(collector.all(ProcessStarted)) == 2


@pytest.mark.longer
def test_waiting_for_what_is_there_already_attaches_to_it(workshop: Workshop, tmp_path: Path) -> None:
    program = _named(workshop, tmp_path / "already")
    with Life(program, "line") as life, Collector("--wait", "--target=already") as collector:
        assert collector.program(life.pid).exe == str(program)
        collector.quit()


@pytest.mark.longer
def test_a_word_in_somebody_elses_arguments_is_not_the_awaited_program(workshop: Workshop, tmp_path: Path) -> None:
    program = _named(workshop, tmp_path / "expected")
    with Collector("--wait", "--target=expected") as collector:
        collector.hears("waiting for expected")
        subprocess.run([workshop.program, "expected", "exit:1"], check=False)
        subprocess.run([program, "exit:2"], check=False)
        collector.wait(ProcessEnded, lambda e: e.code == 2)
        collector.quit()
        assert [each.exe for each in collector.all(ProcessExec)] == [str(program)]


def test_whoever_maps_a_library_now_or_later_is_observed(workshop: Workshop, tmp_path: Path) -> None:
    library = tmp_path / "libwatched.so"
    workshop.shim_at(library)
    with Life(workshop.program, f"load:{library}", "line") as now, Collector(f"lib:{library}") as collector:
        assert collector.library(now.pid, "libwatched.so").route == "dlopen"
        with Life(workshop.program, "line", f"load:{library}", "line", "line") as later:
            later.step()
            later.step()
            started = collector.wait(ProcessStarted, lambda e: e.pid == later.pid)
            assert started.origin == "map"
            assert collector.library(later.pid, "libwatched.so").route == "dlopen"
        collector.quit()


@pytest.mark.longer
def test_a_library_that_nobody_maps_yet_is_waited_for(workshop: Workshop, tmp_path: Path) -> None:
    library = tmp_path / "libnever.so"
    with Collector(f"lib:{library}") as collector:
        collector.hears("waiting for lib:")
        workshop.shim_at(library)
        with Life(workshop.program, f"load:{library}", "line") as life:
            assert collector.library(life.pid, "libnever.so").state == "current"
        collector.quit()


def test_without_root_waiting_looks_now_and_then_and_says_what_that_misses(workshop: Workshop) -> None:
    program = _named(workshop, workshop.folder / "awaited-by-nobody")
    change = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    with Collector("--wait", "--target=awaited-by-nobody", uid=NOBODY) as collector:
        collector.hears("waiting for awaited-by-nobody")
        with Life(*change, str(program), "line") as life:
            assert collector.wait(ProcessExec, lambda e: e.exe == str(program)).pid == life.pid
            assert collector.library(life.pid, "libc.so.6").route == "needed"
        assert collector.wait(LimitNoted, lambda e: e.what.startswith("the first moments")).grant
        collector.quit()
