"""Targets that cannot be observed, and hostile ones: always words, never a traceback, never a raw byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

from inspector.stream.libraries import ImageRead
from inspector.stream.processes import ProcessEnded, ProcessExec
from inspector.stream.session import LimitNoted, SessionEnded

from .collector import NOBODY, Collector, refusal
from .targets import Life, Workshop


def test_a_pid_that_does_not_exist_is_said() -> None:
    answer = refusal("4194303")
    assert (answer.kind, answer.why, answer.help) == ("no-such-target", "there is no process 4194303", "inspector list")


def test_a_kernel_thread_is_no_target() -> None:
    answer = refusal("2")
    assert answer.kind == "no-such-target"
    assert "is a kernel thread" in answer.why


def test_a_zombie_is_told_with_the_parent_that_forgot_it() -> None:
    code = "import os, sys; p = os.fork() or os._exit(0); print(p, flush=True); sys.stdin.read()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout and parent.stdin
    zombie = int(parent.stdout.readline())
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    while b"\nState:\tZ" not in Path(f"/proc/{zombie}/status").read_bytes():
        pass
    answer = refusal(str(zombie))
    parent.communicate(b"")
    assert (answer.kind, answer.help) == ("ended", f"inspector {parent.pid}")
    assert "zombie" in answer.why


def test_a_name_that_nobody_has_is_said_with_what_helps() -> None:
    answer = refusal("no-such-program-anywhere")
    assert answer.kind == "no-such-target"
    assert "inspector --wait no-such-program-anywhere" in answer.help


def test_a_name_of_several_trees_is_answered_with_the_candidates(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as one, Life(workshop.program, "line") as other:
        answer = refusal(str(workshop.program))
        assert str(one.pid) in answer.why and str(other.pid) in answer.why
        assert answer.help.endswith(str(min(one.pid, other.pid)))


def test_a_part_of_the_command_line_names_the_topmost_of_one_tree(workshop: Workshop) -> None:
    with Life("sh", "-c", f"{workshop.program} line my-own-word; true") as life, Collector("my-own-word") as collector:
        assert collector.wait(ProcessExec).pid == life.pid
        collector.quit()


def test_units_containers_and_empty_targets_that_are_not_there_are_said() -> None:
    assert "no process runs in the unit nothing.service" in refusal("unit:nothing.service").why
    assert "no process runs in a container" in refusal("container:0123456789ab").why
    assert "names nothing" in refusal("unit:").why


def test_another_users_process_without_root_is_refused_with_the_command_that_helps(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as life:
        answer = refusal(str(life.pid), uid=NOBODY)
        assert answer.kind == "not-permitted"
        assert "belongs to root" in answer.why and "libraries" in answer.why
        assert answer.help == f"sudo inspector {life.pid}"


def test_words_that_make_no_sense_are_a_usage_error() -> None:
    for words in ([], ["1", "--", "true"], ["--run"]):
        with Collector(*words) as collector:
            assert collector.code() == 2
            assert collector.events == []


def test_hostile_names_and_arguments_arrive_harmless(workshop: Workshop, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\x1b]0;owned\x07[red]\xff\n"
    Path(os.fsdecode(folder)).mkdir()
    library = folder + b"/lib\xe2\x80\xaeshim.so"
    workshop.shim_at(library)
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


def test_targets_that_end_during_the_attach_are_never_a_traceback(workshop: Workshop) -> None:
    for delay in range(0, 200, 25):
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
