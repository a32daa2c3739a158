"""The timeline as a picture: a lane for each process, and one for what belongs to no process."""

import re
from html import escape

import msgspec

from inspector.report.schema import TimelineRow
from inspector.report.timeline_svg import timeline

from .sample import sample_report


def row(kind: str, milliseconds: float) -> TimelineRow:
    return TimelineRow(at="", seconds=milliseconds / 1000, pid=0, kind=kind, text=f"{kind} of nobody")


def test_log_lines_that_belong_to_no_process_have_a_lane() -> None:
    report = sample_report()
    without = timeline(report, escape)
    drawn = timeline(msgspec.structs.replace(report, timeline=[*report.timeline, row("log", 300)]), escape)
    assert "logs and notes" not in without and "logs and notes" in drawn and "log of nobody" in drawn


def test_the_note_that_the_observation_ended_does_not_stretch_the_picture() -> None:
    report = sample_report()
    late = msgspec.structs.replace(report, timeline=[*report.timeline, row("note", 90_000)])
    ends = [re.findall(r'data-end="([\d.]+)"', timeline(one, escape)) for one in (report, late)]
    assert ends[0] == ends[1] != []


def test_without_moments_there_is_no_picture() -> None:
    report = sample_report()
    target = msgspec.structs.replace(report.target, tree=[])
    assert timeline(msgspec.structs.replace(report, timeline=[], target=target), escape) == ""
