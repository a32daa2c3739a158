"""`python -m inspector`; the collector is started by the name of this file."""

import sys
from pathlib import Path

if not __package__:
    # Python looks first into the folder of a file that it starts. A folder named inspector/ in the current directory
    # is not looked at then, so it cannot become the collector, least of all under sudo.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from inspector.cli import main

if __name__ == "__main__":
    sys.exit(main())
