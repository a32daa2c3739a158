"""Reading the results of functions that are counted: their exits are decoded, or known from before, then probed."""

import os
from collections.abc import Mapping

from ..access.file_memory import FileMemory
from ..elf.exits import NO_DECODER, Exits, find_exits
from ..elf.file import ElfError
from ..elf.sites import Site
from ..kernel.file_watch import FileWatch

ExitMemory = FileMemory[dict[int, Exits]]
"""Exits of the functions of a file, by `Site.entry`."""


def exit_memory(owner: str) -> ExitMemory:
    """Each process that decodes has its own, so that neither overwrites what the other has found."""
    return FileMemory(f"exits-{owner}", "", dict[int, Exits])


def read_results(
    watch: FileWatch, open_path: bytes, functions: Mapping[int, Site], memory: ExitMemory
) -> dict[int, Exits]:
    """Read results of these functions, by number, where their exits are proven; how each of them is left."""
    if not functions:
        return {}
    try:
        found = _exits(open_path, list(functions.values()), memory)
        exits = {number: found[site.entry] for number, site in functions.items()}
        watch.read_results({number: each.offsets for number, each in exits.items() if not each.unproven})
    except (ElfError, OSError) as error:
        exits = dict.fromkeys(functions, Exits((), unproven=str(error)))
    exits |= {number: Exits((), unproven=why) for number, why in watch.exits.refused.items() if number in exits}
    watch.exits.detach(number for number, each in exits.items() if each.unproven)
    return exits


def _exits(open_path: bytes, sites: list[Site], memory: ExitMemory) -> dict[int, Exits]:
    """To decode a library's functions takes some 0.1 s, so it is done once for each file."""
    status = os.stat(open_path)
    known = memory.find(status) or {}
    new = [site for site in sites if site.entry not in known]
    if new:
        found = find_exits(open_path, new)
        known |= found
        if not any(each.unproven == NO_DECODER for each in found.values()):
            memory.keep(status, known)
    return known
