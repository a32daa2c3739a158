"""`make fuzz`: mutants of each kind; fails at the first traceback, or when one takes more than a second of processor.

A mutant that fails is kept as a file, and its number finds it again: `--only KIND --from NUMBER --count 1`.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from .kinds import kinds
from .mutation import mutant

_MOST_SECONDS = 1.0
_MOST_MEGABYTES = 500


def main() -> int:
    """0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each kind")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--only", default="", help="one kind")
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"), help="seconds for each kind at most")
    options = parser.parse_args()
    failed: Counter[str] = Counter()
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        for kind, reader in kinds(Path(name)).items():
            if options.only and options.only != kind:
                continue
            begun, longest, done = time.monotonic(), 0.0, 0
            for number in range(options.first, options.first + options.count):
                if time.monotonic() - begun > options.seconds:
                    break
                chance = random.Random(f"{kind} {number}")
                raw = mutant(chance.choice(reader.seeds), chance)
                before = time.process_time()
                try:
                    reader.read(raw)
                except Exception as error:
                    if not failed[f"{kind} {type(error).__name__} {_where(error)}"]:
                        print(f"{kind} {number}: {''.join(traceback.format_exception(error)[-5:])}", flush=True)
                    failed[f"{kind} {type(error).__name__} {_where(error)}"] += 1
                took = time.process_time() - before
                longest, done = max(longest, took), done + 1
                if took > _MOST_SECONDS:
                    print(f"{kind} {number}: {took:.1f} s")
                    failed[f"{kind} too slow"] += 1
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            print(f"{kind}: {done} mutants, the longest took {longest:.3f} s, {megabytes:.0f} MB", flush=True)
            if megabytes > _MOST_MEGABYTES:
                failed[f"{kind} more than {_MOST_MEGABYTES} MB"] += 1
    for what, count in failed.items():
        print(f"FAILED {count} times: {what}")
    return 1 if failed else 0


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


if __name__ == "__main__":
    sys.exit(main())
