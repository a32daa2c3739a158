"""Is a library only there to be linked with? Each of its functions answers one error and does nothing else."""

import re
from itertools import islice
from typing import Final

from .file import ElfFile
from .symbols import STT_FUNC, SymbolTable

_LOOKED_AT: Final = 24
_FEWEST: Final = 4
_CODE: Final = 24
_ANSWERS: Final = re.compile(
    rb"(?:\xf3\x0f\x1e\xfa)?(?:\x55\x48\x89\xe5)?\xb8(?!\x00\x00\x00\x00)....(?:\x5d|\xc9)?\xc3", re.DOTALL
)
"""endbr64, a frame, `mov eax, NUMBER` other than 0, `ret`: so are the files of a toolkit for x86-64 that are made to
link with."""


def answers_only_errors(open_path: bytes) -> bool:
    """Whether all of its first functions do nothing but answer a number; raises OSError or ElfError."""
    with ElfFile(open_path) as elf:
        symbols = (one for one in SymbolTable(elf).symbols() if one.defined and one.visible and one.type == STT_FUNC)
        addresses = {one.value for one in islice(symbols, _LOOKED_AT)}
        if len(addresses) < _FEWEST:
            return False
        return all(_ANSWERS.match(elf.read_at(address, _CODE)) for address in addresses)
