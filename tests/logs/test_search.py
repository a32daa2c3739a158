"""Searches through whole files: every line that matches and no other, in pieces, and again when the log has grown."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.logs.matching import Matcher
from inspector.collect.logs.search import Pager
from inspector.stream.log_line import Level, read
from inspector.stream.log_time import stamp
from inspector.stream.requests import FindLine, ReadLog

from .lines import Drain, follow
from .samples import LINES

TEXTS = [one[0] for one in LINES]
WORDS = st.lists(st.sampled_from(["cuInit", "Error: ", "E ", "nvml", " ", "99", "[GIN]", "é"]), max_size=4).map("".join)


def numbers(pager: Pager, **what: object) -> list[int]:
    """The lines that a whole search finds."""
    return [line.number for line in pager.page(ReadLog(source=1, limit=5_000, **what)).lines]  # type: ignore[arg-type]


def pager_of(path: Path, content: bytes) -> Pager:
    """A pager over a file that was read to its end."""
    path.write_bytes(content)
    drain = Drain(follow(path)).now()
    return Pager(drain.tail)


@pytest.mark.parametrize(
    "pattern",
    ["cuinit", "nv.l|99", "^cu", "!nvml", "~nm", "[0-9]{2}$", "é", "'[GIN]", r"\bE\b", r"n.*l", r"e\s?v", "9+.",
     r"\S\s\S", "(cu|nv)[a-z]", "!.9", "(^|e)r", "x*$", "[E-G]r", r"\W[gn]"],
)  # fmt: skip
@given(lines=st.lists(WORDS, max_size=30))
@settings(max_examples=25, deadline=None)
def test_a_pattern_finds_what_looking_at_each_line_finds(pattern: str, lines: list[str]) -> None:
    matcher = Matcher(pattern, 0)
    expected = [number for number, line in enumerate(lines) if matcher.matches(line)]
    assert list(matcher.hits("".join(f"{line}\n" for line in lines).encode())) == expected


PARTS = st.sampled_from([
    "a", "B", "7", "_", " ", ".", r"\d", r"\w", r"\s", r"\S", r"\D", r"\W", r"\b", "^", "$", "[a-c]", "[A-z]", "[^a]",
    "[^A-C]", r"[^\s,]", r"[\w.]", "[]a]", "[^]a]", "[^a-]", "(a|b)", "(?:a|B7)", r"(\w)\1", "(?=a)", "(?!a)", "(?<=a)",
    "(?-i:A)", "(?i)", "+", "*", "?", "{}", "{2}", "{1,2}", "|", "abcd", r"\.", r"\[", r"[\]x]", "é",
])  # fmt: skip
SIGNS = st.text('aAbBcC7_ .,"[]^-\x1c\x0b\tzé', max_size=6)


@pytest.mark.longer
@given(parts=st.lists(PARTS, min_size=1, max_size=5), lines=st.lists(SIGNS, min_size=1, max_size=8))
@settings(max_examples=1_500, deadline=None)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_any_expression_finds_what_looking_at_each_line_finds(parts: list[str], lines: list[str]) -> None:
    matcher = Matcher("".join(parts), 0)
    expected = [number for number, line in enumerate(lines) if matcher.matches(line)]
    assert list(matcher.hits("".join(f"{line}\n" for line in lines).encode())) == expected


def test_lines_that_are_long_or_no_ascii_do_not_hide_the_others() -> None:
    lines = ["x" * 5_000 + "77", "é77", "a77", "a7", "77" + "x" * 5_000]
    data = "".join(f"{line}\n" for line in lines).encode()
    assert list(Matcher(r"\d{2}", 0).hits(data)) == [1, 2, 4]


@pytest.mark.parametrize("level", [one for one in Level if one])
@given(lines=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_a_level_leaves_out_no_line_that_has_it(level: Level, lines: list[str]) -> None:
    expected = [number for number, line in enumerate(lines) if read(line).rank >= level]
    assert list(Matcher("", level).hits("".join(f"{line}\n" for line in lines).encode())) == expected


IN_WORDS = (  # noqa: SIM905
    "can't open it|access denied|aborted|could not|couldn't|unable to|not loaded|not installed|not compiled|"
    "not supported|not available|no such file|too old|undefined symbol: f|*** : x ***:|terminate called after|"
    "unhandled|uncaught|assertion|core dumped|segmentation fault|double free|out of memory|what(): x|"
    "illegal instruction|stack smashing|no gpu|no usable devices|no driver|caused by: x|free(): x|malloc(): x|"
    "CUDA_ERROR_X|cudaErrorX|panicked at"
).split("|")


@pytest.mark.parametrize("text", IN_WORDS)
def test_a_line_that_tells_of_trouble_in_words_is_found_as_an_error(text: str) -> None:
    data = f"fine\n{text}\nfine\n".encode()
    assert list(Matcher("", Level.ERROR).hits(data)) == [1]


DIGITS = st.text("0123456789", min_size=10, max_size=10)
DECIDING = (
    "<3>oops",
    "<14>1 fine",
    '{"level": 30, "msg": "x"}',
    "12:00:01 debug1 a",
    "3 errors",
    "0 errors",
    "x failed=10",
)


@pytest.mark.parametrize("level", [one for one in Level if one])
@given(
    lines=st.lists(st.sampled_from([*TEXTS, *DECIDING]), min_size=1, max_size=8),
    others=st.lists(DIGITS, min_size=3, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_lines_that_differ_in_digits_alone_have_each_their_own_level(
    level: Level, lines: list[str], others: list[str]
) -> None:
    many = [line.translate(str.maketrans("0123456789", digits)) for line in lines for digits in others]
    expected = [number for number, line in enumerate(many) if read(line).rank >= level]
    matcher, data = Matcher("", level), "".join(f"{line}\n" for line in many).encode()
    assert list(matcher.hits(data)) == expected


def test_what_continues_an_error_comes_with_it_also_over_two_pieces() -> None:
    trace = ["ERROR:root:it broke", "Traceback (most recent call last):", '  File "a.py", line 1, in f', "    g()",
             "ValueError: no", "INFO:root:on we go", "  indented"]  # fmt: skip
    whole = Matcher("", Level.ERROR)
    assert list(whole.hits("".join(f"{line}\n" for line in trace).encode())) == [0, 1, 2, 3, 4]
    pieces = Matcher("", Level.ERROR)
    first, second = (("".join(f"{line}\n" for line in part)).encode() for part in (trace[:3], trace[3:]))
    assert (list(pieces.hits(first)), list(pieces.hits(second))) == ([0, 1, 2], [0, 1])


def test_a_search_goes_on_where_it_stood_and_says_how_far_it_is(tmp_path: Path) -> None:
    pager = pager_of(tmp_path / "a.log", b"".join(b"line %d of a flood\n" % number for number in range(100_000)))
    request = ReadLog(source=1, filter="9999", limit=10)
    first = pager.page(request, 0)
    assert not first.complete and 0 < first.searched < first.all_total == 100_000
    while not (page := pager.page(request, 0)).complete:
        assert page.searched > first.searched
        first = page
    assert page.total == sum("9999" in str(number) for number in range(100_000))
    assert [line.number for line in page.lines][:2] == [9999, 19999]


def test_lines_that_came_since_are_found_by_the_same_search(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one error\nfine\n")
    drain = Drain(follow(path)).now()
    pager = Pager(drain.tail)
    assert numbers(pager, filter="error") == [0]
    with path.open("ab") as file:
        file.write(b"another error\n")
    drain.now()
    assert numbers(pager, filter="error") == [0, 2]


def test_the_next_and_the_previous_error_are_found_in_the_whole_file(tmp_path: Path) -> None:
    lines = [b"level=INFO msg=%d" % number for number in range(5_000)]
    lines[40], lines[4_000] = b"level=ERROR msg=a", b"level=ERROR msg=b"
    pager = pager_of(tmp_path / "a.log", b"\n".join(lines) + b"\n")

    def error(start: int, backwards: bool = False) -> int | None:
        return pager.found(FindLine(source=1, start=start, level=Level.ERROR, backwards=backwards))

    assert (error(-1), error(40), error(4_000)) == (40, 4_000, -1)
    assert (error(4_999, True), error(4_000, True), error(40, True)) == (4_000, 40, -1)


def test_a_moment_is_found_by_the_stamps_of_the_lines(tmp_path: Path) -> None:
    lines = [f"2026-01-02 03:{number // 60:02d}:{number % 60:02d} line {number}\n  more" for number in range(600)]
    pager = pager_of(tmp_path / "a.log", "\n".join(lines).encode() + b"\n")
    for number in (0, 1, 299, 599):
        wall = stamp(lines[number])
        assert pager.found(FindLine(source=1, wall=wall)) == 2 * number
    assert pager.found(FindLine(source=1, wall=stamp("2026-01-02 04:00:00"))) == -1


@pytest.mark.parametrize("pattern", ["x.*y", "[0-9]+z"])
def test_a_line_of_any_length_is_searched_once(pattern: str, tmp_path: Path) -> None:
    pager = pager_of(tmp_path / "a.log", b"xy 1z\n" + b"a" * 9_000_000 + b"\nxy 1z\n")
    assert numbers(pager, filter=pattern) == [0, 2]
    assert re.search(pattern, "xy 1z")
