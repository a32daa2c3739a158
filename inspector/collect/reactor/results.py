"""Reading the results of functions that are counted: their exits are decoded, then probed."""

from collections.abc import Mapping

from ..elf.exits import Exits, find_exits
from ..elf.file import ElfError
from ..elf.sites import Site
from ..kernel.file_watch import FileWatch


def read_results(watch: FileWatch, open_path: bytes, functions: Mapping[int, Site]) -> dict[int, Exits]:
    """Read results of these functions, by number, where their exits are proven; how each of them is left."""
    if not functions:
        return {}
    try:
        found = find_exits(open_path, functions.values())
        exits = {number: found[site.entry] for number, site in functions.items()}
        watch.read_results({number: each.offsets for number, each in exits.items() if not each.unproven})
    except (ElfError, OSError) as error:
        exits = dict.fromkeys(functions, Exits((), unproven=str(error)))
    exits |= {number: Exits((), unproven=why) for number, why in watch.exits.refused.items() if number in exits}
    watch.exits.detach(number for number, each in exits.items() if each.unproven)
    return exits
