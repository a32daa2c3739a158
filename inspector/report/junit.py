"""The report as JUnit XML, for CI: the mode is one test, each finding another.

The format is that of Ant's JUnit task, as CI servers read it: `failure` for what failed, `skipped` for what is unknown.
"""

import re
from xml.etree import ElementTree as Xml

from inspector.stream.text import visible

from .expectation import Expected, expectation
from .schema import FindingReport, Report

_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def render(report: Report, expected: Expected | None = None) -> bytes:
    """UTF-8 XML; the mode fails its test when it is not the expected one, a finding when it is an error.

    Undecided is skipped, and failed when a mode was expected.
    """
    suite = Xml.Element("testsuite", name=_plain(f"inspector {report.target.asked or report.target.exe}"))
    _add_mode(suite, report, expected)
    for finding in report.findings:
        _add_finding(suite, finding)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("errors", "0")
    suite.set("time", f"{report.observation.seconds:.3f}")
    suite.set("hostname", _plain(report.observation.host))
    if report.observation.began:
        suite.set("timestamp", report.observation.began.removesuffix("Z"))
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add_mode(suite: Xml.Element, report: Report, expected: Expected | None) -> None:
    met, why = expectation(report, expected or "gpu")
    case = Xml.SubElement(suite, "testcase", classname="inspector.mode", name=f"mode is {expected or 'gpu'}")
    if expected is None and report.mode.verdict == "undecided":
        Xml.SubElement(case, "skipped", message=_plain(why))
    elif not met:
        failure = Xml.SubElement(case, "failure", type=report.mode.verdict, message=_plain(why))
        failure.text = _plain("\n".join(row.text for row in report.mode.evidence))


def _add_finding(suite: Xml.Element, finding: FindingReport) -> None:
    case = Xml.SubElement(suite, "testcase", classname=f"inspector.{finding.rule}", name=_plain(finding.title))
    words = _plain("\n".join([finding.cause, f"next: {finding.next_step}", *(row.text for row in finding.evidence)]))
    if finding.severity == "error":
        Xml.SubElement(case, "failure", type=finding.confidence, message=_plain(finding.cause)).text = words
    else:
        Xml.SubElement(case, "system-out").text = words


def _plain(text: str) -> str:
    """XML 1.0 has no control characters and no half pairs, not even escaped ones."""
    return _NO_XML.sub("\ufffd", "\n".join(visible(line) for line in text.split("\n")))
