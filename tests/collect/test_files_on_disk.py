"""Is the mapped file still the file on disk: current, replaced, deleted, rewritten, while we look and before."""

import mmap
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.collect.kernel import procfs
from inspector.collect.kernel.rootfs import Root
from inspector.collect.sources.libraries.identity import Identity, When, duration, identify
from inspector.stream.libraries import ImageRead, LibraryMapped, LibraryUnmapped
from inspector.stream.session import EventsLost

from .collector import Collector
from .targets import Life, Workshop


@pytest.fixture
def library(workshop: Workshop, tmp_path: Path) -> Path:
    path = tmp_path / "libcopy.so"
    workshop.shim_at(path)
    return path


def _replace(path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(path.read_bytes())
    fresh.rename(path)


@pytest.mark.longer
def test_a_file_that_was_replaced_before_we_came_is_told_with_both_inodes(workshop: Workshop, library: Path) -> None:
    with Life(workshop.program, f"load:{library}", "line", "line") as life:
        life.step()
        mapped_inode = library.stat().st_ino
        _replace(library)
        with Collector(str(life.pid)) as collector:
            mapped = collector.library(life.pid, "libcopy.so")
            assert mapped.state == "replaced"
            assert f"mapped inode {mapped_inode}, on disk inode {library.stat().st_ino}" in mapped.state_detail
            assert mapped.file.endswith(f":{mapped_inode}")
            assert collector.wait(ImageRead, lambda e: e.file == mapped.file).error is None
            collector.quit()


@pytest.mark.longer
def test_changes_on_disk_are_told_while_we_look(workshop: Workshop, library: Path) -> None:
    with Life(workshop.program, f"load:{library}", "line") as life, Collector(str(life.pid)) as collector:
        assert collector.library(life.pid, "libcopy.so").state == "current"
        _replace(library)
        replaced = collector.library(life.pid, "libcopy.so", lambda e: e.state == "replaced")
        library.unlink()
        deleted = collector.library(life.pid, "libcopy.so", lambda e: e.state == "deleted")
        assert replaced.base == deleted.base
        collector.quit()


def test_a_file_rewritten_in_place_is_modified(workshop: Workshop, library: Path) -> None:
    with Life(workshop.program, f"load:{library}", "line", "line") as life:
        life.step()
        with Collector(str(life.pid)) as collector:
            collector.library(life.pid, "libcopy.so", lambda e: e.state == "current")
            os.utime(library, (2_000_000_000, 2_000_000_000))
            modified = collector.library(life.pid, "libcopy.so", lambda e: e.state == "modified")
            assert modified.state_detail.endswith("in the future")  # 2033
            collector.quit()


@pytest.mark.longer
def test_a_file_written_before_it_was_mapped_is_current_even_in_an_older_process(
    workshop: Workshop, tmp_path: Path
) -> None:
    library = tmp_path / "libfresh.so"
    with Life(workshop.program, "line", f"load:{library}", "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libc.so.6")
        workshop.shim_at(library)
        life.step()
        told = collector.library(life.pid, "libfresh.so")
        collector.quit()
        _is_current(collector, told)


@pytest.mark.longer
def test_a_file_written_after_the_start_but_perhaps_before_its_mapping_is_not_called_modified(
    workshop: Workshop, library: Path
) -> None:
    with Life(workshop.program, "line", f"load:{library}", "line", "line") as life:
        library.unlink()
        time.sleep(0.1)
        workshop.shim_at(library)
        life.step()
        life.step()
        with Collector(str(life.pid)) as collector:
            told = collector.library(life.pid, "libcopy.so")
            assert (told.state, "when it was mapped is not known" in told.state_detail) == ("unknown", True)
            collector.quit()


@pytest.mark.longer
def test_other_content_written_in_place_before_we_came_shows_in_memory(workshop: Workshop, library: Path) -> None:
    with Life(workshop.program, f"load:{library}", "line", "line") as life:
        life.step()
        time.sleep(0.1)
        library.write_bytes(_other_build(library.parent).read_bytes())
        with Collector(str(life.pid)) as collector:
            told = collector.library(life.pid, "libcopy.so")
            assert (told.state, "other content" in told.state_detail) == ("modified", True)
            collector.quit()


@pytest.mark.longer
def test_a_file_written_between_two_lives_of_a_library_is_current(workshop: Workshop, library: Path) -> None:
    words = [f"load:{library}", "line", "unload", "line", f"load:{library}", "line", "line"]
    with Life(workshop.program, *words) as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libcopy.so")
        life.step()
        gone = collector.wait(LibraryUnmapped, lambda e: e.path.endswith("libcopy.so"))
        workshop.shim_at(library)
        life.step()
        told = collector.library(life.pid, "libcopy.so", lambda e: e.at > gone.at)
        collector.quit()
        _is_current(collector, told)


def _is_current(collector: Collector, told: LibraryMapped) -> None:
    """Or not known, where the kernel's record of the mapping was lost, which is said: all processes fill its buffer."""
    assert told.state == "current" or (told.state == "unknown" and collector.all(EventsLost)), told.state_detail


def _other_build(folder: Path) -> Path:
    """A library whose constructors lie elsewhere."""
    (folder / "other.c").write_text("int padding[999] = {1};\n__attribute__((constructor)) void other(void) {}\n")
    command = ["gcc", "-shared", "-fPIC", "-o", "other.so", "other.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "other.so"


def test_an_unchanged_library_is_told_once(workshop: Workshop, library: Path) -> None:
    with Life(workshop.program, f"load:{library}", "line") as life, Collector(str(life.pid)) as collector:
        collector.library(life.pid, "libcopy.so")
        _replace(Path(library))
        collector.library(life.pid, "libcopy.so", lambda e: e.state == "replaced")
        collector.quit()
        assert len(collector.all(LibraryMapped, lambda e: e.path.endswith("libc.so.6"))) == 1


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (5_000_000, "5 ms"),
        (40 * 10**9, "40 s"),
        (-360 * 10**9, "6 min"),
        (3 * 3600 * 10**9, "3 h"),
        (10**15, "12 days"),
    ],
)
def test_spans_of_time_have_one_unit(ns: int, words: str) -> None:
    assert duration(ns) == words


def _looked_at(path: Path, change: Callable[[Path], None]) -> Identity:
    """What is told of a file that we map ourselves and then change."""
    path.write_bytes(b"x" * 4096)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        line = next(one for one in procfs.maps(os.getpid()) if one.path == os.fsencode(path))
        mapped = time.monotonic_ns()
        change(path)
        return identify(Root(os.getpid()), os.getpid(), line, b"", line.start, When(mapped, mapped))


def test_a_difference_of_less_than_a_second_between_two_files_is_not_told(tmp_path: Path) -> None:
    seen = _looked_at(tmp_path / "libcopy.so", _replace)
    assert seen.state == "replaced" and "younger" not in seen.detail and "on disk inode" in seen.detail


def test_a_time_stamp_in_the_future_is_told_as_such(tmp_path: Path) -> None:
    future = time.time_ns() + 60_000_000_000

    def touch(path: Path) -> None:
        time.sleep(0.05)
        os.utime(path, ns=(future, future))

    seen = _looked_at(tmp_path / "libcopy.so", touch)
    assert seen.state == "modified" and re.fullmatch(r"its time stamp lies \d+ s in the future", seen.detail)


def test_a_file_that_came_with_a_time_stamp_in_the_future_is_what_was_mapped(tmp_path: Path) -> None:
    path, future = tmp_path / "libcopy.so", time.time_ns() + 10**15
    path.write_bytes(b"x" * 4096)
    os.utime(path, ns=(future, future))
    time.sleep(0.05)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        line = next(one for one in procfs.maps(os.getpid()) if one.path == os.fsencode(path))
        mapped = time.monotonic_ns()
        seen = identify(Root(os.getpid()), os.getpid(), line, b"", line.start, When(mapped, mapped))
    assert seen.state == "current", seen.detail


@pytest.mark.parametrize(("step", "way"), [(3600 * 10**9, "ahead"), (-3600 * 10**9, "back")])
def test_a_clock_that_was_set_meanwhile_makes_no_file_a_changed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, way: str
) -> None:
    """The clock of this machine stays as it is: it reads as if it had been set, and the file's stamps as they are."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + step)
    seen = _looked_at(tmp_path / "libcopy.so", lambda path: None)
    assert seen.state in ("current", "unknown"), seen.detail
    assert seen.state == "current" or f"the clock was set 60 min {way} meanwhile" in seen.detail
    seen = _looked_at(tmp_path / "libother.so", _rewrite)
    assert seen.state in ("modified", "unknown"), seen.detail


def _rewrite(path: Path) -> None:
    time.sleep(0.05)
    path.write_bytes(b"y" * 4096)
