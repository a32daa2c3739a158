"""The screen over played events as a program of its own, for tests in a pseudo terminal: `big`, `recorded`."""

import sys

from inspector.view.app import run

from .feeds import BigCollector, FakeFeed
from .sample import main_question


def main() -> int:
    """Show it until `q`."""
    words = sys.argv[1:]
    feed = BigCollector() if "big" in words else FakeFeed(main_question(), recorded="recorded" in words)
    return run(feed)


if __name__ == "__main__":
    sys.exit(main())
