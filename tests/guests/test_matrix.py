"""What the guests' results become: cells, and what of them is neither a pass nor a stated limit."""

import pytest

from tests.guests import matrix
from tests.guests.build_cache import ImageError, run_command
from tests.guests.matrix import Cell, faults, read, table

RESULTS = b"""<testsuites><testsuite>
<testcase classname="tests.demo.test_answers" name="test_the_first_finding[no-device]"/>
<testcase classname="tests.demo.test_answers" name="test_the_first_finding[healthy]">
<failure message="[] == 1&#10;x"/></testcase>
<testcase classname="tests.kernel.test_uprobes" name="test_one"/>
<testcase classname="tests.kernel.test_uprobes" name="test_two"><skipped message="not here"/></testcase>
</testsuite></testsuites>"""


def test_demo_cases_are_rows_of_their_own_and_other_tests_are_counted_by_file() -> None:
    column = read(RESULTS)
    assert column["case no-device"] == Cell(passed=1)
    assert column["case healthy"].failed == ("test_the_first_finding[healthy]: [] == 1",)
    assert column["test_uprobes"] == Cell(passed=1, skipped=1)


def test_a_failure_is_a_fault_until_it_is_a_stated_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    column = read(RESULTS)
    assert faults("5.10", column) == ["case healthy: test_the_first_finding[healthy]: [] == 1"]
    assert "1 FAILED" in table({"5.10": column})
    monkeypatch.setitem(matrix.LIMITS, ("5.10", "case healthy"), "it has no such thing")
    assert faults("5.10", column) == []
    assert "limit on 5.10, case healthy: it has no such thing" in table({"5.10": column})


def test_a_row_that_a_kernel_has_not_is_shown_as_missing() -> None:
    shown = table({"6.1": read(RESULTS), "6.12": {}})
    assert shown.splitlines()[1].split()[-1] == "-"


def test_what_hangs_while_images_are_built_fails_with_words() -> None:
    with pytest.raises(ImageError, match=r"sleep 60 ... was not done in 0.2 s"):
        run_command("sleep", "60", seconds=0.2)


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ([{"doctor": Cell(passed=1)}], 0),
        ([{"doctor": Cell(failed=("slow",))}, {"doctor": Cell(passed=1)}], 0),
        ([{"doctor": Cell(failed=("slow",))}, {"doctor": Cell(failed=("slow",))}], 1),
        ([{"image": Cell(failed=("no archive",))}, {"image": Cell(failed=("no archive",))}], 3),
    ],
)
def test_a_kernel_with_faults_is_tried_once_more_and_one_without_an_image_is_told_apart(
    columns: list[matrix.Column], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = iter(columns)
    monkeypatch.setattr(matrix, "_column", lambda *_, **__: next(rest))
    monkeypatch.setattr("sys.argv", ["matrix", "5.10", "--again"])
    assert matrix.main() == status
    assert next(rest, None) is None
