"""The text report is the one that a person likes to read, and it is the same to the letter."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from inspector.report.layout import AnsiStyle, Table, box, cells, shortened, wrapped
from inspector.report.text import render

from .sample import sample_report

GOLDEN = Path(__file__).parent / "golden.txt"


def test_the_text_report_is_as_it_was() -> None:
    made = render(sample_report())
    assert made == GOLDEN.read_text(), "when the change is meant: python -m tests.report.test_text"


def test_the_answer_comes_first_in_a_box() -> None:
    lines = render(sample_report()).splitlines()
    assert lines[2].startswith("+--") and "CPU (proven)" in lines[3]
    assert "needs version node libcudart.so.12" in lines[5]


def test_what_speaks_against_the_mode_is_not_shown_twice() -> None:
    report = sample_report()
    proof = report.findings[0].evidence
    again = [replace(row, by_hand="another command") for row in proof]
    against = render(replace(report, mode=replace(report.mode, contradictions=again)))
    assert "Evidence against it\n  - the evidence above\n" in against
    other = [replace(row, text="something else") for row in proof[:1]]
    assert "  - something else" in render(replace(report, mode=replace(report.mode, contradictions=other)))


@pytest.mark.parametrize("width", [70, 80, 100, 140])
def test_only_words_that_cannot_be_broken_are_longer_than_the_width(width: int) -> None:
    for line in render(sample_report(), width=width).splitlines():
        assert cells(line) <= width or max(map(len, line.split())) > width // 4


def test_colour_changes_nothing_but_colour() -> None:
    import re

    coloured = render(sample_report(), colour=True)
    assert "\x1b[31" in coloured
    assert "".join(re.sub(r"\x1b\[[0-9;]*m", "", coloured).split()) == "".join(render(sample_report()).split())
    assert "\x1b" not in render(sample_report())


def test_wide_characters_take_two_columns() -> None:
    assert cells("a\u4e2d") == 3
    assert box(["\u4e2d"], 10)[1] == "| \u4e2d     |"


def test_a_long_path_is_shortened_in_the_middle() -> None:
    assert shortened("/opt/some/very/long/path/libcuda.so.1", 20) == "/opt/s..libcuda.so.1"


def test_a_table_without_rows_is_nothing_and_a_narrow_one_wraps_below() -> None:
    table = Table(("a", "b"))
    assert table.lines(80, AnsiStyle()) == []
    table.add("x" * 30, "word " * 20)
    assert len(table.lines(50, AnsiStyle())) > 3
    assert wrapped("", 40, "- ") == ["-"]


if __name__ == "__main__":
    GOLDEN.write_text(render(sample_report()))
