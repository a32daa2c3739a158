"""The JSON report keeps the contract: keys, schema, exit codes, the same bytes everywhere."""

import json
from importlib import resources

import jsonschema
import pytest

from inspector.model.state import State
from inspector.model.verdict import Answer, Finding, Mode, ModeName
from inspector.report import builder
from inspector.report.schema import Report, from_json, schema, to_json
from inspector.report.verdict import exit_code
from inspector.stream.session import TargetMissing

from .sample import answer, sample_report, state

ROWS = {
    "apis": {"api", "pid", "provider", "rungs", "first_broken"},
    "findings": {"rule", "severity", "confidence", "title", "cause", "next_step", "evidence", "pid"},
    "calls": {
        "api", "function", "library", "pid", "count", "first", "last", "inside", "callers", "results", "values",
    },
    "lookups": {"pid", "via", "requester", "name", "count", "found", "answered_by", "error"},
    "libraries": {"pid", "path", "base", "route", "soname", "build_id", "state"},
    "opens": {"pid", "path", "result"},
    "limits": {"what", "why", "grant"},
}  # fmt: skip


def printed() -> dict[str, object]:
    made: dict[str, object] = json.loads(to_json(sample_report()))
    return made


def rows(name: str) -> list[dict[str, object]]:
    found = printed()[name]
    assert isinstance(found, list) and found
    return found


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_the_keys_of_the_contract(name: str) -> None:
    assert all(ROWS[name] <= row.keys() for row in rows(name))


def test_the_top_has_the_keys_of_the_contract() -> None:
    made = printed()
    assert made["schema"] == "shim-inspector/report/1"
    assert {"target", "mode", "logs", *ROWS} <= made.keys()
    target, mode = made["target"], made["mode"]
    assert isinstance(target, dict) and isinstance(mode, dict)
    assert {"pid", "argv", "exe", "tree"} <= target.keys()
    assert {"verdict", "confidence", "evidence", "contradictions"} <= mode.keys()
    wanted = {"pid", "ppid", "argv", "started", "ended", "exit", "environment"}
    assert all(wanted <= process.keys() for process in target["tree"])
    assert {"code", "signal"} <= target["tree"][1]["exit"].keys()


def test_the_published_schema_is_that_of_the_shapes_and_the_report_keeps_it() -> None:
    published = resources.files("inspector.report").joinpath("schema.json").read_bytes()
    assert published == schema(), "publish it anew: python -m inspector.report.schema > inspector/report/schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(published))
    validator.check_schema(json.loads(published))
    assert list(validator.iter_errors(printed())) == []
    assert list(validator.iter_errors(printed() | {"mode": {"verdict": "gpu"}})) != []


def test_the_same_state_gives_the_same_bytes_and_they_are_read_back() -> None:
    assert to_json(sample_report()) == to_json(sample_report())
    assert from_json(to_json(sample_report())) == sample_report()


def test_facts_come_out_as_the_stream_told_them() -> None:
    report = sample_report()
    server, child, crashed = report.target.tree
    assert (server.ended, server.exit) == (None, None)
    assert child.exit is not None and (child.exit.code, child.exit.signal) == (0, None)
    assert crashed.exit is not None and (crashed.exit.signal, crashed.exit.signal_name) == (11, "SIGSEGV")
    assert child.environment_changes == {"LD_LIBRARY_PATH": "/usr/local/lib/ollama/cuda_v12", "LD_PRELOAD": None}
    assert crashed.argv == ["ollama", "serve"], "a fork runs its parent's program"
    init = next(row for row in report.calls if row.function == "cuInit")
    assert init.results == {"CUDA_ERROR_NO_DEVICE": 1, "CUDA_SUCCESS": 1}
    assert (init.first, init.count) == ("2026-01-02T03:04:05.160000Z", 2)
    assert [(row.call, row.result) for row in report.opens] == [("open", "ok"), ("open", "EACCES"), ("ioctl", "ENOTTY")]
    inside = next(row for row in report.calls if row.inside is not None)
    assert inside.inside == 0.11, "until the process ended, not until now"
    assert next(row for row in report.timeline if row.kind == "call").lasts == pytest.approx(0.00035)


def test_a_long_timeline_loses_its_middle_and_says_how_much() -> None:
    report = builder.report(state(), answer(), timeline_rows=4)
    assert [row.kind for row in report.timeline] == ["note", "process", "signal", "log"]
    assert report.observation.timeline_left_out == 6


def _report(verdict: ModeName, finding: str = "", rule: str = "x") -> Report:
    findings = [
        Finding(rule=rule, severity=severity, confidence="proven", title="t", cause="c", next_step="n")
        for severity in ("error", "info")
        if severity == finding
    ]
    made = Answer(mode=Mode(verdict=verdict, confidence="proven"), ladders=[], findings=findings, coverage="")
    return builder.report(state(), made)


def test_the_exit_code_is_the_answer() -> None:
    assert exit_code(state(), _report("cuda")) == 0
    assert exit_code(state(), _report("rocm")) == 0
    assert exit_code(state(), _report("cpu", "error")) == 10
    assert exit_code(state(), _report("cpu")) == 11
    assert exit_code(state(), _report("cpu", "info", "nobody-asked")) == 10
    assert exit_code(state(), _report("cpu", "info", "cause-not-seen")) == 11
    assert exit_code(state(), _report("cpu", "warning", "told-by-program")) == 11
    assert exit_code(state(), _report("undecided", "error")) == 12


def test_a_target_that_is_missing_or_forbidden_has_its_own_exit_code() -> None:
    gone = State(missing=TargetMissing(at=1, why="there is no process with PID 7", kind="no-such-target"))
    forbidden = State(missing=TargetMissing(at=1, why="it is root's", kind="not-permitted"))
    assert exit_code(gone, _report("undecided")) == 3
    assert exit_code(forbidden, _report("undecided")) == 4
