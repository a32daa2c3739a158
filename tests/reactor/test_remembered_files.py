"""What an earlier observation met is counted before the next start, if it is still the same."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.collect.access.user_cache import folder
from inspector.collect.kernel.early_programs import file_key
from inspector.collect.reactor.remembered_files import recall, recall_unrelated, remember, remember_unrelated


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "shim-inspector"


def identified(file: Path) -> tuple[bytes, int, int]:
    """As the reactor tells of a file that is counted."""
    status = file.stat()
    return os.fsencode(file), status.st_dev, status.st_ino


def test_files_are_recalled_by_target_while_they_are_the_same(tmp_path: Path) -> None:
    same, changed, gone = (tmp_path / name for name in ("same.so", "changed.so", "gone.so"))
    for file in (same, changed, gone):
        file.write_text("1")
    remember("ollama", [identified(file) for file in (same, changed, gone)])
    changed.write_text("2")
    gone.unlink()
    assert recall("ollama") == [os.fsencode(same)]
    assert recall("another") == []


def test_a_file_of_a_container_is_not_taken_for_the_one_that_has_its_path_here(tmp_path: Path) -> None:
    file = tmp_path / "libcuda.so.1"
    file.touch()
    path, device, inode = identified(file)
    remember("ollama", [(path, device, inode + 1)])
    assert recall("ollama") == []


def test_what_others_can_write_is_not_believed(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "same.so"
    file.touch()
    remember("ollama", [identified(file)])
    cache.chmod(0o777)
    assert recall("ollama") == []
    remember("other", [identified(file)])
    cache.chmod(0o700)
    assert recall("ollama") == [os.fsencode(file)]
    assert recall("other") == []


def test_it_can_be_read_by_its_owner_only(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "same.so"
    file.touch()
    remember("ollama", [identified(file)])
    assert [entry.stat().st_mode & 0o777 for entry in cache.iterdir()] == [0o600]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_in_its_place_recall_nothing_or_paths(content: bytes) -> None:
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    remember("x", [identified(Path(__file__))])
    (kept,) = folder().glob("met-*")
    kept.write_bytes(content)
    assert all(path.startswith(b"/") for path in recall("x"))


def test_libraries_without_a_function_of_interest_are_recalled_for_the_same_functions_only() -> None:
    keys = [file_key(7, 2049, 5), file_key(8, 2049, 6)]
    remember_unrelated(["cuInit"], keys)
    assert recall_unrelated(["cuInit"]) == keys
    assert recall_unrelated(["cuInit", "hipInit"]) == []


def test_files_whose_change_times_have_whole_seconds_are_told_apart_by_these() -> None:
    assert file_key(7, 2049, 1_000_000_000) != file_key(7, 2049, 2_000_000_000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_in_place_of_unrelated_libraries_recall_whole_keys(content: bytes) -> None:
    remember_unrelated(["cuInit"], [file_key(8, 2049, 6)])
    for file in folder().iterdir():
        file.write_bytes(content)
    assert all(len(key) == 16 for key in recall_unrelated(["cuInit"]))
