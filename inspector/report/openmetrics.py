"""The report as OpenMetrics text, which the textfile collector of a node exporter reads as well.

Specification: https://openmetrics.io, version 1.0. Only gauges and counters: the older text
format knows no others.
"""

from collections.abc import Iterable, Iterator
from typing import get_args

from inspector.model.verdict import ModeName, Severity
from inspector.stream.text import visible

from .schema import CallReport, Report

_PREFIX = "shim_inspector"
_STATES = {"no": 0, "yes": 1}

Labels = dict[str, str | int]
Sample = tuple[Labels, float]


def render(report: Report) -> bytes:
    """UTF-8 text that ends in `# EOF`."""
    target: Labels = {"target": report.target.asked or report.target.exe}
    lines = [
        *_family("mode", "gauge", "1 for the mode that the program computes in.", _modes(report, target)),
        *_family("findings", "gauge", "Findings by severity.", _findings(report, target)),
        *_family(
            "stage", "gauge", "1 for the furthest stage that a process reached in an API.", _stages(report, target)
        ),
        *_family("rung", "gauge", "1 reached, 0 broken; an unknown rung is left out.", _rungs(report, target)),
        *_family("calls", "counter", "Calls of an API function.", _calls(report, target)),
        *_family("results", "counter", "Returns of an API function by result.", _results(report, target)),
        *_family(
            "observed_seconds", "gauge", "How long the target was watched.", [(target, report.observation.seconds)]
        ),
        "# EOF",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _modes(report: Report, target: Labels) -> Iterator[Sample]:
    for mode in get_args(ModeName):
        chosen = mode == report.mode.verdict
        yield {**target, "mode": mode, "confidence": report.mode.confidence if chosen else ""}, int(chosen)


def _findings(report: Report, target: Labels) -> Iterator[Sample]:
    for severity in get_args(Severity):
        yield {**target, "severity": severity}, sum(each.severity == severity for each in report.findings)


def _stages(report: Report, target: Labels) -> Iterator[Sample]:
    for row in report.progress:
        yield {**target, "api": row.api, "pid": row.pid, "stage": row.stage, "stopped": str(row.stopped).lower()}, 1


def _rungs(report: Report, target: Labels) -> Iterator[Sample]:
    for api in report.apis:
        for rung in api.rungs:
            if rung.state in _STATES:
                yield {**target, "api": api.api, "pid": api.pid, "rung": rung.rung}, _STATES[rung.state]


def _calls(report: Report, target: Labels) -> Iterator[Sample]:
    for call in report.calls:
        yield {**target, **_function(call)}, call.count


def _results(report: Report, target: Labels) -> Iterator[Sample]:
    for call in report.calls:
        for result, count in call.results.items():
            yield {**target, **_function(call), "result": result}, count


def _function(call: CallReport) -> Labels:
    return {"api": call.api, "pid": call.pid, "function": call.function, "library": call.library}


def _family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """Equal label sets are one sample: a report may hold two programs of one pid."""
    yield f"# TYPE {_PREFIX}_{name} {kind}"
    yield f"# HELP {_PREFIX}_{name} {words}"
    suffix = "_total" if kind == "counter" else ""
    sums: dict[str, float] = {}
    for labels, value in samples:
        key = ",".join(f'{label}="{_escaped(str(text))}"' for label, text in labels.items() if text != "")
        sums[key] = sums.get(key, 0) + value
    for key, value in sums.items():
        yield f"{_PREFIX}_{name}{suffix}{{{key}}} {value:.3f}".removesuffix(".000")


def _escaped(text: str) -> str:
    return visible(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
