"""Our own TOML files as they were read once, kept beside the bytecode and by its rules: TOML takes ten times as long.

As with bytecode a file is the same by its time and size, nothing is kept with PYTHONDONTWRITEBYTECODE or where we may
not write, and what does not fit is made anew.
"""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def beside_bytecode(spec: ModuleSpec | None) -> Path | None:
    """Where the module of this `__spec__` keeps what it read; None where it has no bytecode."""
    return Path(spec.cached).with_suffix(".decoded") if spec is not None and spec.cached else None


def read_once(sources: Iterable[Path], kind: type[T], place: Path | None, read: Callable[[], T]) -> T:
    """What `read` made of these files, of which the modules with its types are some, or would make of them now."""
    files = list(sources)
    known = _kept(files, kind, place)
    if known is None:
        known = read()
        _keep(files, known, place)
    return known


def _kept(sources: Iterable[Path], kind: type[T], place: Path | None) -> T | None:
    if place is None:
        return None
    try:
        stamp, raw = msgspec.msgpack.decode(place.read_bytes(), type=tuple[str, msgspec.Raw])
        return msgspec.msgpack.decode(raw, type=kind) if stamp == _stamp(sources) else None
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _keep(sources: Iterable[Path], value: object, place: Path | None) -> None:
    """For the next start; silently nothing where that is not possible."""
    if place is None or sys.dont_write_bytecode:
        return
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        fresh.write_bytes(msgspec.msgpack.encode((_stamp(sources), value)))
        fresh.replace(place)


def _stamp(sources: Iterable[Path]) -> str:
    states = ((path.name, path.stat()) for path in sources)
    return " ".join(f"{name}:{status.st_mtime_ns}:{status.st_size}" for name, status in states)
