"""`python -m tests.bench.proven_exits FILE...`: of how many API functions results can be read, why not of others."""

import re
import sys
import time
from collections import Counter

from inspector.collect.elf.exits import find_exits
from inspector.collect.elf.file import ElfError
from inspector.collect.elf.sites import find_sites

_API = re.compile(r"(cu|cuda|cublas|cudnn|nvml|hip|hsa_|vk|cl)[A-Z_a-z]")


def main() -> int:
    """A line for each file; with one file, one for each function that is not proven as well."""
    for path in sys.argv[1:]:
        try:
            sites = [site for site in find_sites(path.encode()).found if _API.match(site.name)]
            begin = time.monotonic()
            exits = find_exits(path.encode(), sites)
        except (ElfError, OSError) as error:
            print(f"{path}: {error}")
            continue
        took = time.monotonic() - begin
        unproven = [(site.name, exits[site.entry].unproven) for site in sites if exits[site.entry].unproven]
        returns = sum(len(each.offsets) for each in exits.values() if not each.unproven)
        why = ", ".join(f"{count} times {reason}" for reason, count in Counter(why for _, why in unproven).items())
        print(f"{path}: {len(sites) - len(unproven)} of {len(sites)} proven, {returns} returns, {took:.2f} s; {why}")
        for name, reason in unproven if len(sys.argv) == 2 else ():
            print(f"  {name}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
