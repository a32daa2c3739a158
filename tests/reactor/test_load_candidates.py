"""Which files a program that begins may load, read of real processes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.collect.reactor.load_candidates import Foresight


@contextmanager
def running(program: Path, **environment: str) -> Iterator[int]:
    process = subprocess.Popen([program, "60"], env={**os.environ, **environment})
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def foreseen(program: Path, **environment: str) -> list[str]:
    with running(program, **environment) as pid:
        return [os.fsdecode(path) for path in Foresight(["cuda"]).likely(pid)]


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


def test_a_folder_that_gets_another_file_is_listed_anew(tmp_path: Path) -> None:
    program = program_in(tmp_path / "bin")
    shims = tmp_path / "shims"
    shims.mkdir()
    foresight = Foresight(["cuda"])
    with running(program, LD_LIBRARY_PATH=str(shims)) as pid:
        assert list(foresight.likely(pid)) == []
        (shims / "libcuda.so.1").touch()
        assert list(foresight.likely(pid)) == [os.fsencode(shims / "libcuda.so.1")]


def test_a_process_that_is_gone_lets_nothing_be_foreseen(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert list(Foresight(["cuda"]).likely(ended.pid)) == []
