"""What the user names and which processes that means."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from inspector.collect import target
from inspector.collect.kernel import procfs
from inspector.collect.kernel.records import Mapped
from inspector.collect.sources.processes.joining import Program
from inspector.collect.target import (
    TargetError,
    _refusal,
    find_pid,
    has_name,
    in_command_line,
    is_mapping_of,
    maps_file,
    parse_target,
    processes_mapping,
    topmost,
)

from .targets import Life, Workshop


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("4242", "pid", "4242"),
        ("ollama", "name", "ollama"),
        ("ollama serve", "name", "ollama serve"),
        ("unit:ollama.service", "unit", "ollama.service"),
        ("container:0123", "container", "0123"),
        ("lib:/usr/lib/libcuda.so.1", "library", "/usr/lib/libcuda.so.1"),
        ("weird:thing", "name", "weird:thing"),
        ("²", "name", "²"),
    ],
)
def test_a_target_is_what_its_form_says(text: str, kind: str, value: str) -> None:
    target = parse_target(text)
    assert (target.kind, target.value) == (kind, value)


@pytest.mark.parametrize("text", ["", "  ", "unit:", "container:", "lib:"])
def test_a_target_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        parse_target(text)


def test_a_kernel_thread_is_no_target() -> None:
    with pytest.raises(TargetError, match="is a kernel thread") as caught:
        find_pid(2)
    assert caught.value.kind == "no-such-target"


def test_a_zombie_is_told_with_the_parent_that_forgot_it() -> None:
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TargetError, match=f"zombie until its parent {os.getpid()} ") as caught:
        find_pid(zombie)
    os.waitpid(zombie, 0)
    assert (caught.value.kind, caught.value.help) == ("ended", f"inspector {os.getpid()}")


def test_the_number_of_a_thread_means_its_process() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert thread.native_id is not None
    assert find_pid(thread.native_id) == os.getpid()
    stop.set()
    thread.join()


@pytest.mark.parametrize(
    ("text", "why", "help"),
    [
        ("4194303", "there is no process with PID 4194303", "inspector list"),
        ("no-such-program", "no process has `no-such-program`", "inspector --wait no-such-program"),
        ("/etc/passwd", "it is a file, but not a recording", "inspector lib:/etc/passwd"),
        ("unit:nothing", "no process runs in the unit nothing", "inspector --wait unit:nothing"),
        ("container:0123456789ab", "no process runs in a container", "inspector --wait container:0123456789ab"),
    ],
)
def test_what_is_not_there_is_said_with_what_helps(text: str, why: str, help: str) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        parse_target(text).find()
    assert help in caught.value.help


def test_a_name_of_several_trees_is_answered_with_the_candidates(workshop: Workshop) -> None:
    with Life(workshop.program, "line") as one, Life(workshop.program, "line") as other:
        with pytest.raises(TargetError, match="matches 2 process trees") as caught:
            parse_target(str(workshop.program)).find()
        assert str(one.pid) in caught.value.why and str(other.pid) in caught.value.why
        assert caught.value.help.endswith(f"inspector {min(one.pid, other.pid)}")


def test_who_waits_keeps_all_that_run_it_and_nobody_who_only_names_it(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "_ourselves", lambda: {os.getpid()})  # the targets are our children here
    program = tmp_path / "kept"
    shutil.copy(workshop.program, program)
    with Life(program, "line") as one, Life(program, "line") as other, Life("tail", "-f", str(program)):
        assert parse_target("kept").find(waits=True) == sorted([one.pid, other.pid])
    with Life("tail", "-f", str(program)):
        assert parse_target("kept").find(waits=True) == []


def test_who_waits_for_a_shell_keeps_none_of_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    above = [os.getpid()]  # a shell may have started us
    while above[-1] > 1:
        above.append(procfs.stat(above[-1]).ppid)
    monkeypatch.setattr(target, "_ourselves", lambda: set(above))
    with Life("bash", "-c", "read x"), Life("bash", "-c", "read x"):
        assert parse_target("bash").find(waits=True) == []


def test_a_library_that_nobody_maps_is_no_error() -> None:
    assert parse_target("lib:/no/such/library.so").find() == []


PROGRAM = Program(4242, [b"/opt/ollama", b"serve", b"--port", b"1"], b"/opt/ollama.real (deleted)", b"ollama")


@pytest.mark.parametrize("name", ["ollama", "/opt/ollama", "ollama.real", "/opt/ollama.real"])
def test_a_program_has_the_names_of_its_file_its_first_word_and_its_own(name: str) -> None:
    assert has_name(PROGRAM, name)


def test_a_part_of_a_name_is_no_name_but_part_of_the_command_line() -> None:
    assert not has_name(PROGRAM, "olla")
    assert in_command_line(PROGRAM, "serve --port")
    assert not in_command_line(PROGRAM, "port  1")


def test_waiting_for_a_plain_word_takes_names_only_and_longer_texts_command_lines() -> None:
    starter = Program(4242, [b"systemctl", b"start", b"ollama"], b"/bin/systemctl", b"systemctl")
    assert not parse_target("ollama").matches(starter)
    assert parse_target("ollama").matches(PROGRAM)
    assert parse_target("ollama serve").matches(Program(4242, [b"sh", b"ollama", b"serve"], b"/bin/sh", b"sh"))
    assert not parse_target("ollama serve").matches(Program(4242, [b"vi", b"ollama", b"serve"], b"/bin/vi", b"vi"))
    assert parse_target("4242").matches(PROGRAM)
    assert not parse_target("lib:/x").matches(PROGRAM)


def test_only_those_above_count_when_one_tree_is_meant(workshop: Workshop) -> None:
    with Life("sh", "-c", f"{workshop.program} line; true") as life, Life(workshop.program, "line") as other:
        children = list(map(int, _children(life.pid)))
        assert topmost([*children, life.pid, other.pid]) == sorted([life.pid, other.pid])
        assert topmost([*children, os.getpid()]) == [os.getpid()]


def test_whoever_maps_a_file_is_found_by_identity_and_by_path(workshop: Workshop, tmp_path: Path) -> None:
    library = tmp_path / "libmine.so"
    workshop.shim_at(library)
    link = tmp_path / "link.so"
    os.link(library, link)
    with Life(workshop.program, f"load:{library}", "line", "line") as life:
        life.step()
        assert processes_mapping(str(library)) == [life.pid]
        assert processes_mapping(str(link)) == [life.pid]
        library.unlink()
        link.unlink()
        assert processes_mapping(str(library)) == [life.pid]
        assert not maps_file(life.pid, b"/no/such/file", "")


def test_a_mapping_record_is_recognised_by_path_or_identity(workshop: Workshop) -> None:
    status = workshop.shim.stat()
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    record = Mapped(1, 1, 1, 0x1000, 0x1000, 0, major, minor, status.st_ino, b"/elsewhere")
    assert is_mapping_of(str(workshop.shim), record)
    assert not is_mapping_of("/nowhere", record)
    assert is_mapping_of("/elsewhere", record)


def _children(pid: int) -> list[str]:
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        pass
    return found


@pytest.mark.parametrize(
    ("owner", "ours", "words", "help"),
    [
        (0, 1000, "belongs to root, and you are", "sudo inspector 1"),
        (1000, 1000, "may not be dumped", "sudo inspector 1"),
        (0, 0, "capabilities that you lack", "inspector doctor"),
        (54321, 0, "capabilities that you lack", "inspector doctor"),
    ],
)
def test_a_refused_process_is_told_with_the_reason_that_fits(owner: int, ours: int, words: str, help: str) -> None:
    why, command = _refusal(1, owner, ours)
    assert words in why and "libraries" in why
    assert command == help
