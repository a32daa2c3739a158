"""Which files a program that begins may load, read of real processes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.collect.access.opening import OpenPath
from inspector.collect.reactor.load_candidates import LoadCandidates, Repeats


@contextmanager
def running(program: Path, **environment: str) -> Iterator[int]:
    process = subprocess.Popen([program, "60"], env={**os.environ, **environment})
    try:
        wait_for_exec(process.pid)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def wait_for_exec(pid: int) -> None:
    """Until it has its arguments and environment: the kernel's record of an exec comes later than Popen comes back."""
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.001)


def foreseen(program: Path, *places: str, **environment: str) -> list[str]:
    with running(program, **environment) as pid:
        load_candidates = LoadCandidates(["cuda"], places)
        list(load_candidates.common())
        return [os.fsdecode(path) for path in load_candidates.likely(pid) if path]


def program_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    program = folder / "sleeps"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    return program


def test_preloaded_files_come_first_then_likely_names_in_every_folder_of_the_library_path(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libcuda.so.1").touch()
        (tmp_path / folder / "libother.so").touch()
    preload = str(tmp_path / "libshim.so")
    found = foreseen(program, LD_PRELOAD=preload, LD_LIBRARY_PATH=f"{tmp_path}/one:{tmp_path}/two")
    likely = [f"{tmp_path}/one/libcuda.so.1", f"{tmp_path}/two/libcuda.so.1"]
    others = [f"{tmp_path}/one/libother.so", f"{tmp_path}/two/libother.so"]
    assert found == [preload, *likely, *others]


def test_what_a_program_brings_along_lies_beside_it_and_in_the_lib_folders_next_to_it(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    (tmp_path / "bin" / "libcudart.so").touch()
    deep = tmp_path / "lib" / "ollama" / "cuda_v12"
    deep.mkdir(parents=True)
    (deep / "libggml-cuda.so").touch()
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "libcuda.so").touch()
    found = foreseen(program, LD_LIBRARY_PATH="", LD_PRELOAD="")
    assert found == [f"{tmp_path}/bin/libcudart.so", f"{deep}/libggml-cuda.so"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount name space is made by root")
def test_a_file_in_another_file_tree_keeps_the_path_that_it_has_there(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    (tmp_path / "bin" / "libcuda.so.1").touch()
    inside = os.fsencode(tmp_path / "bin" / "libcuda.so.1")
    process = subprocess.Popen(["unshare", "--mount", program, "60"])
    try:
        while Path(f"/proc/{process.pid}/exe").readlink() != program:
            time.sleep(0.001)
        wait_for_exec(process.pid)
        found = {each: each.seen_as for each in LoadCandidates(["cuda"]).likely(process.pid) if each}
    finally:
        process.kill()
        process.wait()
    assert found[OpenPath(b"/proc/%d/root%s" % (process.pid, inside))] == inside


def test_a_folder_that_gets_another_file_is_listed_anew(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    shims = tmp_path / "shims"
    shims.mkdir()
    load_candidates = LoadCandidates(["cuda"])
    list(load_candidates.common())
    with running(program, LD_LIBRARY_PATH=str(shims)) as pid:
        assert list(filter(None, load_candidates.likely(pid))) == []
        (shims / "libcuda.so.1").touch()
        assert list(filter(None, load_candidates.likely(pid))) == [os.fsencode(shims / "libcuda.so.1")]


def test_a_process_that_is_gone_lets_nothing_be_foreseen(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert list(LoadCandidates(["cuda"]).likely(ended.pid)) == []


def test_what_the_programs_own_search_path_names_is_foreseen(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("#include <unistd.h>\nint main(void) { sleep(60); return 0; }")
    (tmp_path / "far" / "lib").mkdir(parents=True)
    (tmp_path / "far" / "lib" / "libcudart.so.12").touch()
    program = tmp_path / "program"
    run_path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/far/lib"
    subprocess.run(["gcc", "-o", program, tmp_path / "main.c", run_path], check=True)
    assert foreseen(program) == [f"{tmp_path}/./far/lib/libcudart.so.12".replace("/./", "/")]


def test_packages_of_a_virtual_environment_are_found_by_how_its_interpreter_was_called(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    runtime = tmp_path / "lib" / "python3.11" / "site-packages" / "nvidia" / "cuda_runtime" / "lib"
    runtime.mkdir(parents=True)
    (runtime / "libcudart.so.12").touch()
    load_candidates = LoadCandidates(["cuda"], ["{site}/nvidia/*/lib"])
    list(load_candidates.common())
    process = subprocess.Popen([tmp_path / "bin" / "python", "-c", "import time; time.sleep(60)"])
    try:
        wait_for_exec(process.pid)
        found = [os.fsdecode(path) for path in load_candidates.likely(process.pid) if path]
    finally:
        process.kill()
        process.wait()
    assert f"{runtime}/libcudart.so.12" in found


def test_a_plans_places_stand_for_the_program_its_directory_and_variables(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    for folder in ("bin/plugins/one", "toolkit/lib64"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "libcuda_x.so").touch()
    found = foreseen(
        program, "{program}/plugins/*", "{CUDA_HOME}/lib64", "{UNSET}/lib", CUDA_HOME=f"{tmp_path}/toolkit"
    )
    assert found == [f"{tmp_path}/bin/plugins/one/libcuda_x.so", f"{tmp_path}/toolkit/lib64/libcuda_x.so"]


def test_the_machines_folders_are_looked_at_once_for_each_file_tree(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    (tmp_path / "cuda-12" / "lib64").mkdir(parents=True)
    library = tmp_path / "cuda-12" / "lib64" / "libcudart.so.12"
    library.touch()
    load_candidates = LoadCandidates(["cuda"], [f"{tmp_path}/cuda*/lib64"])
    with running(program) as pid:
        assert os.fsencode(library) in list(load_candidates.likely(pid))
        assert os.fsencode(library) not in list(load_candidates.likely(pid))


def test_what_begins_again_and_again_within_a_second_is_looked_at_eight_times(tmp_path: Path) -> None:
    now = [5_000_000_000]
    repeats = Repeats(lambda: now[0])
    base = b"/proc/self"
    first = [repeats.again(base) for _ in range(40)]
    assert first.count(False) == 2 * Repeats.MOST
    assert first[-1]
    now[0] += 1_000_000_000
    assert repeats.again(base), "it is remembered"
    now[0] += Repeats.REMEMBERED_SECONDS * 1_000_000_000
    assert not repeats.again(base), "what it may load can be another by then"


def test_other_settings_are_looked_at_however_often_a_program_begins() -> None:
    repeats = Repeats(lambda: 5_000_000_000)
    assert any(repeats.again(b"/proc/self") for _ in range(40))
    with running(Path("/bin/sleep"), LD_LIBRARY_PATH="/elsewhere") as pid:
        assert not repeats.again(b"/proc/%d" % pid)


def test_an_interpreters_own_thousands_of_files_are_not_walked_through(tmp_path: Path) -> None:
    for folder in ("bin", "lib/python3.11/email/mime", "lib/extra"):
        (tmp_path / folder).mkdir(parents=True)
    program = shutil.copy("/bin/sleep", tmp_path / "bin" / "sleep")
    for folder in ("lib/python3.11/email/mime", "lib/extra"):
        (tmp_path / folder / "libcuda.so.1").touch()
    process = subprocess.Popen([program, "60"])
    try:
        load_candidates = LoadCandidates(["cuda"])
        list(load_candidates.common())
        found = [path for path in load_candidates.likely(process.pid) if path]
    finally:
        process.kill()
        process.wait()
    assert found == [os.fsencode(tmp_path / "lib/extra/libcuda.so.1")]
