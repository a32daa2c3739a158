"""Trace events, trace lines, doctor, list and differences say what the report says."""

from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.model.state import Moment
from inspector.report import diff, doctor, listing
from inspector.report.formats import export, format_of, render
from inspector.report.schema import TimelineRow, from_json
from inspector.report.trace import Tracer
from inspector.stream.processes import ProcessListed
from inspector.stream.redact import Redactor, rewritten

from .sample import SHIM, answer, at, sample_report, state


class TraceEvent(msgspec.Struct):
    """The keys that the trace event format asks of an event."""

    name: str
    ph: str
    pid: int
    tid: int
    ts: float = 0.0
    dur: float = 0.0
    s: str = ""


class Trace(msgspec.Struct):
    traceEvents: list[TraceEvent]  # noqa: N815
    displayTimeUnit: str  # noqa: N815


def test_trace_events_keep_the_published_format() -> None:
    trace = msgspec.json.decode(render(sample_report(), "perfetto"), type=Trace)
    phases = {event.ph for event in trace.traceEvents}
    assert phases == {"X", "i", "M"} and trace.displayTimeUnit in ("ms", "ns")
    assert all(event.ts >= 0 and event.dur >= 0 for event in trace.traceEvents)
    assert all(event.s == "t" for event in trace.traceEvents if event.ph == "i")
    call = next(event for event in trace.traceEvents if event.name.startswith("cuDeviceGetCount"))
    assert call.ph == "X" and call.dur == pytest.approx(350) and call.ts == pytest.approx(170_000)
    lives = [event for event in trace.traceEvents if event.ph == "X" and event.tid == 1]
    assert [event.pid for event in lives] == [812, 845, 851]
    assert lives[1].dur == pytest.approx(310_000)


@pytest.mark.longer
@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(1, 30)), max_size=12))
def test_slices_of_a_lane_nest_and_every_lane_has_a_name(calls: list[tuple[int, int]]) -> None:
    rows = [
        TimelineRow(at="", seconds=end / 1000, pid=845, kind="call", text="cuInit", lasts=length / 1000)
        for end, length in calls
    ]
    report = msgspec.structs.replace(sample_report(), timeline=[*sample_report().timeline, *rows])
    events = msgspec.json.decode(render(report, "perfetto"), type=Trace).traceEvents
    slices = [event for event in events if event.ph == "X"]
    assert len([event for event in slices if event.name == "cuInit"]) >= len(rows)
    for one, other in combinations(slices, 2):
        if (one.pid, one.tid) == (other.pid, other.tid):
            first, second = sorted((one, other), key=lambda event: (event.ts, -event.dur))
            assert second.ts >= first.ts + first.dur or second.ts + second.dur <= first.ts + first.dur
    named = {(event.pid, event.tid) for event in events if event.name == "thread_name"}
    assert {(event.pid, event.tid) for event in events if event.ph != "M"} <= named
    assert min(event.ts for event in events) >= 0


def test_a_trace_line_is_one_line_with_a_mark_for_failures() -> None:
    lines = Tracer().lines(state())
    assert len(lines) == 10 and all("\n" not in line for line in lines)
    assert lines[0].startswith("03:04:05.000000") and "observation began" in lines[0]
    assert "  ! killed by SIGSEGV" in lines[8]


def test_a_growing_timeline_gives_each_moment_once_also_a_late_one() -> None:
    grown, tracer = state(), Tracer(as_json=True)
    assert len(tracer.lines(grown)) == 10
    assert tracer.lines(grown) == []
    grown.timeline.insert(3, Moment(at=at(160), pid=845, kind="note", text="late"))
    grown.timeline.append(Moment(at=at(900), pid=845, kind="note", text="new"))
    texts = [msgspec.json.decode(line, type=dict[str, object])["text"] for line in tracer.lines(grown)]
    assert texts == ["late", "new"]
    del grown.timeline[:5]
    grown.timeline_dropped += 5
    grown.timeline.append(Moment(at=at(901), pid=845, kind="note", text="newer"))
    assert [msgspec.json.decode(line, type=dict[str, object])["text"] for line in tracer.lines(grown)] == ["newer"]


def test_doctor_says_what_is_lost_and_how_it_is_granted() -> None:
    session = state().session
    assert session is not None
    text = doctor.as_text(session, width=100, colour=False)
    assert "no      journal" in text and "grant: sudo usermod -aG systemd-journal $USER" in text
    assert "1 of 2 capabilities available; not: journal." in text
    assert msgspec.json.decode(doctor.as_json(session), type=dict[str, object])["host"] == "gpu-vm"


def _listed(pid: int, **facts: object) -> ProcessListed:
    return msgspec.convert({"at": 1, "pid": pid, "ppid": 1, "argv": ["x"], **facts}, ProcessListed)


def test_list_shows_what_has_to_do_with_gpus_first() -> None:
    rows = [_listed(5), _listed(6, known_program=True), _listed(7, preloads=["a.so"]), _listed(8, apis=["nvml"])]
    chosen = listing.interesting(rows)
    assert [row.pid for row in chosen] == [8, 7, 6]
    text = listing.as_text(chosen, width=80, colour=False)
    assert "inspector report 8" in text and "preload: a.so" in text
    assert "at" not in msgspec.json.decode(listing.as_json(chosen), type=list[dict[str, object]])[0]


def test_an_empty_list_says_what_to_do() -> None:
    assert "inspector list --all" in listing.as_text([], width=80, colour=False)


def test_equal_reports_do_not_differ() -> None:
    found = diff.compare(sample_report(), sample_report())
    assert found.rows == []
    assert "No differences." in diff.as_text(found, "a", "b")


def test_the_difference_that_matters_comes_first() -> None:
    good = rewritten(sample_report(), lambda text: text)
    good = msgspec.structs.replace(
        good,
        mode=msgspec.structs.replace(good.mode, verdict="cuda"),
        findings=[],
        images=[msgspec.structs.replace(good.images[0], offers=[*good.images[0].offers, "cuNew"]), *good.images[1:]],
        libraries=[msgspec.structs.replace(row, state="current") for row in good.libraries],
        lookups=[row for row in good.lookups if row.outcome == "found"],
    )
    found = diff.compare(good, sample_report())
    areas = list(dict.fromkeys(row.area for row in found.rows))
    assert areas[:3] == ["mode", "finding", "library"]
    text = diff.as_text(found, "good.zst", "bad.zst")
    assert "GPU in use: CUDA (proven)" in text and "cuNew" in text
    assert "environment" not in areas and "ladder" not in areas
    assert from_json(render(good, "json")) == good
    assert msgspec.json.decode(diff.as_json(found), type=dict[str, object])["schema"] == "shim-inspector/diff/1"


def test_the_answer_of_the_bad_one_is_the_first_of_the_findings() -> None:
    bad = sample_report()
    rules = [finding.rule for finding in bad.findings if finding.severity != "info"]
    found = diff.compare(msgspec.structs.replace(bad, findings=[]), bad)
    assert len(rules) > 1 and [row.what for row in found.rows if row.area == "finding"] == rules


def test_look_ups_that_failed_come_before_those_that_only_have_other_answers() -> None:
    bad = sample_report()
    found = [msgspec.structs.replace(row, found="/lib/x.so", outcome="found", error=None) for row in bad.lookups]
    rows = diff.compare(msgspec.structs.replace(bad, lookups=found), bad).rows
    answers = [row.bad or "" for row in rows if row.area == "look-ups"]
    assert answers and "found in" not in answers[0]


def test_a_program_in_another_folder_with_other_pids_is_the_same_program() -> None:
    moved = rewritten(
        sample_report(), lambda text: text.replace("/usr/local/", "/opt/ours/").replace("pid 845", "pid 7")
    )
    rows = diff.compare(sample_report(), moved).rows
    assert [(row.area, row.what, row.good, row.bad) for row in rows] == [
        ("machine", "directory of the program", "/usr/local", "/opt/ours")
    ]


def test_a_changed_variable_and_a_changed_result_are_differences() -> None:
    bad = rewritten(sample_report(), lambda text: text.replace("cuda_v12", "cuda_v13").replace("NO_DEVICE", "OTHER"))
    rows = diff.compare(sample_report(), bad).rows
    assert any(row.area == "environment" and row.what.startswith("LD_LIBRARY_PATH of ollama runner") for row in rows)
    assert any(row.area == "results" and row.what == "cuInit" for row in rows)


def test_the_format_of_an_export_follows_its_name(tmp_path: Path) -> None:
    assert [format_of(name) for name in ("a.md", "a.html", "a.json", "a")] == ["markdown", "html", "json", "text"]
    path = tmp_path / "out.md"
    assert export(state(), answer(), str(path)) == path.stat().st_size
    assert path.read_text().startswith("## CPU (proven)") and path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link.md").symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        export(state(), answer(), str(tmp_path / "link.md"))


def test_a_redacted_report_names_nobody_and_still_names_the_cause() -> None:
    redactor = Redactor()
    redactor.learn("gpu-vm", "HOST")
    text = render(rewritten(sample_report(), redactor.text), "text").decode()
    assert "gpu-vm" not in text and "HOST1" in text
    assert "libcudart.so.12.8.90" in text and SHIM in text
