"""What is the same of many processes is told once, with their number."""

from msgspec.structs import replace

from inspector.report import alike
from inspector.report.markdown import render as markdown
from inspector.report.schema import EvidenceRow, Report
from inspector.report.text import render

from .sample import sample_report


def _with_children(count: int, **facts: object) -> Report:
    report = sample_report()
    child = next(one for one in report.target.tree if one.ended is not None)
    more = [
        replace(child, pid=70_000 + number, argv=["runner", "--port", str(50_000 + number)], **facts)
        for number in range(count)
    ]
    return replace(report, target=replace(report.target, tree=[*report.target.tree, *more]))


def test_children_that_ran_the_same_and_ended_alike_are_one_line() -> None:
    report = _with_children(5)
    assert len([line for line in render(report).splitlines() if "runner --port 5000" in line]) == 1
    assert "70000 +4" in render(report) and "×5 alike: runner --port 50000" in render(report)
    assert "×5 alike: runner --port 50000" in markdown(report)


def test_two_are_told_one_by_one() -> None:
    assert "alike" not in render(_with_children(2))


def test_who_lives_is_told_alone() -> None:
    assert "alike" not in render(_with_children(5, ended=None, exit=None))


def test_evidence_that_differs_in_its_process_only_is_one_row() -> None:
    rows = [
        EvidenceRow(text=f"cuInit = 100 in PID {pid} (runner)", at=None, pid=pid, pane=None, key="")
        for pid in range(800, 812)
    ]
    assert alike.evidence(rows) == [(rows[0], 12)]
    assert alike.evidence(rows[:2]) == [(rows[0], 1), (rows[1], 1)]
