"""What was worked out from a file is known at the next run, while the file is the same."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.collect.access.file_memory import FileMemory
from inspector.collect.access.user_cache import folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _memory(known_by: str = "") -> FileMemory[list[int]]:
    memory = FileMemory("numbers", known_by, list[int])
    memory.load()
    return memory


SETTLED = Path("/").stat()


def test_it_is_known_at_the_next_run_for_the_same_question_only() -> None:
    memory = _memory()
    memory.keep(SETTLED, [1, 2])
    memory.save()
    assert _memory().find(SETTLED) == [1, 2]
    assert _memory("else").find(SETTLED) is None


def test_two_who_save_lose_nothing_of_each_other(tmp_path: Path) -> None:
    mine, theirs = _memory(), _memory()
    mine.keep(SETTLED, [1])
    theirs.keep(Path("/usr").stat(), [2])
    mine.save()
    theirs.save()
    assert (_memory().find(SETTLED), _memory().find(Path("/usr").stat())) == ([1], [2])


def test_of_a_file_that_changed_just_now_nothing_is_kept_for_later(tmp_path: Path) -> None:
    file = tmp_path / "new"
    file.touch()
    memory = _memory()
    memory.keep(file.stat(), [1])
    memory.save()
    assert memory.find(file.stat()) == [1]
    assert _memory().find(file.stat()) is None


def test_another_state_of_the_file_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "grows"
    file.touch()
    memory = _memory()
    memory.keep(file.stat(), [1])
    file.write_text("more")
    assert memory.find(file.stat()) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_in_its_place_are_nothing(content: bytes) -> None:
    memory = _memory()
    memory.keep(SETTLED, [1])
    memory.save()
    for kept in folder().iterdir():
        kept.write_bytes(content)
    assert _memory().find(SETTLED) in (None, [1])
