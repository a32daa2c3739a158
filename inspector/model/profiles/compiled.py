"""Our own profiles as they were read once, kept beside the bytecode and by its rules: TOML takes ten times as long.

As with bytecode a file is the same by its time and size, nothing is kept with PYTHONDONTWRITEBYTECODE or where we may
not write, and what does not fit is made anew.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from .schema import Profile

_PLACE = Path(__spec__.cached).with_suffix(".profiles") if __spec__ is not None and __spec__.cached else None


def kept(sources: Iterable[Path], place: Path | None = _PLACE) -> list[Profile] | None:
    """What these files say; None when that is not kept, or they have changed since."""
    if place is None:
        return None
    try:
        stamp, profiles = msgspec.msgpack.decode(place.read_bytes(), type=tuple[str, list[Profile]])
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return profiles if stamp == _stamp(sources) else None


def keep(sources: Iterable[Path], profiles: list[Profile], place: Path | None = _PLACE) -> None:
    """For the next start; silently nothing where that is not possible."""
    if place is None or sys.dont_write_bytecode:
        return
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        fresh.write_bytes(msgspec.msgpack.encode((_stamp(sources), profiles)))
        fresh.replace(place)


def _stamp(sources: Iterable[Path]) -> str:
    """The files, and what they may hold."""
    files = [*sources, Path(__file__).with_name("schema.py")]
    return " ".join(f"{path.name}:{status.st_mtime_ns}:{status.st_size}" for path in files for status in [path.stat()])
