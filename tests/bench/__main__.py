"""`python -m tests.bench [--json FILE] [AREA...]`: measure, print the table; progress goes to stderr."""

import argparse
import os
import sys
import time
from pathlib import Path

from . import calls, files, logs, observed, scale, screen, startup, system_calls
from .figures import Figure, Measurement, attempt, table, write_json

_MEASUREMENTS: list[Measurement] = [
    *startup.MEASUREMENTS, *files.MEASUREMENTS, *calls.MEASUREMENTS,
    *system_calls.MEASUREMENTS, *observed.MEASUREMENTS,
    *screen.MEASUREMENTS, *logs.MEASUREMENTS, *scale.MEASUREMENTS,
]  # fmt: skip
_AREAS = list(dict.fromkeys(one.area for one in _MEASUREMENTS))


def main() -> int:
    """Run the chosen areas one after the other; nothing runs side by side, because that would be measured too."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Our figures beside those of peers.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{', '.join(_AREAS)}; default: all")
    options = parser.parse_args()
    unknown = set(options.areas) - set(_AREAS)
    if unknown:
        parser.error(f"no such area: {', '.join(sorted(unknown))}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: byte code, and what is kept beside it, is written
    figures: list[Figure] = []
    for one in _MEASUREMENTS:
        if options.areas and one.area not in options.areas:
            continue
        begin = time.monotonic()
        print(f"{one.area}: {one.run.__name__.replace('_', ' ')} ...", end="", file=sys.stderr, flush=True)
        figures += attempt(one)
        print(f" {time.monotonic() - begin:.1f} s", file=sys.stderr)
    print(table(figures))
    if options.json:
        write_json(figures, options.json)
    return 0


sys.exit(main())
