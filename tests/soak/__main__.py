"""`make soak`: watches a busy tree for ten minutes (or `--for SECONDS`) and fails when memory is not level.

Times are shown and not judged: a busy machine is no fault of the program.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .busy import BIRTHS, CALLS, LINES, Sample, observe, tree

_LEVEL_FROM = 60.0
"""Seconds after which both processes are to be level."""
_MAY_GROW = 1.3
"""By so much what is held may rise over the whole rest: the timeline and the lines of a log are full after minutes."""
_MOST_TOGETHER = 300.0
"""MB of both."""
_MOST_REPORT = 20.0
"""MB of the JSON report."""


def main() -> int:
    """0 when all limits held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--for", dest="seconds", type=float, default=600.0)
    parser.add_argument("--json", type=Path, help="write the curve to this file")
    options = parser.parse_args()
    print(f"{BIRTHS} births, {LINES} log lines, {CALLS} calls a second; viewer + collector, processor of both")
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name, tree(Path(name)) as pid:
        every = max(2.0, options.seconds / 60)
        for sample in observe(pid, Path(name), options.seconds, every):
            samples.append(sample)
            print(sample, flush=True)
        size = (Path(name) / "report.json").stat().st_size / 1e6
    print(f"the report has {size:.1f} MB")
    if options.json:
        rows = [[one.seconds, one.viewer, one.collector, one.cpu] for one in samples]
        options.json.write_text(json.dumps({"samples": rows, "report_megabytes": size}))
    troubles = list(_troubles(samples, size))
    for trouble in troubles:
        print(f"FAILED: {trouble}")
    return 1 if troubles else 0


def _troubles(samples: list[Sample], report: float) -> list[str]:
    early = [one.together for one in samples if _LEVEL_FROM <= one.seconds < 2 * _LEVEL_FROM]
    late = [one.together for one in samples if one.seconds >= 2 * _LEVEL_FROM]
    found = []
    if early and late and max(late) > _MAY_GROW * max(early):
        found.append(f"memory is not level: {max(early):.0f} MB in the second minute, {max(late):.0f} MB later")
    if samples and max(one.together for one in samples) > _MOST_TOGETHER:
        found.append(f"{max(one.together for one in samples):.0f} MB together, more than {_MOST_TOGETHER:.0f}")
    if report > _MOST_REPORT:
        found.append(f"a report of {report:.1f} MB, more than {_MOST_REPORT:.0f}")
    return found


if __name__ == "__main__":
    sys.exit(main())
