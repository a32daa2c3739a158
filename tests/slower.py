"""How much slower this machine is than ours: 1, in guests under software emulation 10."""

import os

SLOWER = float(os.environ.get("SLOWER", "1"))
