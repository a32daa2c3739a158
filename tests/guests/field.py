"""`python -m tests.guests.field 6.1`: real Ollama of each generation, waited for once in a guest: calls and answer.

What the stand-ins noted is compared with what was counted, as `make field` does here; built here, where it is kept.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.field import ollama

from . import guest
from .build_cache import ImageError
from .images import KERNELS, X86_64

_NAME = "installed"
_COMMAND = f"""
export SLOWER=10
python3 -m tests.field --parts starts --ways "waited for" --starts 1 --tell --installed {_NAME} GENERATIONS
"""


def main() -> int:
    """0 when every call of each generation was counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.guests.field", description=__doc__)
    own = [series for series, kernel in KERNELS.items() if kernel.processor == X86_64]
    parser.add_argument("kernel", choices=own, help="series of the stock kernel")
    parser.add_argument("generations", nargs="*", default=list(ollama.GENERATIONS), metavar="GENERATION")
    parser.add_argument("--seconds", type=float, default=1500, help="how long it may take")
    words = parser.parse_args()
    command = _COMMAND.replace("GENERATIONS", " ".join(words.generations))
    with tempfile.TemporaryDirectory(prefix="guest-field-") as name:
        try:
            ollama.prepare(Path(name), words.generations, "ollama")
            done = guest.run(words.kernel, command, seconds=words.seconds, show=True, extra={_NAME: Path(name)})
        except (guest.GuestError, ImageError, ollama.CannotBuildError) as error:
            return guest.fail(str(error))
    print(f"[{words.kernel}: status {done.status}, {done.seconds:.0f} s]", file=sys.stderr)
    return done.status


if __name__ == "__main__":
    sys.exit(main())
