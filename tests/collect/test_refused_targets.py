"""Targets that cannot be observed, and hostile ones: always words, never a traceback, never a raw byte."""

import json
import os
from pathlib import Path

import pytest

from inspector.stream.libraries import ImageRead
from inspector.stream.processes import ProcessEnded, ProcessExec
from inspector.stream.session import LimitNoted, SessionEnded

from .collector import NOBODY, Collector, refusal
from .targets import Life, Workshop


def test_a_pid_that_does_not_exist_is_said() -> None:
    answer = refusal("4194303")
    assert (answer.kind, answer.why, answer.help) == (
        "no-such-target",
        "there is no process with PID 4194303",
        "inspector list",
    )


def test_a_part_of_the_command_line_names_the_topmost_of_one_tree(workshop: Workshop) -> None:
    with Life("sh", "-c", f"{workshop.program} line my-own-word; true") as life, Collector("my-own-word") as collector:
        assert collector.wait(ProcessExec).pid == life.pid
        collector.quit()


def test_another_users_process_without_root_is_refused_with_the_command_that_helps(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        answer = refusal(str(life.pid), uid=NOBODY)
        assert answer.kind == "not-permitted"
        assert "belongs to root" in answer.why and "libraries" in answer.why
        assert answer.help == f"sudo inspector {life.pid}"


def test_hostile_names_and_arguments_arrive_harmless(workshop: Workshop, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\x1b]0;owned\x07[red]\xff\n"
    Path(os.fsdecode(folder)).mkdir()
    library = folder + b"/lib\xe2\x80\xaeshim.so"
    workshop.shim_at(Path(os.fsdecode(library)))
    words = [b"load:" + library, b"\x1b[2J", b"[bold]x[/bold]", b"line"]
    with Life(workshop.program, *words) as life, Collector(str(life.pid)) as collector:
        program = collector.program(life.pid)
        assert program.argv[2:] == ["␛[2J", "[bold]x[/bold]", "line"]
        mapped = collector.library(life.pid, "shim.so")
        assert mapped.path == f"{tmp_path}/␛]0;owned␇[red]\\xff␊/lib\N{REPLACEMENT CHARACTER}shim.so"
        assert mapped.state == "current"
        image = collector.wait(ImageRead, lambda e: e.file == mapped.file)
        assert (image.error, image.soname) == (None, "libshim.so.1")
        collector.quit()
        assert all(byte >= 0x20 or byte == 0x0A for byte in b"".join(collector.raw))
        assert all(json.loads(line) for line in collector.raw)


@pytest.mark.longer
def test_a_program_whose_file_is_deleted_is_told(workshop: Workshop, tmp_path: Path) -> None:
    copy = tmp_path / "gone"
    copy.write_bytes(workshop.program.read_bytes())
    copy.chmod(0o755)
    with Life(copy, "line") as life:
        copy.unlink()
        with Collector(str(life.pid)) as collector:
            assert collector.program(life.pid).exe == str(copy)
            mapped = collector.library(life.pid, "/gone")
            assert (mapped.route, mapped.state) == ("executable", "deleted")
            assert collector.wait(ImageRead, lambda e: e.file == mapped.file).error is None
            collector.quit()


def test_a_target_that_ends_while_observed_ends_the_session_in_order(workshop: Workshop) -> None:
    with Life(workshop.program, "line", "exit:6") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        life.step()
        assert collector.end(life.pid).code == 6
        ended = collector.finish()
        assert (ended.reason, ended.ok) == ("the whole tree has ended", True)


@pytest.mark.longer
def test_targets_that_end_during_the_attach_are_never_a_traceback(workshop: Workshop) -> None:
    for delay in (0, 100, 180):
        with Life("sh", "-c", f"{workshop.program} sleep:{delay}; true") as life, Collector(str(life.pid)) as collector:
            assert isinstance(collector.finish(), SessionEnded)
            assert not collector.all(LimitNoted, lambda e: e.what.endswith("would have told")), collector.talk
            assert "Traceback" not in collector.talk


def test_a_killed_target_is_told_with_its_signal(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        life.kill()
        assert collector.wait(ProcessEnded).signal == 9
        collector.finish()
