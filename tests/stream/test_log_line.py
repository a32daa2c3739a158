"""Levels, times and messages of log lines in all common formats."""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.log_line import LONGEST, Level, level_of, read, tells_trouble
from inspector.stream.log_time import stamp
from tests.logs.samples import LINES, NEW_YEAR

NEAR = NEW_YEAR + 3_600_000_000_000


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stamps without a zone are local."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "")
    time.tzset()


@pytest.mark.parametrize(("text", "level", "seconds", "message"), LINES, ids=[one[0][:40] for one in LINES])
def test_level_time_and_message_are_read(text: str, level: Level, seconds: float | None, message: str) -> None:
    assert (read(text).level, read(text).message) == (level, message)
    assert level_of(text) is level
    assert stamp(text, NEAR) == (0 if seconds is None else NEW_YEAR + int(seconds * 1_000_000_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cudaGetDeviceCount failed", True),
        ("libcublas.so.12: cannot open shared object file", True),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory", True),
        ("thread 'main' panicked at src/main.rs:4:5:", True),
        ("terminate called after throwing an instance of 'std::runtime_error'", True),
        ("  what():  no CUDA-capable device is detected", True),
        ("/opt/x.so: undefined symbol: cuGraphFoo", True),
        ("could not select device driver", True),
        ("Segmentation fault (core dumped)", True),
        ("cuInit: CUDA_ERROR_NO_DEVICE", True),
        ("no compatible GPUs were discovered", True),
        ("loading the CUDA backend on device 0", False),
        ("no errors here", False),
        ("done, error=<nil> failed=0", False),
        ("errors: 0, one failed", True),
        ("it will be retried if it fails", False),
    ],
)
def test_words_of_trouble_are_told_from_their_absence(text: str, expected: bool) -> None:
    assert tells_trouble(text) is expected


def test_a_line_without_a_level_ranks_as_information_and_one_of_trouble_as_an_error() -> None:
    assert read("loading the model").rank is Level.INFO
    assert read("ggml_cuda_init: failed to initialize CUDA").rank is Level.ERROR
    assert read("level=debug msg=failed").rank is Level.DEBUG


def test_a_year_that_is_left_out_is_that_of_the_last_such_day() -> None:
    december = stamp("Dec 31 23:59:59 host x: y", NEW_YEAR)
    assert NEW_YEAR - 3 * 86_400 * 10**9 < december < NEW_YEAR


@given(st.text(max_size=300))
def test_no_line_makes_the_readers_raise(text: str) -> None:
    whole = read(text)
    assert whole.level is level_of(text) and len(whole.message) <= LONGEST
    assert stamp(text) >= 0


@given(st.sampled_from([one[0] for one in LINES]), st.data())
def test_no_damaged_line_makes_the_readers_raise(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(max_size=5)) + text[at + data.draw(st.integers(0, 5)) :]
    read(damaged)
    assert stamp(damaged) >= 0
