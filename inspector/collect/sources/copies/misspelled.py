"""Folders whose name was mistyped: those of a similar name beside where a folder should be, and is not."""

import os
from collections.abc import Iterator
from typing import Final

from inspector.stream.text import decode

from ..libraries.candidates import Folders

_MOST_MEANT: Final = 3
_ALIKE: Final = 0.75
"""Of two names, as difflib has it: `shim` and `shm`, `lib` and `lib64`, `cuda-12.4` and `cuda-12.6`."""


def folders_meant(folder: bytes, folders: Folders) -> Iterator[bytes]:
    """What somebody who named a folder that is not there may have meant, the most alike first."""
    parent, missing = os.path.normpath(folder), list[bytes]()
    while parent not in (b"/", b"") and not folders.exists(parent):
        parent, name = os.path.split(parent)
        missing.insert(0, name)
    if not missing:
        return
    from difflib import get_close_matches

    beside = {decode(name): name for name in folders.names(parent)}
    for like in get_close_matches(decode(missing[0]), list(beside), _MOST_MEANT, _ALIKE):
        meant = os.path.join(parent, beside[like], *missing[1:])
        if folders.exists(meant):
            yield meant
