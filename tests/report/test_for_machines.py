"""What scripts, CI servers and exporters read: --expect, JUnit XML, OpenMetrics text."""

from xml.etree import ElementTree as Xml

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as older_families

from inspector.report import junit, openmetrics
from inspector.report.expectation import Expected, expectation
from inspector.report.schema import ProgressReport, Report

from .sample import sample_report


def with_mode(verdict: str) -> Report:
    report = sample_report()
    return msgspec.structs.replace(report, mode=msgspec.structs.replace(report.mode, verdict=verdict))


def replace_progress(report: Report) -> Report:
    row = ProgressReport(pid=812, api="cuda-driver", stage="initialised", stopped=True)
    return msgspec.structs.replace(report, progress=[row])


@pytest.mark.parametrize(
    ("verdict", "expected", "met"),
    [
        ("cuda", "gpu", True),
        ("rocm", "gpu", True),
        ("cuda", "cuda", True),
        ("rocm", "cuda", False),
        ("cpu", "gpu", False),
        ("cpu", "cpu", True),
        ("undecided", "gpu", False),
        ("undecided", "cpu", False),
    ],
)
def test_a_script_learns_whether_the_mode_is_the_expected_one(verdict: str, expected: Expected, met: bool) -> None:
    answer, why = expectation(with_mode(verdict), expected)
    assert answer is met
    assert expected in why and verdict in why and "\n" not in why


def test_in_junit_an_error_fails_and_the_counts_agree_with_the_tests() -> None:
    suite = Xml.fromstring(junit.render(with_mode("cpu")))[0]
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases)) and len(cases) == 1 + len(sample_report().findings)
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert cases[0].find("failure") is not None


def test_in_junit_undecided_is_skipped_unless_a_mode_was_expected() -> None:
    undecided = with_mode("undecided")
    assert Xml.fromstring(junit.render(undecided))[0][0].find("skipped") is not None
    assert Xml.fromstring(junit.render(undecided, "cuda"))[0][0].find("failure") is not None


def test_hostile_text_leaves_the_xml_readable() -> None:
    report = sample_report()
    finding = msgspec.structs.replace(report.findings[0], title="a\x00b\x1b[31m<x>&", cause="\ud800\ufffe")
    Xml.fromstring(junit.render(msgspec.structs.replace(report, findings=[finding])))


def test_the_metrics_are_read_by_the_parsers_of_both_formats() -> None:
    text = openmetrics.render(with_mode("cpu")).decode()
    assert text.endswith("# EOF\n")
    families = {family.name: family for family in openmetrics_families(text)}
    modes = {sample.labels["mode"]: sample.value for sample in families["shim_inspector_mode"].samples}
    assert modes == {"cuda": 0, "rocm": 0, "vulkan": 0, "opencl": 0, "cpu": 1, "undecided": 0}
    calls = sum(sample.value for sample in families["shim_inspector_calls"].samples)
    assert calls == sum(call.count for call in sample_report().calls) > 0
    recorded = replace_progress(with_mode("cpu"))
    (stage,) = next(
        f for f in openmetrics_families(openmetrics.render(recorded).decode()) if f.name.endswith("stage")
    ).samples
    assert (stage.labels["api"], stage.labels["stage"], stage.value) == ("cuda-driver", "initialised", 1)
    assert {family.name for family in older_families(text)} >= {"shim_inspector_mode", "shim_inspector_rung"}


def test_a_hostile_name_stays_one_label() -> None:
    report = sample_report()
    target = msgspec.structs.replace(report.target, asked='a"} 1\n# EOF\n\\')
    text = openmetrics.render(msgspec.structs.replace(report, target=target)).decode()
    assert text.count("# EOF\n") == 1
    assert all(family.samples for family in openmetrics_families(text) if family.name == "shim_inspector_mode")
