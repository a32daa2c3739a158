"""Files that a person asks for from the screen: pictures, reports, recordings. Named by time, never over a link."""

import os
from datetime import datetime
from pathlib import Path

from inspector.stream.files import create
from inspector.stream.lazy_pattern import lazy

_FONT = lazy(r"\s*@font-face \{[^}]*\}")


def folder() -> Path:
    """The working folder, or the home folder when that cannot be written."""
    here = Path.cwd()
    return here if os.access(here, os.W_OK) else Path.home()


def fresh(kind: str, ending: str) -> Path:
    """A path that is not there yet: `inspector-screen-20260102-030405.svg`."""
    stem = f"inspector-{kind}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        path = folder() / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")
        if not path.exists() and not path.is_symlink():
            return path
    raise FileExistsError(f"{stem}{ending} and its successors exist: remove some")


def without_fonts(svg: str) -> str:
    """A picture in the fonts of whoever looks at it: none is fetched from a network when it is opened."""
    return _FONT().sub("", svg)


def write(path: Path, text: str) -> None:
    """Write a text with mode 0600; FileRefusedError (an OSError) says why it cannot be written."""
    with create(str(path)) as file:
        file.write(text.encode("utf-8", "replace"))
