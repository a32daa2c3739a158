"""`report --expect`: was the mode the one that a script counts on? Light, since the command line imports it."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .schema import Report

Expected = Literal["gpu", "cuda", "rocm", "vulkan", "opencl", "cpu"]
"""A mode; `gpu` is any but the CPU."""
UNEXPECTED = 1
"""Exit code when the mode is another one, or undecided."""


def expectation(report: "Report", expected: Expected) -> tuple[bool, str]:
    """Whether the mode is the expected one, and one line that says why."""
    verdict = report.mode.verdict
    met = verdict not in ("cpu", "undecided") if expected == "gpu" else verdict == expected
    why = report.findings[0].title if report.findings else next((row.text for row in report.mode.evidence), "")
    sure = "" if verdict == "undecided" else f" ({report.mode.confidence})"
    return met, f"expected {expected}, got {verdict}{sure}" + (f": {why}" if why else "")
