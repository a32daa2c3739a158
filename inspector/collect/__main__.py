"""`python -m inspector.collect`: the collector without the rest of the command line."""

import sys

from .main import run

sys.exit(run(sys.argv[1:]))
