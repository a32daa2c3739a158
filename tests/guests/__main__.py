"""Run one command in a guest: `python -m tests.guests 6.1 -- inspector doctor`."""

import argparse
import sys
from pathlib import Path

from . import guest
from .build_cache import ImageError
from .images import KERNELS


def main() -> int:
    """The command's exit status; 125 when the guest could not run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.guests", description="run a command in a guest")
    parser.add_argument("kernel", choices=KERNELS, help="series of the stock kernel")
    parser.add_argument("--boot", default="", help="words added to the kernel's command line")
    parser.add_argument("--seconds", type=float, default=900, help="how long it may take")
    parser.add_argument("--out", type=Path, help="folder that receives what the command leaves in $OUT")
    parser.add_argument(
        "--service", default="", help="a line of shell that runs afterwards, under a systemd that is init"
    )
    parser.add_argument("command", nargs="+", help="the command; one word is taken for a line of shell")
    words = parser.parse_args()
    try:
        done = guest.run(
            words.kernel, guest.shell(words.command), boot=words.boot, seconds=words.seconds, out=words.out, show=True,
            service=words.service,
        )  # fmt: skip
    except (guest.GuestError, ImageError) as error:
        print(error, file=sys.stderr)
        return 125
    print(f"[{words.kernel}: status {done.status}, {done.seconds:.0f} s]", file=sys.stderr)
    return done.status


if __name__ == "__main__":
    sys.exit(main())
