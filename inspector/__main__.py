"""`python -m inspector`, which is also how the collector is started."""

import sys

from inspector.cli import main

if __name__ == "__main__":
    sys.exit(main())
