"""What a person types to filter: regular expressions, plain text, inversion, fuzzy words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stream.patterns import typed


def found(pattern: str, *texts: str) -> list[str]:
    """Those of the texts that the pattern lets through."""
    one = typed(pattern)
    return [text for text in texts if one is None or one.search()(text)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("CUINIT", ["cuInit", "cuInit()"]),
        ("^cu.*t$", ["cuInit"]),
        ("nvml|init", ["cuInit", "nvmlInit", "cuInit()"]),
        ("nvml|", ["nvmlInit"]),
        ("!nvml", ["cuInit", "cuInit()"]),
        ("cuInit(", ["cuInit()"]),
        ("'t()", ["cuInit()"]),
        ("~nvi", ["nvmlInit"]),
        ("!~nvi", ["cuInit", "cuInit()"]),
        ("", ["cuInit", "nvmlInit", "cuInit()"]),
        ("!", ["cuInit", "nvmlInit", "cuInit()"]),
        ("~", ["cuInit", "nvmlInit", "cuInit()"]),
    ],
)
def test_patterns_let_through_what_a_person_means(pattern: str, expected: list[str]) -> None:
    assert found(pattern, "cuInit", "nvmlInit", "cuInit()") == expected


def test_fuzzy_letters_stay_within_one_word() -> None:
    assert found("~cgdc", "cudaGetDeviceCount", "can get data, count") == ["cudaGetDeviceCount"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*b?)*c", "((x|y)+z)*"])
def test_an_expression_that_would_take_for_ever_is_taken_as_text_and_says_so(pattern: str) -> None:
    one = typed(pattern)
    assert one is not None and one.kind == "text" and "too slow" in one.note
    begin = time.monotonic()
    one.search()("a" * 5_000 + "b")
    assert time.monotonic() - begin < 1


def test_what_is_no_expression_is_taken_as_text_and_says_so() -> None:
    one = typed("free(")
    assert one is not None and one.kind == "text" and "not a valid regex" in one.note


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=5))
def test_no_pattern_raises_and_an_inverted_one_lets_the_others_through(pattern: str, texts: list[str]) -> None:
    right, wrong = found(pattern, *texts), found("!" + pattern, *texts)
    if typed(pattern) is not None and not pattern.startswith("!"):
        assert sorted(right + wrong) == sorted(texts)
