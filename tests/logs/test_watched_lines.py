"""Marked lines are found as if every pattern met every line."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.logs.watched_lines import Marks
from inspector.stream.literals import any_of, rare_part, required_literals

PATTERNS = (
    r"discovering available GPUs",
    r"offloaded \d+/\d+ layers",
    r"\[libvgpu-[a-z]+\]",
    r"(?i)cuda error",
    r"ab?",
    r"exit status [1-9]|signal: killed",
    r"(llama|ollama) runner",
    r"^time=",
    r"inference\ compute",
)
WORDS = st.sampled_from(
    [
        b"discovering available GPUs",
        b"offloaded 1/2 layers",
        b"offloaded",
        b"[libvgpu-cuda]",
        b"[libvgpu-",
        b"CUDA Error",
        b"xyz",
        b"exit status 0",
        b"exit status 2",
        b"ollama runner",
        b"time=1",
        b" ",
        b"\n",
        b"\0",
        b"inference compute",
    ]
)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"offloaded \d+/\d+ layers", {b"offloaded "}),
        (r"\[libvgpu-[a-z]+\]", {b"[libvgpu-"}),
        (r"inference\ compute", {b"inference compute"}),
        (r"colou?r of it", {b"r of it"}),
        (r"abcd{2}efgh", {b"efgh"}),
        (r"abcde*", {b"abcd"}),
        (r"CUDA error|cudaMalloc failed", {b"CUDA error", b"cudaMalloc failed"}),
        (r"(x|y)known(q|r)", {b"known"}),
        (r"\x41bcd|[]abc]efgh", set()),
        (r"abcd|ef", set()),
        (r"(?i)cuda error", set()),
        (r"\d+", set()),
        (r"GPUs\(\)", {b"GPUs()"}),
    ],
)
def test_a_pattern_tells_what_it_cannot_do_without(pattern: str, literals: set[bytes]) -> None:
    assert required_literals(pattern) == literals


@given(text=st.text(alphabet="aB .*+?()[]{}|\\^$-_0é", min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_an_escaped_text_requires_itself(text: str) -> None:
    literals = required_literals(re.escape(text))
    assert literals == ({text.encode()} if len(text) >= 4 else set())


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(data=st.data(), pattern=st.text(alphabet="abcd()[]|?*+.{}2\\-^", max_size=14))
@settings(max_examples=100, deadline=None)
def test_every_match_of_any_pattern_holds_one_of_its_literals(data: st.DataObject, pattern: str) -> None:
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError):
        assert Marks([pattern]).refused
        return
    literals = required_literals(pattern)
    text = data.draw(st.from_regex(compiled, fullmatch=True) if literals else st.just(""))
    assert not literals or any(literal in text.encode() for literal in literals)


@given(texts=st.lists(st.binary(min_size=4, max_size=8), min_size=1, max_size=12), data=st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_one_pattern_finds_any_of_many_texts(texts: list[bytes], data: bytes) -> None:
    cover = [one for one in set(texts) if not any(other != one and other in one for other in texts)]
    found = any_of(cover).search(data)
    assert (found is not None) == any(text in data for text in cover)


def test_the_rare_part_of_a_text_begins_at_its_rarest_byte() -> None:
    assert rare_part(b"discovering available GPUs") == b"GPUs"
    assert rare_part(b"zzzz") == b"zzzz"
    assert rare_part(b"tex") == b"tex"


@given(words=st.lists(WORDS, max_size=40))
@settings(max_examples=100, deadline=None)
def test_marks_find_the_same_lines_as_trying_every_pattern(words: list[bytes]) -> None:
    data = b"".join(words)
    lines = data.split(b"\n")
    patterns = [re.compile(pattern.encode()) for pattern in PATTERNS]
    expected = [line for line in lines if any(pattern.search(line) for pattern in patterns)]
    marks = Marks(list(PATTERNS))
    spans, cut = marks.find(data, 1000)
    assert [data[span.begin : span.end] for span in spans] == expected
    assert not cut
    assert [line for line in lines if marks.holds(line)] == expected


def test_a_search_for_marks_stops_at_its_limit() -> None:
    spans, cut = Marks(["CUDA error"]).find(b"CUDA error\n" * 100, 10)
    assert (len(spans), cut) == (10, True)


def test_a_damaged_pattern_is_told_and_the_others_stay() -> None:
    marks = Marks(["(", "error: "])
    assert marks.refused[0].startswith("(: ")
    assert marks.holds(b"an error: here")
    assert not marks.holds(b"(")


def test_without_marks_nothing_is_marked() -> None:
    assert Marks([]).find(b"some line\n", 10) == ([], False)
