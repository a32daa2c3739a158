"""Each case alone, nobody looking: it builds, comes to its point, and shows what it claims."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.demo.build import SOURCES, build
from inspector.demo.case_directory import Stage
from inspector.demo.cases import CASES, find
from inspector.demo.parts import DRIVER, RUNTIME, without
from inspector.demo.start import CaseError, StartedCase, start

SEED = 11


@contextmanager
def told(name: str, seed: int = SEED) -> Iterator[StartedCase]:
    """A case whose story is told and that still runs."""
    case = find(name)
    assert case is not None
    if case.needs is not None and (why := case.needs()):
        pytest.skip(why)
    started = start(case, seed)
    try:
        if not started.launch.late:
            started.release()
            started.go()
            started.finish()
        yield started
    finally:
        started.stop()


def _tell(name: str) -> str:
    """Empty when the case comes to its point, else what is wrong with it."""
    case = find(name)
    assert case is not None
    if case.needs is not None and case.needs():
        return ""
    try:
        with told(name) as started:
            return "" if started.directory.is_dir() else "no directory"
    except CaseError as error:
        return str(error)


def _symbols(path: Path) -> str:
    return subprocess.run(["nm", "-D", str(path)], capture_output=True, text=True, check=True).stdout


def _versions(path: Path) -> str:
    return subprocess.run(["readelf", "-V", str(path)], capture_output=True, text=True, check=True).stdout


def _alive_in_group(group: int) -> list[str]:
    """Processes of the group that are more than a dead entry that its parent has not collected (proc_pid_stat(5))."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, members = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(members) == group and state != "Z":
            found.append(path.parent.name)
    return found


def test_there_are_at_least_forty_cases_and_each_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 40
    assert all(name == name.lower() and " " not in name for name in names)


def test_the_first_cases_are_the_question_and_its_healthy_twin() -> None:
    assert [case.name for case in CASES[:2]] == ["the-question", "healthy"]


@pytest.mark.longer
def test_every_case_comes_to_its_point() -> None:
    names = [case.name for case in CASES]
    with ProcessPoolExecutor(4) as workers:  # not threads: a fork would inherit files that another one still writes
        assert [words for words in workers.map(_tell, names) if words] == []


def test_the_sources_compile_without_a_warning() -> None:
    flags = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-format-truncation", "-Werror", "-fPIC", "-fsyntax-only"]
    for source in SOURCES.glob("*.c"):
        result = subprocess.run(["cc", *flags, "-O1", str(source)], capture_output=True, text=True)
        assert result.stderr == ""


def test_another_seed_gives_other_names_of_the_same_meaning(tmp_path: Path) -> None:
    case = find("replaced-library")
    assert case is not None
    stages = [Stage(tmp_path / seed, seed) for seed in ("one", "two")]
    programs = [Path(case.stage(stage).argv[0]).relative_to(stage.directory) for stage in stages]
    assert programs[0] != programs[1]
    assert stages[0].names != stages[1].names


def test_the_same_recipe_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = build(DRIVER)
    before = made.stat().st_mtime_ns
    assert build(DRIVER) == made
    assert made.stat().st_mtime_ns == before
    assert made.is_relative_to(tmp_path)


def test_a_library_without_a_function_does_not_even_mention_it() -> None:
    assert "cuMemCreate" in _symbols(build(DRIVER))
    assert "cuMemCreate" not in _symbols(build(without(DRIVER, "cuMemCreate")))


def test_the_runtime_offers_its_names_at_the_node_of_its_soname() -> None:
    assert "cudaGetDeviceCount@@libcudart.so.12" in _symbols(build(RUNTIME))
    assert "Name: libcudart.so.12" in _versions(build(RUNTIME))


def test_a_waiting_program_has_not_begun_before_it_is_released() -> None:
    case = find("no-device")
    assert case is not None
    started = start(case, SEED)
    try:
        time.sleep(0.1)
        assert Path(f"/proc/{started.pid}/exe").readlink().name == "gate"
        assert started.log == ""
    finally:
        started.stop()


def test_stopping_ends_every_process_of_the_tree_and_removes_its_directory() -> None:
    with told("healthy") as started:
        group = started.pid
    assert not started.directory.exists()
    end = time.monotonic() + 5
    while _alive_in_group(group) and time.monotonic() < end:
        time.sleep(0.01)
    assert _alive_in_group(group) == []


def test_the_question_says_discovering_and_ends_on_the_cpu_without_an_error() -> None:
    with told("the-question") as started:
        log = started.log
    assert "discovering available GPUs..." in log
    assert "library=cpu" in log
    assert "rror" not in log


def test_the_shims_of_the_question_are_mapped_into_the_server() -> None:
    with told("the-question") as started:
        maps = Path(f"/proc/{started.pid}/maps").read_text()
        assert maps.count("-cuda.so") and maps.count("-nvml.so")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("healthy", "library=CUDA"),
        ("no-device", "library=cpu"),
        ("preload-missing", "cannot be preloaded (cannot open shared object file)"),
        ("preload-wrong-class", "wrong ELF class: ELFCLASS32"),
        ("preload-not-elf", "(invalid ELF header): ignored"),
        ("lost-in-wrapper", "libcuda.so.1: cannot open shared object file"),
        ("set-user-id", "libcuda.so.1: cannot open shared object file"),
        ("hidden-by-namespace", "cannot be preloaded"),
        ("other-library-first", "cuInit failed with CUDA error 100"),
        ("two-copies", "cuDeviceGetCount failed with CUDA error 3"),
        ("symbol-missing-loudly", "undefined symbol: cu"),
        ("helper-undefined", "undefined symbol: libvgpu_set_skip_interception"),
        ("runtime-missing", "libcudart.so.12: cannot open shared object file"),
        ("no-version-table", "runner crashed"),
        ("lookup-failed", "CUDA driver version is insufficient for CUDA runtime version"),
        ("bound-elsewhere", "cuInit failed with CUDA error 100"),
        ("driver-too-old", "CUDA driver version is insufficient for CUDA runtime version"),
        ("memory-refused", "cuMemGetInfo_v2 failed with CUDA error 3"),
        ("invalid-image", "device kernel image is invalid"),
        ("sticky-error", "an illegal memory access was encountered"),
        ("child-crashed", "runner crashed"),
        ("discovery-timeout", "failed to finish discovery before timeout"),
        ("device-dropped", "filtering device which didn't fully initialize"),
        ("not-offloaded", "offloaded 0/29 layers"),
        ("healthy-ends-in-order", "cuLibraryUnload() ERROR: return_code=4"),
    ],
)
def test_the_case_says_in_its_log_what_it_shows(name: str, words: str) -> None:
    with told(name) as started:
        assert words in started.log


def test_the_replaced_library_is_mapped_as_deleted_and_another_inode_is_on_disk() -> None:
    with told("replaced-library") as started:
        line = next(one for one in Path(f"/proc/{started.pid}/maps").read_text().splitlines() if "-cuda.so" in one)
        path = line.split(None, 5)[5]
        assert path.endswith(" (deleted)")
        assert Path(path.removesuffix(" (deleted)")).stat().st_ino != int(line.split()[4])


def test_nobody_outside_the_case_sees_its_global_preload() -> None:
    with told("global-preload") as started:
        inside = Path(f"/proc/{started.pid}/root/etc/ld.so.preload").read_text()
        assert inside.strip().startswith(str(started.directory))
    outside = Path("/etc/ld.so.preload")
    assert not outside.exists() or str(started.directory) not in outside.read_text()


def test_nul_bytes_stand_in_the_log_of_their_case() -> None:
    with told("nul-bytes") as started:
        assert b"\0\0\0" in (started.directory / "vgpu.log").read_bytes()
