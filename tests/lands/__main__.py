"""`make lands`: builds bare user lands and asks `dist/inspector.pyz` in each for what a newcomer asks; a table."""

import argparse
import sys
from pathlib import Path

from tests.guests.build_cache import ImageError

from .land import NAMES, Answers, ask, built

FILE = Path(__file__).parents[2] / "dist/inspector.pyz"


def main() -> int:
    """0 when every land answers everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.lands", description="the one file in bare user lands")
    parser.add_argument("lands", nargs="*", default=list(NAMES), help="of these: %(default)s")
    parser.add_argument("--file", type=Path, default=FILE)
    words = parser.parse_args()
    failed = 0
    print(
        f"{'land':<10} {'python':<8} {'land MB':>7} {'file MB':>7} {'cache MB':>8} {'first s':>7} {'next s':>6}  "
        "answers"
    )
    for name in words.lands:
        try:
            answers = ask(name, built(name), words.file)
        except ImageError as error:
            print(f"{name:<10} not built: {error}")
            failed += 1
            continue
        failed += bool(answers.wrong)
        print(_row(name, answers))
    return 1 if failed else 0


def _row(name: str, one: Answers) -> str:
    said = "; ".join(one.wrong) or ", ".join(one.right)
    sizes = f"{one.land / 1e6:>7.0f} {one.file / 1e6:>7.1f} {one.cache / 1e6:>8.1f}"
    return f"{name:<10} {one.python:<8} {sizes} {one.first:>7.1f} {one.following:>6.1f}  {said}"


if __name__ == "__main__":
    sys.exit(main())
