"""A report that is kept in a log of the target is not read as the program's words."""

import pytest

from inspector.demo.cases import CASES
from inspector.demo.record import recording_of
from inspector.model import diagnosis
from inspector.model.fold import apply_all
from inspector.model.own_output import OwnOutput
from inspector.model.profiles import builtin_profiles
from inspector.model.state import LogSource, State
from inspector.report.builder import report
from inspector.report.formats import render
from inspector.report.schema import Report
from inspector.report.trace import Tracer
from inspector.stream.logs import LogFound, LogLine, LogRead
from inspector.stream.recording import Recording

TOLD = 'time=2026-01-02T03:04:05Z level=INFO msg="offloaded 0/33 layers to GPU"'


def recorded(name: str) -> State:
    """What a recorded case tells."""
    case = next(one for one in CASES if one.name == name)
    return apply_all(Recording(str(recording_of(case))))


def report_of(state: State) -> Report:
    """The report on it."""
    return report(state, diagnosis.diagnose(state, builtin_profiles()))


def heard(*batches: list[str]) -> LogSource:
    """A log with these lines, in one batch after the other."""
    lines, source = 0, LogFound(at=1, source=1, name="/a.log", kind="file", why="fd 2")
    events: list[LogFound | LogRead] = [source]
    for texts in batches:
        read = [LogLine(number=lines + place, text=text) for place, text in enumerate(texts)]
        lines += len(read)
        events.append(LogRead(at=2, source=1, lines=read, lines_total=lines))
    return apply_all(events).logs[1]


@pytest.mark.parametrize("name", ["the-question", "call-blocked", "healthy", "symbol-missing-loudly", "no-gpu-program"])
@pytest.mark.parametrize(("form", "width"), [("text", 70), ("text", 100), ("text", 140), ("json", 0)])
def test_each_line_of_a_report_is_ours(name: str, form: str, width: int) -> None:
    ours = OwnOutput()
    lines = render(report_of(recorded(name)), form, width=width).decode().splitlines()
    assert [line for line in lines if not ours.is_ours(line) and line != "{"] == []
    assert not ours.is_ours(TOLD)


def test_each_line_of_a_trace_is_ours() -> None:
    ours = OwnOutput()
    assert all(ours.is_ours(line) for line in Tracer().lines(recorded("the-question")))


def test_a_report_in_the_log_says_nothing_of_the_program_and_lines_after_it_do() -> None:
    lines = render(report_of(recorded("symbol-missing-loudly")), "text").decode().splitlines()
    alone = heard(lines[:20], lines[20:])
    assert not alone.said and not alone.readings
    marked = heard(render(report_of(recorded("symbol-missing-loudly")), "markdown").decode().splitlines())
    assert not marked.said and not marked.readings
    after = heard(lines[:20], lines[20:], [TOLD, "  what():  no CUDA device"])
    assert [one.text for rows in after.readings.values() for one in rows] or after.said
    assert len(after.lines) == len(lines) + 2, "the pane Logs shows them all"


def test_a_report_that_was_cut_off_does_not_hide_the_program_for_ever() -> None:
    lines = render(report_of(recorded("the-question")), "text").decode().splitlines()
    ours = OwnOutput()
    assert all(ours.is_ours(line) for line in lines[:15])
    others = [ours.is_ours(f"time={number} level=INFO msg=x") for number in range(30)]
    assert not any(others)
    assert not ours.is_ours("  what():  no CUDA device")
