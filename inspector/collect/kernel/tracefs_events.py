"""Uprobe events defined in tracefs (Documentation/trace/uprobetracer.rst), each with many places of one file.

An event is written whole before it is switched on, and never after. Its name tells the process that defined it, so that
what a killed one left behind is removed by the next. Until then it is a line in a list: switched off, it costs nothing.
"""

import itertools
import os
import re
from collections.abc import Sequence

from .tracepoints import open_tracefs

_FILE = "uprobe_events"
_GROUP = "inspector_"
_LINE = re.compile(rb"^p:(inspector_(\d+)/\w+) ", re.M)
_numbers = itertools.count()


def define(path: bytes, offsets: Sequence[int]) -> tuple[str, int]:
    """An event on these file offsets, switched off: its name and its tracepoint number. OSError when refused.

    `path` must hold neither blanks nor colons: use one of /proc/self/fd.
    """
    name = f"{_GROUP}{os.getpid()}/places_{next(_numbers)}"
    root = open_tracefs()
    try:
        for offset in offsets:
            _write(root, b"p:%s %s:%#x\n" % (name.encode(), path, offset))
        return name, int(_read(root, f"events/{name}/id"))
    except OSError:
        _write(root, b"-:%s\n" % name.encode(), must=False)
        raise
    finally:
        os.close(root)


def remove(name: str) -> None:
    """Remove an event that is switched off; one that is still busy stays for the next `sweep`."""
    root = open_tracefs()
    try:
        _write(root, b"-:%s\n" % name.encode(), must=False)
    finally:
        os.close(root)


def sweep() -> None:
    """Remove what processes defined that are no more; OSError when events cannot be defined here."""
    root = open_tracefs()
    try:
        os.close(os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, dir_fd=root))
        for name, pid in sorted(set(_LINE.findall(_read(root, _FILE)))):
            if not os.path.exists(f"/proc/{int(pid)}"):
                _write(root, b"-:%s\n" % name, must=False)
    finally:
        os.close(root)


def _write(root: int, line: bytes, must: bool = True) -> None:
    file = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, dir_fd=root)
    try:
        os.write(file, line)
    except OSError:
        if must:
            raise
    finally:
        os.close(file)


def _read(root: int, name: str) -> bytes:
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=root), "rb") as file:
        return file.read()
